"""The order in which combinations of levels are visited, and what a failure prunes.

Two searches are nested loops over the levels of each axis with the rounding innermost; they differ in what
a failure stops. The third, ``curves``, is in :mod:`spikequant.explore.curves`. Nothing is evaluated here: a
walk is told outcomes, so it can be replayed and run ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Search = Literal["paper", "repaired", "curves"]


class Visit(NamedTuple):
    """One combination: an index into the levels of each axis, and one into the roundings; all from 0."""

    point: tuple[int, ...]
    rounding: int


Outcome = Callable[[Visit], bool | None]
"""Whether a visit meets the target; ``None`` while that is not known."""


@dataclass
class Walk:
    """Nested loops whose bounds shrink as failures are told.

    ``paper``: Q-SpiNN, Algorithm 1, lines 5-33, as printed, with bounds that are read anew at each turn of a
    loop: one failing rounding at a point where all axes but one stand at their first level takes this level
    and all below from that axis. The tests are an if-else chain, so at (1, 1, 1) only the first axis is
    pruned, and loops inside the failing value go on.

    ``repaired``: an axis is pruned only where all *other* axes stand at their first level, only when every
    rounding fails there, and the loop of the failing value stops at once.

    Attributes:
        lengths: Number of levels of each axis, at least one each.
        roundings: Number of roundings, at least one.
        search: ``paper`` or ``repaired``.
        bounds: The loops' present upper bounds.
        done: Whether all loops have ended.
    """

    lengths: tuple[int, ...]
    roundings: int
    search: Search = "repaired"
    bounds: list[int] = field(init=False)
    done: bool = field(init=False, default=False)
    _point: list[int] = field(init=False)
    _rounding: int = field(init=False, default=0)
    _failures: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.bounds = list(self.lengths)
        self._point = [0] * len(self.lengths)

    @property
    def visit(self) -> Visit:
        """Where the walk stands."""
        return Visit(tuple(self._point), self._rounding)

    @property
    def left(self) -> int:
        """Visits from here to the end if nothing else fails, this one included."""
        if self.done:
            return 0
        points, inside = 0, 1
        for index, bound in zip(reversed(self._point), reversed(self.bounds), strict=True):
            points += max(0, bound - index - 1) * inside
            inside *= bound
        return points * self.roundings + self.roundings - self._rounding

    def fork(self) -> Walk:
        """Return an independent walk that stands at the same place."""
        other = copy(self)
        other.bounds, other._point = list(self.bounds), list(self._point)
        return other

    def advance(self, passed: bool) -> None:
        """Tell the outcome of :attr:`visit` and go on to the next one."""
        self._failures += not passed
        if self.search == "paper" and not passed:
            self._prune(axes_of(self._point)[:1])
        self._rounding += 1
        if self._rounding < self.roundings:
            return
        if self.search == "repaired" and self._failures == self.roundings:
            self._prune(axes_of(self._point))
        self._rounding = self._failures = 0
        self._next_point()

    def _prune(self, axes: Sequence[int]) -> None:
        for axis in axes:
            self.bounds[axis] = min(self.bounds[axis], self._point[axis])

    def _next_point(self) -> None:
        """Turn the innermost loop that is not at its end; inner loops start again.

        They are never empty then: only at the very first point can an axis lose its first level, and that is
        either the outermost (``paper``) or the end of all (``repaired``).
        """
        inner = len(self._point)
        if self.search == "repaired":  # a loop whose value was pruned stops, and with it all loops inside
            inner = next((k for k, i in enumerate(self._point) if i >= self.bounds[k]), inner)
        for axis in reversed(range(inner)):
            self._point[axis] += 1
            if self._point[axis] < self.bounds[axis]:
                self._point[axis + 1 :] = [0] * (len(self._point) - axis - 1)
                return
        self.done = True


def walk(lengths: Sequence[int], roundings: int, outcome: Outcome, search: Search = "repaired") -> Iterator[Visit]:
    """Yield the visits in order; what ``outcome`` does not know is taken to pass.

    >>> fails = {(1, 0), (0, 1)}
    >>> [visit.point for visit in walk((2, 2), 1, lambda visit: visit.point not in fails)]
    [(0, 0), (0, 1), (1, 0)]
    >>> [visit.point for visit in walk((2, 2), 1, lambda visit: False, "paper")]
    [(0, 0), (0, 1)]
    """
    going = Walk(tuple(lengths), roundings, search)
    while not going.done:
        visit = going.visit
        yield visit
        going.advance(outcome(visit) is not False)


def deciding_visits(
    lengths: Sequence[int], roundings: int, outcome: Outcome, search: Search = "repaired"
) -> Iterator[Visit]:
    """Yield the visits whose failure can prune: all axes but one at their first level; high precision first.

    Evaluating these first leaves nothing to guess: every other visit is then known to be needed, or not.
    Nothing decides anything under ``curves``.
    """
    if search == "curves":
        return
    open_axes = list(range(len(lengths)))
    for level in range(max(lengths)):
        for axis in list(open_axes):
            if level >= lengths[axis]:
                open_axes.remove(axis)
                continue
            point = tuple(level if k == axis else 0 for k in range(len(lengths)))
            visits = [Visit(point, rounding) for rounding in range(roundings)]
            if level or axis == 0:
                yield from visits
            fails = [outcome(visit) is False for visit in visits]
            blames = axes_of(point)[:1] if search == "paper" else axes_of(point)
            if axis in blames and (any(fails) if search == "paper" else all(fails)):
                open_axes.remove(axis)


def axes_of(point: Sequence[int]) -> list[int]:
    """Return the axes beside which all others stand at their first level; all of them at the first point.

    >>> axes_of((0, 3, 0)), axes_of((0, 0)), axes_of((1, 1))
    ([1], [0, 1], [])
    """
    moved = [axis for axis, index in enumerate(point) if index]
    return moved if len(moved) == 1 else [] if moved else list(range(len(point)))
