"""A plan: everything that decides which settings an exploration visits."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args

from spikequant.errors import UsageError
from spikequant.explore.axes import Axis, Level
from spikequant.explore.curves import Curves
from spikequant.explore.search import Search, Visit, Walk
from spikequant.explore.setting import Scheme, Setting
from spikequant.format_choice import int_bits_for
from spikequant.formats import FP32, Format, QFormat, parse_format
from spikequant.rounding import Rounding

Ends = tuple[float, float]


@dataclass(frozen=True)
class PlannedAxis:
    """One loop: the formats of its quantities at each level, most precise first."""

    name: str
    quantities: tuple[str, ...]
    levels: tuple[tuple[Format, ...], ...]


@dataclass(frozen=True)
class Plan:
    """Axes with their formats, and how they are searched.

    Attributes:
        axes: Outermost loop first.
        roundings: Innermost loop.
        schemes: One walk each.
        search: Which walk.
        target: Points of accuracy below FP32 that a candidate may lose, at least 0.
        scratch: ITQ trains from the seed, not from the float model.

    Raises:
        UsageError: A part is empty, or the target is no number of points.
    """

    axes: tuple[PlannedAxis, ...]
    roundings: tuple[Rounding, ...] = (Rounding.TR, Rounding.RN, Rounding.SR)
    schemes: tuple[Scheme, ...] = (Scheme.PTQ,)
    search: Search = "repaired"
    target: float = 1.0
    scratch: bool = False

    def __post_init__(self) -> None:
        for name, items in (("axes", self.axes), ("roundings", self.roundings), ("schemes", self.schemes)):
            if not items or len(set(items)) < len(items):
                raise UsageError(f"an exploration's {name} are {[str(i) for i in items]}; give each once, one at least")
        if not (math.isfinite(self.target) and 0 <= self.target <= 100):
            raise UsageError(f"target is {self.target:g} points below FP32; it must be 0 to 100")
        if self.search not in get_args(Search):
            raise UsageError(f"search {self.search!r} is not known; it must be one of {', '.join(get_args(Search))}")

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of levels of each axis."""
        return tuple(len(axis.levels) for axis in self.axes)

    @property
    def float_setting(self) -> Setting:
        """The baseline: nothing quantized."""
        names = (name for axis in self.axes for name in axis.quantities)
        return Setting(Scheme.PTQ, Rounding.RN, tuple((name, FP32) for name in names))

    def walk(self) -> Walk | Curves:
        """Return a walk at its beginning."""
        if self.search == "curves":
            return Curves(self.lengths, len(self.roundings))
        return Walk(self.lengths, len(self.roundings), self.search)

    def setting(self, scheme: Scheme, visit: Visit) -> Setting:
        """Return what is evaluated at a visit."""
        formats = tuple(
            pair
            for axis, level in zip(self.axes, visit.point, strict=True)
            for pair in zip(axis.quantities, axis.levels[level], strict=True)
        )
        return Setting(scheme, self.roundings[visit.rounding], formats, self.scratch and scheme == Scheme.ITQ)

    def meets(self, right: int, reference: int, samples: int) -> bool:
        """Whether ``accuracy >= reference accuracy - target``, exactly.

        Source: Q-SpiNN, Algorithm 1, line 24.
        """
        return 100 * right >= 100 * reference - Fraction(str(self.target)) * samples

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        axes = [
            {
                "name": axis.name,
                "quantities": list(axis.quantities),
                "levels": [[str(fmt) for fmt in formats] for formats in axis.levels],
            }
            for axis in self.axes
        ]
        return {
            "axes": axes,
            "roundings": [rounding.value for rounding in self.roundings],
            "schemes": [scheme.value for scheme in self.schemes],
            "search": self.search,
            "target": self.target,
            "scratch": self.scratch,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Return what :meth:`to_json` was called on."""
        axes = tuple(
            PlannedAxis(
                axis["name"],
                tuple(axis["quantities"]),
                tuple(tuple(parse_format(text) for text in formats) for formats in axis["levels"]),
            )
            for axis in data["axes"]
        )
        return cls(
            axes,
            tuple(Rounding(name) for name in data["roundings"]),
            tuple(Scheme(name) for name in data["schemes"]),
            data["search"],
            float(data["target"]),
            bool(data["scratch"]),
        )


def planned(axis: Axis, ranges: Mapping[str, Ends], unsigned: Collection[str] = ()) -> PlannedAxis:
    """Give every quantity of an axis its formats.

    Args:
        axis: Names and levels.
        ranges: Calibrated range of each quantity; needed for fraction bits only.
        unsigned: Quantities without a sign bit.

    Raises:
        UsageError: Fraction bits without a range, negative values without a sign, or more bits than a format has.
    """
    levels = tuple(
        tuple(_format(name, level, ranges.get(name), name in unsigned) for name in axis.quantities)
        for level in axis.levels
    )
    return PlannedAxis(axis.name, axis.quantities, levels)


def _format(name: str, level: Level, ends: Ends | None, unsigned: bool) -> Format:
    if not isinstance(level, int):
        return level
    if ends is None:
        raise UsageError(f"quantity '{name}' has no calibrated range, so {level} fraction bits are no format; use INTn")
    if unsigned and ends[0] < 0:
        raise UsageError(f"quantity '{name}' goes down to {ends[0]:g}, so it cannot be unsigned; leave it signed")
    return QFormat(int_bits_for(*ends), level, signed=not unsigned)
