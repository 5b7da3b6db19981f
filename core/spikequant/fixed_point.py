"""Rounding and overflow in whole numbers, for nodes of plugins: the codes that :mod:`spikequant.rounding` gives.

A node computes an expression exactly, as a whole number of a step finer than its variable's, and then puts it
on the variable's grid with one rounding and the overflow rule.
"""

from __future__ import annotations

import math

import numpy as np

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.formats import QFormat
from spikequant.program import IntArray, Operation, Shape
from spikequant.rounding import Overflow, Rounding

CHANCE_BITS = 53
"""A uniform number of :mod:`spikequant.counter_rng` is a multiple of ``2**-53``."""

MOST_SHIFT = 62
"""The largest number of bits that :func:`rounded` drops."""


def rounded(value: IntArray, shift: int, rule: Rounding, chances: IntArray | None = None) -> IntArray:
    r"""Divide by ``2**shift`` with one rounding.

    Args:
        value: int64 of magnitude at most ``2**62``, any shape.
        shift: 0 to 62.
        rule: ``TR`` floor, ``RN`` half up, ``SR`` floor plus ``[P < rest]``.
        chances: P in units of ``2**-53`` for ``SR``; broadcasts with ``value``.

    Raises:
        TypeError: ``SR`` without ``chances``.

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
    if shift <= CHANCE_BITS:
        return floor + (chances < rest << (CHANCE_BITS - shift))
    return floor + (chances << (shift - CHANCE_BITS) < rest)


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


def chances_of(rule: Rounding, seed: int, tensor: str, t: int, shape: Shape) -> IntArray | None:
    """Return the random numbers with which a node rounds one variable at one timestep, or None if it draws none.

    They are those of ``RandomKey(seed, tensor, t)``, the element being a neuron's flat index within the node:
    equal for all samples, so that no result depends on how a batch is split.

    Args:
        rule: Only ``SR`` draws.
        seed: The node's.
        tensor: Name of the variable.
        t: The timestep.
        shape: Shape of the node, without batch.

    Returns:
        int64 of ``shape`` in units of ``2**-53``.

    >>> chances_of(Rounding.SR, 0, "V", 3, (2, 2)).tolist() == (uniforms(RandomKey(0, "V", 3), np.arange(4)) * 2.0**53
    ...     ).reshape(2, 2).tolist()
    True
    """
    if rule is not Rounding.SR:
        return None
    neurons = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    return (uniforms(RandomKey(seed, tensor, t), neurons) * 2.0**CHANCE_BITS).astype(np.int64)


def rounding_operations(rule: Rounding, bits: int) -> tuple[Operation, ...]:
    """Return what one rounding of a number of ``bits`` costs; the random number of ``SR`` is not counted.

    ``TR`` is a shift, ``RN`` an add more, ``SR`` an add and a compare more.

    >>> [operation.name for operation in rounding_operations(Rounding.SR, 20)]
    ['compare', 'add', 'shift']
    """
    adds = () if rule is Rounding.TR else (Operation("add", bits),)
    compares = (Operation("compare", CHANCE_BITS),) if rule is Rounding.SR else ()
    return (*compares, *adds, Operation("shift", bits))
