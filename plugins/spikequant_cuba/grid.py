"""Integers from one grid to another: the rounding words of the nodes, and what they do to limits."""

from __future__ import annotations

from typing import Literal

import numpy as np

from spikequant.fixed_point import chances_of, rounded
from spikequant.program import IntArray, Shape
from spikequant.rounding import Rounding

Rule = Literal["floor", "nearest", "toward_zero", "stochastic"]
RULES: tuple[Rule, ...] = ("floor", "nearest", "toward_zero", "stochastic")
Limits = tuple[int, int]


def chances(rule: Rule, seed: int, tensor: str, t: int, shape: Shape) -> IntArray | None:
    """Return the random numbers of one rounding, or ``None`` where the rule draws none."""
    return chances_of(Rounding.SR, seed, tensor, t, shape) if rule == "stochastic" else None


def divided(value: IntArray, shift: int, rule: Rule, drawn: IntArray | None = None) -> IntArray:
    """Divide by ``2**shift`` with one rounding; may return ``value`` itself.

    Args:
        value: int64 of magnitude at most ``2**62``.
        shift: 0 to 62.
        rule: ``floor``, ``nearest`` (half up), ``toward_zero`` or ``stochastic``.
        drawn: Of ``stochastic``: :func:`chances`.

    >>> [divided(np.array([-3, -2, -1, 1, 2, 3]), 1, rule).tolist() for rule in ("floor", "nearest", "toward_zero")]
    [[-2, -1, -1, 0, 1, 1], [-1, -1, 0, 1, 1, 2], [-1, -1, 0, 0, 1, 1]]
    """
    if shift == 0:
        return value
    if rule == "floor":
        return value >> shift
    if rule == "toward_zero":
        upward = value >> 63
        upward &= (1 << shift) - 1
        upward += value
        upward >>= shift
        return upward
    return rounded(value, shift, Rounding.RN if rule == "nearest" else Rounding.SR, drawn)


def moved(value: IntArray, shift: int, rule: Rule, drawn: IntArray | None = None) -> IntArray:
    """Return ``value * 2**shift``, rounded where ``shift`` is negative; may return ``value`` itself.

    >>> moved(np.array([-3, 3]), 2, "floor").tolist(), moved(np.array([-3, 3]), -1, "floor").tolist()
    ([-12, 12], [-2, 1])
    """
    return value << shift if shift > 0 else divided(value, -shift, rule, drawn)


def moved_limits(limits: Limits, shift: int, rule: Rule) -> Limits:
    """Return the bounds of :func:`moved` for values within ``limits``, Python integers of any size.

    >>> moved_limits((-3, 3), 2, "floor"), [moved_limits((-3, 3), -1, rule) for rule in ("stochastic", "toward_zero")]
    ((-12, 12), [(-2, 2), (-1, 1)])
    """
    low, high = limits
    if shift >= 0:
        return low << shift, high << shift
    half, ones = 1 << -shift >> 1, (1 << -shift) - 1
    if rule == "nearest":
        return (low + half) >> -shift, (high + half) >> -shift
    if rule == "toward_zero":
        return (low + (ones if low < 0 else 0)) >> -shift, (high + (ones if high < 0 else 0)) >> -shift
    return low >> -shift, (high + (ones if rule == "stochastic" else 0)) >> -shift


def decayed(value: IntArray, factor: IntArray, bits: int, rule: Rule, drawn: IntArray | None = None) -> IntArray:
    """Return ``factor * value / 2**bits`` with one rounding; ``value`` itself where nothing decays."""
    if factor.ndim == 0 and int(factor) == 1 << bits:
        return value
    return divided(value * factor, bits, rule, drawn)


def decayed_limits(limits: Limits, factor: IntArray, bits: int, rule: Rule) -> Limits:
    """Return the bounds of :func:`decayed` for values within ``limits``, which hold 0."""
    most = int(factor.max())
    return moved_limits((limits[0] * most, limits[1] * most), -bits, rule)


def register_limits(bits: int, overflow: str) -> Limits:
    """Return the smallest and the largest number of a register.

    >>> register_limits(4, "symmetric"), register_limits(4, "wrap")
    ((-7, 7), (-8, 7))
    """
    top = (1 << (bits - 1)) - 1
    return (-top, top) if overflow == "symmetric" else (-top - 1, top)


def kept_by(value: IntArray, limits: Limits, overflow: str) -> IntArray:
    """Return what a register of ``limits`` keeps of ``value``: the nearest number, or under ``wrap`` the low bits.

    >>> [kept_by(np.array([-9, 9]), (-8, 7), rule).tolist() for rule in ("saturate", "wrap")]
    [[-8, 7], [7, -7]]
    """
    low, high = limits
    if overflow == "wrap":
        return ((value - low) & (high - low)) + low
    return np.minimum(np.maximum(value, low), high)  # faster than clip on the few numbers of a layer
