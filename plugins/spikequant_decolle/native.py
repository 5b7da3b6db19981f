"""The elementwise work of a training step in C: one pass each, with the bits of the torch operations."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikequant.build_cache import load_library
from spikequant.errors import BackendError
from spikequant.native_build import native_library
from spikequant_decolle.dynamics import Dynamics, LayerState
from spikequant_decolle.operations import EPS, Fired, TorchOperations
from spikequant_decolle.surrogate import KINDS, Surrogate

SOURCE = Path(__file__).with_name("kernels.c")
FUSED = ("AVX2", "AVX512")
"""Instruction sets with which torch adds a product with one rounding, as the kernels do."""
SIZE, REAL, ADDRESS, CODE = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p, ctypes.c_int32
ARGUMENTS: dict[str, list[Any]] = {
    "decolle_trace": [SIZE, *[REAL] * 4, *[ADDRESS] * 3],
    "decolle_fire": [*[SIZE] * 5, *[REAL] * 3, *[ADDRESS] * 6],
    "decolle_slope": [SIZE, CODE, REAL, *[ADDRESS] * 2],
    "decolle_unpool": [*[SIZE] * 5, *[ADDRESS] * 3],
    "decolle_adamax": [SIZE, *[REAL] * 3, *[ADDRESS] * 4],
}


class NativeOperations(TorchOperations):
    """Kernels for float32 on the CPU, images with channels last.

    Raises:
        BackendError: There is no C compiler, it failed, or torch rounds otherwise on this processor.
    """

    def __init__(self) -> None:
        self._library = _library()

    def trace(self, dynamics: Dynamics, state: LayerState, s: Tensor, t: int) -> Tensor:
        """Advance the traces."""
        c, p, q = dynamics.constants, state.p, state.q
        s = _laid_out_as(s, p)
        rates = c.alpha, c.gain(c.alpha), c.beta, c.gain(c.beta)
        self._library.decolle_trace(p.numel(), *rates, s.data_ptr(), p.data_ptr(), q.data_ptr())
        return p

    def fire(self, dynamics: Dynamics, state: LayerState, drive: Tensor, t: int) -> Fired:
        """Advance the neurons and pool, image by image."""
        layer, c = dynamics.layer, dynamics.constants
        v = _laid_out_as(drive, state.r)
        shape = (len(v), *layer.pooled_shape)
        d, s = _empty(shape), _empty(shape)
        at = _empty(shape, torch.int32)
        self._library.decolle_fire(
            *_sizes(dynamics, len(v)),
            *(c.rho, c.gamma, c.gain(c.gamma)),
            *(x.data_ptr() for x in (dynamics.v_th, v, state.r, d, s, at)),
        )
        return Fired(d, s, at if layer.plan.pool > 1 else None)

    def slope_(self, g: Tensor, d: Tensor, surrogate: Surrogate) -> Tensor:
        """Multiply ``g`` by the slope."""
        kind = KINDS.index(surrogate.kind)
        self._library.decolle_slope(g.numel(), kind, surrogate.width, _laid_out_as(d, g).data_ptr(), g.data_ptr())
        return g

    def unpool(self, g: Tensor, fired: Fired, dynamics: Dynamics) -> Tensor:
        """Send each window's gradient to the neuron with the largest potential."""
        if fired.at is None:
            return g
        dv = _empty((len(g), *dynamics.layer.out_shape))
        g = _laid_out_as(g, fired.at)
        self._library.decolle_unpool(*_sizes(dynamics, len(g)), g.data_ptr(), fired.at.data_ptr(), dv.data_ptr())
        return dv

    def adamax_(self, w: Tensor, u: Tensor, g: Tensor, m: Tensor, rate: float, beta: float) -> None:
        """Change weights and maxima."""
        m = _laid_out_as(m, w)
        addresses = (x.data_ptr() for x in (g, m, u, w))
        self._library.decolle_adamax(w.numel(), rate, beta, EPS, *addresses)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    found = torch.backends.cpu.get_cpu_capability()
    if found not in FUSED:
        raise BackendError(f"torch computes with {found} here, and the kernels have the bits of {' or '.join(FUSED)}")
    library = load_library(native_library("decolle", [SOURCE]), "the kernels of decolle")
    for name, arguments in ARGUMENTS.items():
        kernel = getattr(library, name)
        kernel.argtypes, kernel.restype = arguments, None
    return library


def _sizes(dynamics: Dynamics, batch: int) -> tuple[int, int, int, int, int]:
    shape, pool = dynamics.layer.out_shape, dynamics.layer.plan.pool
    height, width = shape[1:] if len(shape) > 1 else (1, 1)
    return batch, height, width, shape[0], pool


def _empty(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    order = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, memory_format=order)


def _laid_out_as(value: Tensor, like: Tensor) -> Tensor:
    """Return ``value`` with the order in memory of ``like``."""
    if value.stride() == like.stride():
        return value
    return torch.empty_like(like, dtype=value.dtype).copy_(value)
