"""From what a user asks for to a plan: axes of a run's quantities, with formats that its plugins take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spikequant.calibrate import calibrated
from spikequant.errors import PluginError, UsageError
from spikequant.explore.axes import Axis, Level, make_axes
from spikequant.explore.evaluate import Start, apply_setting
from spikequant.explore.grids import check_grids, shared_axes
from spikequant.explore.plan import Ends, Plan, PlannedAxis, planned
from spikequant.explore.search import Search, Visit
from spikequant.explore.setting import Scheme, Setting
from spikequant.formats import FP32, IntFormat, QFormat
from spikequant.quantity import Quantity
from spikequant.rounding import Rounding

FRACTIONS: tuple[Level, ...] = tuple(range(16, -1, -2))
"""Q-SpiNN's own levels: QL = [16, 14, ..., 0]."""
INTEGERS: tuple[Level, ...] = (IntFormat(8), IntFormat(4), IntFormat(2))


@dataclass(frozen=True)
class Wish:
    """What a user asks to explore; see :class:`~spikequant.explore.plan.Plan`.

    Attributes:
        levels: By name of a quantity or group; with none at all every variable gets the default levels.
        groups: Quantities by name of the group.
        unsigned: Quantities without a sign bit.
        roundings: All three by default; RN alone where a level is ``INTn``, which has no other.
        schemes: PTQ, ITQ or both.
        search: Which walk.
        target: Points below FP32.
        scratch: ITQ from the seed.
    """

    levels: tuple[tuple[str, tuple[Level, ...]], ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unsigned: tuple[str, ...] = ()
    roundings: tuple[Rounding, ...] = ()
    schemes: tuple[Scheme, ...] = (Scheme.PTQ,)
    search: Search = "repaired"
    target: float = 1.0
    scratch: bool = False


def make_plan(start: Start, wish: Wish) -> Plan:
    """Return the plan of a wish; every format in it is one that the run's quantizer and neuron take.

    A variable without levels is held at FP32, by an axis of one level inside all others.

    Raises:
        UsageError: A name is unknown, a level list cannot be used, or a format cannot be made.
        PluginError: The quantizer or the neuron does not have a format or rounding.
    """
    variables = {q.name: q for q in start.quantities if q.role == "variable" and q.part}
    for name in wish.unsigned:
        if name not in variables:
            raise UsageError(
                f"--unsigned '{name}' is no quantity that can be explored; they are: {', '.join(variables)}"
            )
    axes = _axes(start, wish)
    explored = {name for axis in axes for name in axis.quantities}
    fixed = tuple(PlannedAxis(name, (name,), ((FP32,),)) for name in variables if name not in explored)
    levels = [level for axis in axes for level in axis.levels]
    ranges = {}
    if any(isinstance(level, int) for level in levels):
        ranges = _ranges(start)
    whole = any(isinstance(level, IntFormat) for level in levels)
    roundings = wish.roundings or ((Rounding.RN,) if whole else tuple(Rounding))
    plan = Plan(
        (*(planned(axis, ranges, wish.unsigned) for axis in axes), *fixed),
        roundings,
        wish.schemes,
        wish.search,
        wish.target,
        wish.scratch,
    )
    check_grids(plan.axes, start.quantities)
    for setting in _every_format(plan):
        if not setting.is_float:
            apply_setting(start.recipe, setting, start.quantities)
    return plan


def _axes(start: Start, wish: Wish) -> tuple[Axis, ...]:
    variables = [q for q in start.quantities if q.role == "variable" and q.part]
    names = [quantity.name for quantity in variables]
    if wish.levels:
        return make_axes(names, wish.levels, wish.groups)
    if all(_takes_fractions(start, quantity) for quantity in variables):
        return make_axes(names, (), shared_axes(variables, wish.groups), FRACTIONS)
    return make_axes(names, (), wish.groups, INTEGERS)


def _ranges(start: Start) -> dict[str, Ends]:
    """Return the range of each variable: what the run's calibration saw, and what the model's rules allow."""
    seen = {row.name: (row.low, row.high) for row in calibrated(start.folder, data_dir=start.data_dir).quantities}
    ranges = {}
    for quantity in start.quantities:
        low, high = seen.get(quantity.name, (None, None))
        ends = [end for end in (low, high, *(quantity.allowed or ())) if end is not None]
        if ends:
            ranges[quantity.name] = (min(ends), max(ends))
    return ranges


def _takes_fractions(start: Start, quantity: Quantity) -> bool:
    try:
        names = [name for name in (quantity.grid, quantity.name) if name]
        setting = Setting(Scheme.PTQ, Rounding.RN, tuple((name, QFormat(1, 6)) for name in names))
        apply_setting(start.recipe, setting, start.quantities)
    except PluginError:
        return False
    return True


def _every_format(plan: Plan) -> Iterator[Setting]:
    """Yield settings that hold every level of every axis and every rounding at least once."""
    for rounding in range(len(plan.roundings)):
        for level in range(max(plan.lengths)):
            point = tuple(min(level, length - 1) for length in plan.lengths)
            yield plan.setting(plan.schemes[0], Visit(point, rounding))
