"""Integer arithmetic of the semantics in NumPy: leaks with their rounding, overflow of a register."""

from __future__ import annotations

import numpy as np

from spikequant.program.nodes import IntArray, Leak, LeakRounding, OverflowRule


def shift_right(value: IntArray, shift: int, rounding: LeakRounding) -> IntArray:
    """Divide by ``2**shift`` and round.

    >>> shift_right(np.array([-3, -1, 1, 3]), 1, "floor")
    array([-2, -1,  0,  1])
    >>> shift_right(np.array([-3, -1, 1, 3]), 1, "toward_zero")
    array([-1,  0,  0,  1])
    >>> shift_right(np.array([-3, -1, 1, 3]), 1, "nearest")
    array([-1,  0,  1,  2])
    """
    if shift == 0:
        return value
    if rounding == "floor":
        return value >> shift
    if rounding == "toward_zero":
        return np.where(value < 0, -((-value) >> shift), value >> shift)
    return (value + (1 << (shift - 1))) >> shift


def leaked(value: IntArray, leak: Leak) -> IntArray:
    """Return ``leak(value)``."""
    if leak.kind == "none":
        return value
    if leak.kind == "multiply":
        value = value * leak.multiplier
    return shift_right(value, leak.shift, leak.rounding)


def overflowed(value: IntArray, bits: int, rule: OverflowRule) -> IntArray:
    """Return what a ``bits`` wide register keeps of ``value`` under ``rule``.

    >>> overflowed(np.array([-9, -8, 7, 9]), 4, "symmetric")
    array([-7, -7,  7,  7])
    >>> overflowed(np.array([-9, -8, 7, 9]), 4, "saturate")
    array([-8, -8,  7,  7])
    >>> overflowed(np.array([-9, -8, 7, 9]), 4, "wrap")
    array([ 7, -8,  7, -7])
    """
    top = (1 << (bits - 1)) - 1
    if rule == "symmetric":
        return np.clip(value, -top, top)
    if rule == "saturate":
        return np.clip(value, -top - 1, top)
    return ((value + top + 1) & ((1 << bits) - 1)) - top - 1


def per_neuron(parameter: IntArray, ndim: int) -> IntArray:
    """Shape a scalar, per-channel or per-neuron parameter so that it broadcasts over (batch, *shape)."""
    if parameter.ndim == 1:
        return parameter.reshape((-1,) + (1,) * (ndim - 2))
    return parameter
