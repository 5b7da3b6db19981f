"""What crosses the border to the C files: the structures of ``job.h`` and friends, field by field."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.counter_rng import RandomKey
from spikequant_stdp.engine.parameters import Parameters

LINE = 16
_CODINGS = {"poisson": 0, "regular": 1}
GIVEN = 2
_RULES = {1.0: 1, 2.0: 2, 0.5: 3}
_TABLE = 4
_PIXELS = 256
_ints = ctypes.c_int64
_pointer = ctypes.c_void_p
_float = ctypes.c_float


class JobStruct(ctypes.Structure):
    """``Job`` in job.h."""

    _fields_ = (
        *((name, _ints) for name in ("inputs", "neurons", "padded", "steps", "refractory", "coding")),
        ("stream", ctypes.c_uint64),
        *((name, _pointer) for name in ("thresholds", "regular")),
        *((name, _float) for name in ("rest", "reset", "threshold", "inhibition", "decay", "theta_plus")),
        *((name, _float) for name in ("theta_decay", "trace_decay", "w_max", "norm", "eta_pre", "eta_post")),
        ("rule", _ints),
        *((name, _pointer) for name in ("powers", "trace")),
    )


class GroupStruct(ctypes.Structure):
    """``Group`` in infer.c."""

    _fields_ = (("w", _pointer), ("firing", _pointer), ("candidates", _ints), ("counts", _pointer))


class RecordStruct(ctypes.Structure):
    """``Record`` in cell_float.h."""

    _fields_ = (("n", _ints), *((name, _pointer) for name in ("spikes", "potential", "refractory")))


class Job:
    """A filled :class:`JobStruct` and the arrays it points into."""

    def __init__(self, p: Parameters, draw: int | None) -> None:
        """``draw`` is that of the coding, or None for given spikes."""
        self.padded = -(-p.neurons // LINE) * LINE
        self._kept: list[NDArray[Any]] = []
        thresholds = np.zeros(_PIXELS, dtype=np.uint32)
        thresholds[: p.coding.peak + 1] = p.coding.thresholds
        self.struct = JobStruct(
            inputs=p.inputs,
            neurons=p.neurons,
            padded=self.padded,
            steps=p.timesteps,
            refractory=p.refractory,
            coding=GIVEN if draw is None else _CODINGS[p.coding.kind],
            stream=RandomKey(p.coding.seed, "input", draw or 0).stream,
            thresholds=self.keep(thresholds),
            regular=self.keep(_regular(thresholds, p.timesteps)),
            rest=p.rest,
            reset=p.reset,
            threshold=p.threshold,
            inhibition=p.inhibition,
            decay=p.decay,
            theta_plus=p.theta_plus,
            theta_decay=p.theta_decay,
            trace_decay=p.trace_decay,
            w_max=p.w_max,
            norm=p.norm,
            eta_pre=p.eta_pre,
            eta_post=p.eta_post,
            rule=0 if p.rule == "pairwise" or p.mu == 0 else _RULES.get(p.mu, _TABLE),
            powers=self.keep(p.power_table),
            trace=self.keep(_trace(p)),
        )

    def keep(self, array: NDArray[Any]) -> int:
        """Return the address of an array, which lives as long as the job."""
        self._kept.append(array)
        return array.ctypes.data

    def padded_rows(self, array: NDArray[Any], fill: float = 0.0) -> NDArray[Any]:
        """Return an aligned copy of an array ``(rows, neurons)`` with rows of the padded length."""
        rows = aligned((len(array), self.padded), array.dtype)
        rows[:, : array.shape[1]] = array
        rows[:, array.shape[1] :] = fill
        return rows


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an uninitialised array that starts at a multiple of 128 bytes."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    block = np.empty(size + 128, dtype=np.uint8)
    start = -block.ctypes.data % 128
    return block[start : start + size].view(dtype).reshape(shape)


def _trace(p: Parameters) -> NDArray[np.float32]:
    """A trace 0, 1, ... steps after its spike: repeated float32 products."""
    factors = np.full(p.timesteps + 1, p.trace_decay, dtype=np.float32)
    factors[0] = 1.0
    with np.errstate(under="ignore"):
        return np.multiply.accumulate(factors, dtype=np.float32)


def _regular(thresholds: NDArray[np.uint32], timesteps: int) -> NDArray[np.uint8]:
    """Whether a pixel value spikes at a step, ``(256, timesteps)``, under the coding ``regular``."""
    due = np.arange(timesteps + 1, dtype=np.int64) * thresholds[:, None].astype(np.int64) >> 16
    return (due[:, 1:] > due[:, :-1]).astype(np.uint8)
