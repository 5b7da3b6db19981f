"""The torch device that an option names."""

from __future__ import annotations

import warnings

import torch

from spikequant.errors import UsageError, one_line


def check_device(device: str) -> None:
    """Raise unless torch computes rightly on ``device``.

    Raises:
        UsageError: It is unknown, missing or wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of names that it then refuses
            works = int((torch.ones(2, device=device) + 1).sum()) == 4
    except (RuntimeError, AssertionError, ImportError, ValueError, AttributeError) as error:
        first = one_line(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise UsageError(f"device {device!r} cannot be used: {first}; give --device cpu") from error
    if not works:
        raise UsageError(f"device {device!r} cannot be used: it adds 1 and 1 wrongly; give --device cpu")
