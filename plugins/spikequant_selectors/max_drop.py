"""The smallest candidate that loses no more accuracy than allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from spikequant import Candidate, Selection, Selector
from spikequant.errors import UnmetError, UsageError
from spikequant_selectors.words import described

MOST_SAMPLES = 10**7
"""Accuracies are taken as fractions of at most so many samples, so that a bound is met exactly or not at all."""


class MaxDrop(Selector):
    r"""Choose the smallest candidate within ``drop`` points of accuracy of its FP32 model.

    Among equally small ones the more accurate, then the earlier. As in Q-SpiNN, the bound is absolute: 1
    point below 87.0 % is 86.0 %.

    Args:
        drop: Points of accuracy that may be lost, 0 to 100; one point is 0.01 of the accuracy.
        baseline: FP32 accuracy in [0, 1]; by default what each candidate says of its own FP32 model.

    >>> points = [Candidate("Q1.4", 0.70, 20, 100, 0.87), Candidate("Q1.6", 0.86, 25, 100, 0.87)]
    >>> print(MaxDrop(drop=1.0).select(points).why.replace("; ", "\n"))
    Q1.6: accuracy 86.00 % in 0.2500 of FP32, the smallest of 1 (2 candidates) within 1 point of FP32 (87.00 %)
    no other is
    """

    name: ClassVar[str] = "max-drop"
    summary: ClassVar[str] = "the smallest memory within DROP points of accuracy of FP32"
    considers: ClassVar[Literal["candidates", "all"]] = "all"

    def __init__(self, drop: float = 1.0, baseline: float | None = None) -> None:
        if not 0 <= drop <= 100:
            raise ValueError(f"selector 'max-drop': drop is {drop:g}; it must be 0 to 100 points of accuracy")
        if baseline is not None and not 0 <= baseline <= 1:
            raise ValueError(f"selector 'max-drop': baseline is {baseline:g}; it must be 0 to 1")
        self.drop, self.baseline = drop, baseline

    def select(self, candidates: Sequence[Candidate]) -> Selection:
        """Return the smallest candidate within the bound."""
        if not candidates:
            raise UsageError("there is no candidate to select from; explore first")
        lost = [self._lost(candidate) for candidate in candidates]
        within = [i for i, points in enumerate(lost) if points <= Fraction(str(self.drop))]
        if not within:
            nearest = min(range(len(candidates)), key=lambda i: (lost[i], candidates[i].memory_bits, i))
            raise UnmetError(
                f"none of {len(candidates)} candidates is within {self._bound(candidates[nearest])}; the nearest is"
                f" {described(candidates[nearest])}, which takes a drop of {_hundredths_up(lost[nearest])} points"
            )
        ranked = sorted(within, key=lambda i: (candidates[i].memory_bits, -candidates[i].accuracy, i))
        best, second = ranked[0], next(iter(ranked[1:]), None)
        other = "no other is" if second is None else f"runner-up {described(candidates[second])}"
        return Selection(
            best,
            f"{described(candidates[best])}, the smallest of {len(within)} ({len(candidates)} candidates)"
            f" within {self._bound(candidates[best])}; {other}",
            second,
        )

    def _baseline(self, candidate: Candidate) -> float:
        baseline = candidate.reference_accuracy if self.baseline is None else self.baseline
        if baseline is None:
            raise UsageError(
                f"candidate '{candidate.label}' does not say how accurate its FP32 model is; give the option baseline"
            )
        return baseline

    def _lost(self, candidate: Candidate) -> Fraction:
        """Return the points of accuracy below FP32, exactly; negative if above."""
        return 100 * (_exact(self._baseline(candidate)) - _exact(candidate.accuracy))

    def _bound(self, candidate: Candidate) -> str:
        points = "1 point" if self.drop == 1 else f"{self.drop:g} points"
        return f"{points} of FP32 ({100 * self._baseline(candidate):.2f} %)"


def _exact(accuracy: float) -> Fraction:
    """Return the fraction of samples that a float accuracy stands for."""
    return Fraction(accuracy).limit_denominator(MOST_SAMPLES)


def _hundredths_up(points: Fraction) -> str:
    """Return the points with two decimals, rounded up, so that they suffice."""
    return f"{math.ceil(points * 100) / 100:.2f}"
