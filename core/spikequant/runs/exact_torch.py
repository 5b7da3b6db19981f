"""Torch set so that whole numbers stay whole and a run repeats to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_torch(threads: int) -> Iterator[None]:
    """Compute with ``threads`` threads, without TF32 and with repeatable convolutions on a GPU; restored afterwards.

    TF32 rounds factors to 11 bits, so sums of integers would no longer be exact.
    """
    before = torch.get_num_threads()
    flags = [(owner, name, getattr(owner, name)) for owner, name, _ in _EXACT]
    torch.set_num_threads(threads)
    for owner, name, value in _EXACT:
        setattr(owner, name, value)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        for owner, name, value in flags:
            setattr(owner, name, value)


_EXACT: tuple[tuple[Any, str, bool], ...] = (
    (torch.backends.cudnn, "allow_tf32", False),
    (torch.backends.cudnn, "deterministic", True),
    (torch.backends.cudnn, "benchmark", False),
    (torch.backends.cuda.matmul, "allow_tf32", False),
)
