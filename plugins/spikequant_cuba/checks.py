"""Field checks of the four kinds, so that their arithmetic need not check."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from spikequant.program import IntArray, Shape, SpikingNode
from spikequant.program.field_checks import check_int64, field_error
from spikequant_cuba.grid import Limits

LARGEST = (1 << 62) - 1
MOST_DECAY_BITS = 24
MOST_SHIFT = 32
MOST_SPIKES = 255
CONSTANT = (1 << 48) - 1
INT64 = (-(1 << 63), (1 << 63) - 1)


def check_word(node: SpikingNode, field: str, value: object, allowed: Collection[str]) -> None:
    """Raise :class:`ProgramError` unless ``value`` is one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise field_error(node, field, repr(value), f"one of {', '.join(allowed)}")


def check_constant(node: SpikingNode, field: str, value: IntArray | None, low: int, high: int = CONSTANT) -> None:
    """Raise :class:`ProgramError` unless ``value`` is an int64 array from ``low`` to ``high``, or none."""
    if value is None:
        return
    check_int64(node, field, value)
    if int(value.min()) < low or int(value.max()) > high:
        raise field_error(node, field, f"{value.min()}..{value.max()}", f"from {low} to {high}")


def check_lsb(node: SpikingNode, lsb: object) -> None:
    """Raise :class:`ProgramError` unless ``lsb`` is an array of positive finite floats."""
    if not isinstance(lsb, np.ndarray) or lsb.dtype.kind != "f" or lsb.size == 0:
        raise field_error(node, "lsb", f"of type {type(lsb).__name__}", "a non-empty array of floats")
    if not (np.isfinite(lsb).all() and (lsb > 0).all()):
        raise field_error(node, "lsb", f"{lsb.min()}..{lsb.max()}", "positive and finite")


def check_shape(node: SpikingNode, field: str, value: IntArray | None, shape: Shape) -> None:
    """Raise :class:`ProgramError` unless there is one constant for all neurons, or for each channel or neuron."""
    if value is not None and value.shape not in ((), shape[:1], shape):
        raise field_error(node, field, f"an array of shape {value.shape}", f"of shape (), {shape[:1]} or {shape}")


def check_reach(node: SpikingNode, what: str, limits: Limits, given: Limits) -> None:
    """Raise :class:`ProgramError` unless a sum inside a step stays within 63 bits for an input ``given``."""
    if limits[0] < -LARGEST or limits[1] > LARGEST:
        raise field_error(
            node,
            what,
            f"{limits[0]}..{limits[1]} for an input of {given[0]}..{given[1]}",
            "within 63 bits; use a smaller input_shift or fewer bits",
        )
