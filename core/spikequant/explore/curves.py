"""Accuracy against bits: each axis through its levels alone, then all axes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from spikequant.explore.search import Visit


def curve_points(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield level indices: the first levels, each axis alone, then all axes at the same index.

    Axes of one level stand still, and all go together as far as the shortest of the others.

    Source: Q-SpiNN, Figs. 10 and 11: (a) weights, (b) neuron parameters, (c) both.

    >>> list(curve_points((3, 2, 1)))
    [(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0), (1, 1, 0)]
    """
    first = (0,) * len(lengths)
    yield first
    for axis, length in enumerate(lengths):
        for level in range(1, length):
            yield (*first[:axis], level, *first[axis + 1 :])
    moving = [length for length in lengths if length > 1]
    for level in range(1, min(moving) if len(moving) > 1 else 1):
        yield tuple(level if length > 1 else 0 for length in lengths)


@dataclass
class Curves:
    """A walk over :func:`curve_points`, the rounding innermost; no failure prunes anything.

    Attributes:
        lengths: Number of levels of each axis.
        roundings: Number of roundings.
    """

    lengths: tuple[int, ...]
    roundings: int
    _visits: tuple[Visit, ...] = field(init=False)
    _index: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        points = curve_points(self.lengths)
        self._visits = tuple(Visit(point, rounding) for point in points for rounding in range(self.roundings))

    @property
    def done(self) -> bool:
        """Whether all was visited."""
        return self._index >= len(self._visits)

    @property
    def visit(self) -> Visit:
        """Where the walk stands."""
        return self._visits[self._index]

    @property
    def left(self) -> int:
        """Visits from here to the end, this one included."""
        return len(self._visits) - self._index

    def fork(self) -> Curves:
        """Return an independent walk that stands at the same place."""
        other = replace(self)
        other._index = self._index
        return other

    def advance(self, passed: bool) -> None:
        """Go on to the next visit, whatever the outcome."""
        self._index += 1
