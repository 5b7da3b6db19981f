"""Rounding and overflow of the Diehl-Cook node in whole numbers: the codes that ``spikequant.rounding`` gives."""

from __future__ import annotations

import numpy as np

from spikequant.formats import QFormat
from spikequant.program import IntArray
from spikequant.rounding import Overflow, Rounding

CHANCE_BITS = 53
"""A uniform number of :mod:`spikequant.counter_rng` is a multiple of ``2**-53``."""


def rounded(value: IntArray, shift: int, rule: Rounding, chances: IntArray | None = None) -> IntArray:
    r"""Divide by ``2**shift`` with one rounding.

    Args:
        value: int64, any shape.
        shift: 1 to 53.
        rule: ``TR`` floor, ``RN`` half up, ``SR`` floor plus ``[P < rest]``.
        chances: P in units of ``2**-53`` for ``SR``; broadcasts with ``value``.

    >>> rounded(np.array([-3, -2, -1, 1, 2, 3]), 2, Rounding.RN).tolist()
    [-1, 0, 0, 0, 1, 1]
    """
    if rule is Rounding.TR:
        return value >> shift
    if rule is Rounding.RN:
        return (value + (1 << shift >> 1)) >> shift
    if chances is None:
        raise TypeError("SR draws random numbers, and none were given")
    floor = value >> shift
    rest = value - (floor << shift)
    return floor + (chances < rest << (CHANCE_BITS - shift))


def fitted(codes: IntArray, fmt: QFormat, rule: Overflow) -> IntArray:
    """Return the codes that a register of ``fmt`` keeps.

    >>> fitted(np.array([-9, 9]), QFormat(3, 0), Overflow.SATURATE).tolist()
    [-8, 7]
    >>> fitted(np.array([-9, 9]), QFormat(3, 0), Overflow.WRAP).tolist()
    [7, -7]
    """
    low, high = fmt.code_range
    if rule is Overflow.SATURATE:
        return np.clip(codes, low, high)
    return ((codes - low) & (high - low)) + low
