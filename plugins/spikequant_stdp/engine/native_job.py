"""What crosses the border to the C files: the structures of ``job.h`` and friends, field by field."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.counter_rng import RandomKey
from spikequant.formats import QFormat
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.engine.exactness import FLOAT32_BITS
from spikequant_stdp.engine.parameters import CONDUCTANCE_SCALE, DECAY_UNIT, Formats, Parameters

LINE = 16
_CODINGS = {"poisson": 0, "regular": 1}
GIVEN = 2
_RULES = {1.0: 1, 2.0: 2, 0.5: 3}
_TABLE = 4
_PIXELS = 256
_ints = ctypes.c_int64
_pointer = ctypes.c_void_p
_float = ctypes.c_float
_double = ctypes.c_double
_ROUNDINGS = {Rounding.TR: 0, Rounding.RN: 1, Rounding.SR: 2}


class JobStruct(ctypes.Structure):
    """``Job`` in job.h."""

    _fields_ = (
        *((name, _ints) for name in ("inputs", "neurons", "padded", "steps", "refractory", "conductance", "coding")),
        ("stream", ctypes.c_uint64),
        *((name, _pointer) for name in ("thresholds", "regular")),
        *((name, _float) for name in ("rest", "reset", "threshold", "inhibition", "decay", "g_decay", "theta_plus")),
        *((name, _float) for name in ("theta_decay", "trace_decay", "w_max", "norm", "eta_pre", "eta_post")),
        ("rule", _ints),
        *((name, _pointer) for name in ("powers", "trace")),
    )


class GridStruct(ctypes.Structure):
    """``Grid`` in job.h."""

    _fields_ = (
        *((name, _ints) for name in ("there", "rounding", "wrap")),
        ("key", ctypes.c_uint64),
        *((name, _double) for name in ("scale", "step", "low", "high", "decay")),
    )


class FormatsStruct(ctypes.Structure):
    """``Formats`` in job.h."""

    _fields_ = (
        *((name, GridStruct) for name in ("w", "V", "Vth", "g")),
        *((name, _ints) for name in ("stored", "exact")),
        ("norm_key", ctypes.c_uint64),
        *((name, _double) for name in ("threshold", "theta_plus")),
        ("chance_bits", _ints),
        ("chance", _pointer),
    )


class GroupStruct(ctypes.Structure):
    """``Group`` in infer.c."""

    _fields_ = (
        *((name, _pointer) for name in ("w", "formats", "potential")),
        *((name, _ints) for name in ("candidates", "is_wide")),
        ("counts", _pointer),
    )


class RecordStruct(ctypes.Structure):
    """``Record`` in cell.h."""

    _fields_ = (("n", _ints), *((name, _pointer) for name in ("spikes", "potential", "refractory", "g")))


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
            conductance=p.synapse == "conductance",
            coding=GIVEN if draw is None else _CODINGS[p.coding.kind],
            stream=RandomKey(p.coding.seed, "input", draw or 0).stream,
            thresholds=self.keep(thresholds),
            regular=self.keep(_regular(thresholds, p.timesteps)),
            rest=p.rest,
            reset=p.reset,
            threshold=p.threshold,
            inhibition=p.inhibition,
            decay=p.decay,
            g_decay=p.g_decay,
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


def formats_struct(p: Parameters, formats: Formats) -> FormatsStruct:
    """Return the formats as the kernels read them."""
    return FormatsStruct(
        w=_grid(formats, "w"),
        V=_grid(formats, "V", p.decay_code),
        Vth=_grid(formats, "Vth"),
        g=_grid(formats, "g", p.g_decay_code),
        stored=formats.weight_mode == "stored",
        exact=formats.w is not None or formats.g is not None,
        norm_key=RandomKey(formats.seed, "norm").root,
        threshold=p.threshold,
        theta_plus=p.theta_plus_quantized,
        chance_bits=chance_bits(formats),
    )


def chance_bits(formats: Formats) -> int:
    """Return the fraction bits that a potential has before it is rounded, in units of its step, if a float holds them.

    Else 0: there are more, or V is not rounded stochastically, or its step is not exact.
    """
    if formats.V is None or formats.rounding != Rounding.SR or (formats.w is None and formats.g is None):
        return 0
    bits = DECAY_UNIT.bit_length() - 1
    if formats.g is not None:
        bits = max(bits, formats.g.frac_bits - int(math.log2(CONDUCTANCE_SCALE)))
    elif formats.w is not None:
        bits = max(bits, formats.w.frac_bits - formats.V.frac_bits)
    return bits if bits <= FLOAT32_BITS else 0


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an uninitialised array that starts at a multiple of 128 bytes."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    block = np.empty(size + 128, dtype=np.uint8)
    start = -block.ctypes.data % 128
    array: NDArray[Any] = block[start : start + size].view(dtype).reshape(shape)
    return array


def _grid(formats: Formats, name: str, decay_code: int = 0) -> GridStruct:
    fmt: QFormat | None = getattr(formats, name)
    if fmt is None:
        return GridStruct()
    low, high = fmt.code_range
    return GridStruct(
        there=1,
        rounding=_ROUNDINGS[formats.rounding],
        wrap=formats.overflow == Overflow.WRAP,
        key=RandomKey(formats.seed, name).root,
        scale=1 / fmt.step,
        step=fmt.step,
        low=low,
        high=high,
        decay=decay_code / DECAY_UNIT,
    )


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
