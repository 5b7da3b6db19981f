"""The Pareto front of accuracy against memory, and its knee; exact, whatever the floats."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from spikequant.selector import Candidate


def pareto_front(candidates: Sequence[Candidate]) -> list[int]:
    """Return the indices of the candidates that no other dominates, smallest memory first.

    A candidate dominates another if it is at least as accurate and at most as large, and better in one of
    the two. Candidates that are equal in both are on the front together, in their order.

    >>> small = Candidate("small", 0.80, 25, 100)
    >>> waste = Candidate("waste", 0.79, 50, 100)
    >>> large = Candidate("large", 0.87, 100, 100)
    >>> pareto_front([large, waste, small])
    [2, 0]
    """
    ranked = sorted(range(len(candidates)), key=lambda i: (candidates[i].memory_bits, -candidates[i].accuracy, i))
    front: list[int] = []
    for index in ranked:
        here = candidates[index]
        if not front or here.accuracy > candidates[front[-1]].accuracy or _equal(here, candidates[front[-1]]):
            front.append(index)
    return front


def knee_heights(candidates: Sequence[Candidate], front: Sequence[int]) -> list[Fraction]:
    """Return how far each point of a front lies above the line between the front's ends; 0 at the ends.

    Both axes are scaled so that the front spans 0 to 1 on each. The knee is the highest point: before it, a
    little memory buys much accuracy, and after it, much memory buys little. Below the line is negative.

    Args:
        candidates: All candidates.
        front: What :func:`pareto_front` returned for them.

    >>> points = [Candidate("a", 0.5, 0, 100), Candidate("b", 0.75, 25, 100), Candidate("c", 1.0, 100, 100)]
    >>> [str(height) for height in knee_heights(points, pareto_front(points))]
    ['0', '1/4', '0']
    """
    points = [(Fraction(candidates[i].accuracy), candidates[i].memory_bits) for i in front]
    if not front or points[0] == points[-1]:
        return [Fraction(0)] * len(front)
    (lowest, smallest), (highest, largest) = points[0], points[-1]
    rise, width = highest - lowest, largest - smallest
    return [(accuracy - lowest) / rise - Fraction(memory - smallest, width) for accuracy, memory in points]


def _equal(one: Candidate, other: Candidate) -> bool:
    return one.accuracy == other.accuracy and one.memory_bits == other.memory_bits
