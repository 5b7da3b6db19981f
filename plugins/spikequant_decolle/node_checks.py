"""Field checks of the nodes of DECOLLE, so that their arithmetic need not check."""

from __future__ import annotations

from typing import Protocol

from spikequant.formats import QFormat
from spikequant.program import IntArray, Shape, SpikingNode
from spikequant.program.field_checks import check_int64, check_integer, check_register, check_type, field_error
from spikequant.rounding import Overflow, Rounding

LARGEST = (1 << 62) - 1
MOST_DECAY_SHIFT = 24
MOST_FRACTION = 62
MOST_RHO = (1 << 31) - 1
Limits = tuple[int, int]


class Rounds(Protocol):
    """The fields with which a node rounds."""

    @property
    def rounding(self) -> Rounding:
        """``TR``, ``RN`` or ``SR``."""

    @property
    def overflow(self) -> Overflow:
        """``saturate`` or ``wrap``."""

    @property
    def seed(self) -> int:
        """Of ``SR``."""


def check_rules(node: SpikingNode, rules: Rounds) -> None:
    """Raise :class:`ProgramError` unless rounding, overflow and seed are of their domains."""
    check_type(node, "rounding", rules.rounding, Rounding)
    check_type(node, "overflow", rules.overflow, Overflow)
    check_integer(node, "seed", rules.seed, -(1 << 63), (1 << 63) - 1)


def check_decay(node: SpikingNode, name: str, code: int, shift: int, gain_name: str, gain: int) -> None:
    """Raise :class:`ProgramError` unless a decay ``code / 2**shift`` and the gain beside it lie in 0 to 1."""
    check_integer(node, f"{name}_shift", shift, 0, MOST_DECAY_SHIFT)
    check_integer(node, name, code, 0, 1 << shift)
    check_integer(node, gain_name, gain, 0, 1 << shift)


def check_formats(node: SpikingNode, **formats: QFormat) -> None:
    """Raise :class:`ProgramError` unless each is a ``Qi.f`` of a register; the first, the potential's, has 2 bits."""
    for index, (name, fmt) in enumerate(formats.items()):
        check_register(node, name, fmt, least=1 if index else 2)


def check_thresholds(node: SpikingNode, vth: IntArray, fmt: QFormat) -> None:
    """Raise :class:`ProgramError` unless ``vth`` are codes of ``fmt``."""
    check_int64(node, "vth", vth)
    low, high = fmt.code_range
    if int(vth.min()) < low or int(vth.max()) > high:
        raise field_error(node, "vth", f"{vth.min()}..{vth.max()}", f"codes of V's format {fmt}, {low}..{high}")


def check_threshold_shape(node: SpikingNode, vth: IntArray, shape: Shape) -> None:
    """Raise :class:`ProgramError` unless there is one threshold for all neurons, or for each channel or neuron."""
    if vth.shape not in ((), shape[:1], shape):
        raise field_error(node, "vth", f"an array of shape {vth.shape}", f"of shape (), {shape[:1]} or {shape}")


def check_reach(node: SpikingNode, variable: str, limits: Limits, parts: str) -> None:
    """Raise :class:`ProgramError` unless what is rounded to ``variable`` stays within 63 bits."""
    if limits[0] < -LARGEST or limits[1] > LARGEST:
        raise field_error(
            node,
            f"{variable}'s sum",
            f"{limits[0]}..{limits[1]} in units of its finest step, with {parts}",
            "within 63 bits; use fewer fraction bits",
        )
