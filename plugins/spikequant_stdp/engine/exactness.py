"""What an engine refuses before it starts: formats whose arithmetic is not exact, and arrays that do not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.rounding import Overflow
from spikequant_stdp.engine.parameters import THETA_PLUS_FORMAT, Formats, Parameters, State

EXACT_BITS = 53
FLOAT32_BITS = 24
DECAY_BITS = 16
CONDUCTANCE_BITS = 7


def check(p: Parameters, formats: Formats, state: State) -> None:
    """Refuse what an engine cannot compute exactly.

    Quantized variables are held in float64, and one step of each is one real expression with one rounding. It is
    exact if all of it, in units of its finest step, stays below 2**53.

    Raises:
        UsageError: Names the formats, the bits their expression needs and what to do; or the array that is wrong.
    """
    _check_state(p, state)
    _check_pairing(p, formats)
    _check_float32(formats)
    _check_constants(p, formats)
    _check_potential(p, formats)
    _check_conductance(p, formats)
    _check_threshold(p, formats)


def check_spikes(p: Parameters, spikes: NDArray[Any]) -> None:
    """Refuse input spikes that are not {0, 1} of shape ``(n, timesteps, inputs)``.

    Raises:
        UsageError: Says what they are.
    """
    if spikes.ndim != 3 or spikes.shape[1:] != (p.timesteps, p.inputs):
        raise UsageError(f"input spikes have the shape {spikes.shape}; it must be (n, {p.timesteps}, {p.inputs})")
    if spikes.dtype.kind not in "uib" or (spikes.size and not (spikes.min() >= 0 and spikes.max() <= 1)):
        raise UsageError(f"input spikes are {spikes.dtype} with values other than 0 and 1; they must be 0 or 1")


def check_images(p: Parameters, images: NDArray[Any]) -> None:
    """Refuse images that are not of shape ``(n, inputs)``; the coding checks their values.

    Raises:
        UsageError: Says what they are.
    """
    if images.ndim != 2 or images.shape[1] != p.inputs:
        raise UsageError(f"images have the shape {images.shape}; it must be (n, {p.inputs})")


def _check_state(p: Parameters, state: State) -> None:
    shapes = (("w", state.w, (p.inputs, p.neurons)), ("theta", state.theta, (p.neurons,)))
    for name, array, shape in shapes:
        if array.shape != shape:
            raise UsageError(f"state: {name} has the shape {array.shape}; it must be {shape}")
        if not np.isfinite(array).all():
            raise UsageError(f"state: {name} holds values that are NaN or infinite; they must be finite")
    if state.w.dtype != np.float32 or not state.w.flags.c_contiguous or not state.w.flags.writeable:
        raise UsageError(f"state: w is {state.w.dtype}; it must be a writable float32 array in C order")
    if state.theta.dtype not in (np.float32, np.float64):
        raise UsageError(f"state: theta is {state.theta.dtype}; it must be float32 or float64")
    if state.images < 0:
        raise UsageError(f"state: images is {state.images}; it must be at least 0")


def _check_pairing(p: Parameters, formats: Formats) -> None:
    if p.synapse == "current" and formats.g is not None:
        raise UsageError(f"g has the format {formats.g}, and a current synapse has no g; leave it out")
    if p.synapse == "conductance" and formats.V is not None and formats.g is None:
        raise UsageError(f"V has the format {formats.V} and g is FP32; give g a format too, since V's step uses it")


def _check_float32(formats: Formats) -> None:
    for name, fmt in (("w", formats.w), ("g", formats.g)):
        if fmt is not None and fmt.int_bits + fmt.frac_bits > FLOAT32_BITS:
            raise UsageError(
                f"{name} has the format {fmt} with {fmt.int_bits + fmt.frac_bits} bits besides the sign;"
                f" a float32 holds {FLOAT32_BITS}, so take fewer"
            )


def _check_constants(p: Parameters, formats: Formats) -> None:
    if formats.V is not None:
        for name in ("rest", "reset", "inhibition"):
            _check_whole(name, getattr(p, name), "V", formats.V)
        for name in ("rest", "reset"):
            _check_held(name, getattr(p, name), "V", formats.V)
    if formats.Vth is not None:
        _check_whole("threshold", p.threshold, "Vth", formats.Vth)
        _check_held("threshold", p.threshold, "Vth", formats.Vth)
    if formats.w is not None and formats.weight_mode == "stored":
        _check_stored(p.w_max, formats.w, formats.overflow)


def _check_stored(w_max: float, fmt: QFormat, overflow: Overflow) -> None:
    if not (w_max / fmt.step).is_integer():
        raise UsageError(
            f"w_max is {w_max}, and stored weights have the format {fmt}; it must be a multiple of its step"
        )
    if overflow == Overflow.WRAP and fmt.signed and w_max > fmt.range[1]:
        raise UsageError(
            f"w_max is {w_max}, and stored weights of the format {fmt}, up to {fmt.range[1]}, would wrap below 0;"
            " let them saturate, or give them more integer bits"
        )


def _check_whole(name: str, value: float, variable: str, fmt: QFormat) -> None:
    if not float(value).is_integer():
        raise UsageError(f"{name} is {value}, and {variable} has the format {fmt}; it must be a whole number")
    if abs(value) > 1 << FLOAT32_BITS:
        raise UsageError(
            f"{name} is {value}, and {variable} has the format {fmt}; it must be 2**{FLOAT32_BITS} at most"
        )


def _check_held(name: str, value: float, variable: str, fmt: QFormat) -> None:
    low, high = fmt.range
    if not low <= value <= high:
        raise UsageError(
            f"{name} is {value}, and {variable} has the format {fmt}, {low}..{high}; give it more integer bits"
        )


def _check_potential(p: Parameters, formats: Formats) -> None:
    if formats.V is None:
        return
    largest = _largest(formats.V)
    reach = largest + 2 * abs(p.rest) + p.inhibition
    finest = formats.V.frac_bits + DECAY_BITS
    if formats.g is not None:
        finest = max(finest, formats.g.frac_bits + formats.V.frac_bits + CONDUCTANCE_BITS)
        reach += _largest(formats.g) * largest * 2.0**-CONDUCTANCE_BITS
        _check_exact("V", f"V {formats.V} and g {formats.g}", reach, finest)
    elif formats.w is not None:
        finest = max(finest, formats.w.frac_bits)
        _check_exact("V", f"V {formats.V} and w {formats.w}", reach + p.inputs * _largest(formats.w), finest)
    else:
        _check_exact("V", f"V {formats.V}", reach, finest)


def _check_conductance(p: Parameters, formats: Formats) -> None:
    if formats.g is None:
        return
    finest = formats.g.frac_bits + DECAY_BITS
    if formats.w is None:
        _check_exact("g", f"g {formats.g}", _largest(formats.g), finest)
    else:
        reach = _largest(formats.g) + p.inputs * _largest(formats.w)
        _check_exact("g", f"g {formats.g} and w {formats.w}", reach, max(finest, formats.w.frac_bits))


def _check_threshold(p: Parameters, formats: Formats) -> None:
    if formats.Vth is not None:
        reach = _largest(formats.Vth) + max(abs(p.threshold), p.theta_plus_quantized)
        finest = max(formats.Vth.frac_bits, THETA_PLUS_FORMAT.frac_bits)
        _check_exact("Vth", f"Vth {formats.Vth}", reach, finest)


def _largest(fmt: QFormat) -> float:
    return max(abs(limit) for limit in fmt.range)


def _check_exact(variable: str, which: str, reach: float, finest: int) -> None:
    """Refuse an expression whose terms sum up to ``reach`` in multiples of ``2**-finest``."""
    bits = math.ceil(math.log2(reach)) + finest
    if bits > EXACT_BITS:
        raise UsageError(
            f"the step of {variable} with {which} needs {bits} bits to be exact, and {EXACT_BITS} are there;"
            " take fewer bits"
        )
