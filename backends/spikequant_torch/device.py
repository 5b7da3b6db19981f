"""Where and how torch computes: settings under which float sums of integers stay exact, and a proof on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import torch
from torch.nn import functional as F

from spikequant.errors import BackendError


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Switch off what makes float sums inexact: autocast, reduced matmul precision, cuDNN's TF32 and Winograd.

    The caller's settings return on exit.
    """
    precision = torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(enabled=False, allow_tf32=False))
        stack.callback(torch.set_float32_matmul_precision, precision)
        torch.set_float32_matmul_precision("highest")
        yield


@cache
def check_device(device: torch.device) -> None:
    """Compute sums close to 2**24 on ``device`` and compare them with int64.

    Raises:
        BackendError: The device is not there, or its float32 sums are not exact.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-1020, 1021, (8, 16, 7, 7), generator=generator)
    codes = torch.randint(-15, 16, (32, 16, 3, 3), generator=generator)
    columns = F.unfold(x.double(), 3).to(torch.int64)
    wanted = torch.einsum("ok,bkn->bon", codes.flatten(1), columns)
    try:
        with exact_arithmetic(device):
            xs, ws = x.to(device, torch.float32), codes.to(device, torch.float32)
            conv = F.conv2d(xs, ws).flatten(2)
            dense = F.linear(F.unfold(xs, 3).transpose(1, 2), ws.flatten(1)).transpose(1, 2)
            found = [value.cpu().to(torch.int64) for value in (conv, dense)]
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BackendError(f"torch cannot compute on device '{device}': {error}; use device='cpu'") from error
    if not all(torch.equal(value, wanted) for value in found):
        raise BackendError(
            f"torch on device '{device}' does not add integers exactly in float32, so its runs would not be"
            " the oracle's; use device='cpu'"
        )
