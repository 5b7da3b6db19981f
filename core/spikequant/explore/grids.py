"""Quantities that count in units of another one: which formats the two may have together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from spikequant.errors import UsageError
from spikequant.explore.plan import PlannedAxis
from spikequant.formats import FP32, Format, IntFormat, QFormat
from spikequant.quantity import Quantity


def goes_with(fmt: Format, grid: Format) -> bool:
    """Whether a quantity can have ``fmt`` while that in whose units it counts has the format ``grid``.

    >>> goes_with(QFormat(2, 6), QFormat(1, 6)), goes_with(QFormat(2, 6), QFormat(1, 4)), goes_with(QFormat(2, 6), FP32)
    (True, False, False)
    """
    if fmt == FP32:
        return True
    if isinstance(fmt, IntFormat):
        return grid != FP32
    return isinstance(fmt, QFormat) and isinstance(grid, QFormat) and fmt.frac_bits == grid.frac_bits


def check_grid(quantity: Quantity, fmt: Format, grid: Format) -> None:
    """Refuse a format of ``quantity`` that does not go with that of the quantity in whose units it counts.

    Raises:
        UsageError: Says both, and what to do.
    """
    if not goes_with(fmt, grid):
        raise UsageError(
            f"'{quantity.name}' counts in units of '{quantity.grid}', so it cannot have the format {fmt} while"
            f" '{quantity.grid}' has {grid}; {_remedy(quantity)}"
        )


def check_grids(axes: Iterable[PlannedAxis], quantities: Sequence[Quantity]) -> None:
    """Refuse axes whose loops come to such formats.

    Raises:
        UsageError: As :func:`check_grid`.
    """
    formats = {
        name: (axis.name, [level[place] for level in axis.levels])
        for axis in axes
        for place, name in enumerate(axis.quantities)
    }
    for quantity in quantities:
        if quantity.name in formats and quantity.grid in formats:
            axis, levels = formats[quantity.name]
            of_grid, grids = formats[quantity.grid]
            together = zip(levels, grids, strict=True) if axis == of_grid else product(levels, grids)
            for fmt, grid in together:
                check_grid(quantity, fmt, grid)


def shared_axes(
    quantities: Sequence[Quantity], groups: Sequence[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return ``groups``, and a group for each quantity that needs one and is in none.

    >>> shared_axes([Quantity("w", "variable", 9, "quantizer"), Quantity("U", "variable", 3, "neuron", grid="w")], ())
    (('wU', ('w', 'U')),)
    """
    grouped = {name for _, members in groups for name in members}
    found = list(groups)
    for first in quantities:
        others = [q.name for q in quantities if q.grid == first.name and q.name not in grouped]
        if others and first.name not in grouped:
            found.append(("".join((first.name, *others)), (first.name, *others)))
    return tuple(found)


def _remedy(quantity: Quantity) -> str:
    pair = f"{quantity.grid}{quantity.name}"
    return (
        f"give both the same fraction bits (of explore and significance: --group {pair}={quantity.grid},"
        f"{quantity.name} --levels {pair}=8,6,4), or '{quantity.name}' a format INTn, its width"
    )
