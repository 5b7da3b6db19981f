"""A point of the Pareto front: its knee, its most accurate or its smallest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

from spikequant import Candidate, Selection, Selector
from spikequant.errors import UsageError
from spikequant.pareto import knee_heights, pareto_front
from spikequant_selectors.words import described

Point = Literal["knee", "accurate", "small"]
WORDS = {"accurate": "most accurate", "small": "smallest"}


class Pareto(Selector):
    """Choose one point of the true Pareto front of accuracy against memory.

    The knee is the default: it is the only point of a front that needs no number from the user. It
    depends on where the front ends, so an exploration that goes on to far smaller or larger models may
    move it; where that matters, state a bound with ``max-drop`` or ``max-memory``.

    Args:
        point: ``knee``: the front's point highest above the line between its ends; a front that lies
            nowhere above that line has none, and then its most accurate point is taken. ``accurate``:
            its most accurate; ``small``: its smallest. Among equals the first given.

    >>> points = [Candidate("Q1.2", 0.50, 20, 100), Candidate("Q1.6", 0.86, 25, 100), Candidate("FP32", 0.87, 100, 100)]
    >>> Pareto().select(points).why.split(": ")[1]
    'accuracy 86.00 % in 0.2500 of FP32, the knee of the front of 3 (3 candidates)'
    """

    name: ClassVar[str] = "pareto"
    summary: ClassVar[str] = "the knee (or an end) of the front of accuracy against memory"

    def __init__(self, point: Point = "knee") -> None:
        if point not in get_args(Point):
            raise ValueError(f"selector 'pareto': point is {point!r}; it must be one of {', '.join(get_args(Point))}")
        self.point: Point = point

    def select(self, candidates: Sequence[Candidate]) -> Selection:
        """Return the chosen point of the front."""
        if not candidates:
            raise UsageError("there is no candidate to select from; explore first")
        front = pareto_front(candidates)
        ranked, reason = self._ranked(candidates, front)
        best, second = ranked[0], next(iter(ranked[1:]), None)
        size = f"the front of {len(front)} ({len(candidates)} candidates)"
        other = "it stands alone there" if second is None else f"runner-up {described(candidates[second])}"
        return Selection(best, f"{described(candidates[best])}, {reason.format(size)}; {other}", second)

    def _ranked(self, candidates: Sequence[Candidate], front: Sequence[int]) -> tuple[list[int], str]:
        """Return the front in order of preference, and why the first is preferred with a place for the front."""
        upward = sorted(front, key=lambda i: (candidates[i].accuracy, -i))
        if self.point != "knee":
            return upward[::-1] if self.point == "accurate" else list(front), f"the {WORDS[self.point]} of {{}}"
        heights = dict(zip(front, knee_heights(candidates, front), strict=True))
        ranked = sorted(front, key=lambda i: (-heights[i], -candidates[i].accuracy, i))
        if not heights[ranked[0]]:
            return upward[::-1], "the most accurate of {}, which has no knee"
        height = f"{float(heights[ranked[0]]):.2f} of its rise above the line between its ends"
        return ranked, f"the knee of {{}}: {height}"
