"""The most accurate candidate that takes no more memory than allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from spikequant import Candidate, Selection, Selector
from spikequant.errors import UnmetError, UsageError
from spikequant_selectors.words import described


class MaxMemory(Selector):
    r"""Choose the most accurate candidate within a bound on memory.

    Among equally accurate ones the smaller, then the earlier. Where both bounds are given, both hold.

    Args:
        ratio: Memory relative to FP32, more than 0 and at most 1; 0.25 if neither bound is given.
        bits: Memory in bits, 1 or more.

    >>> points = [Candidate("FP32", 0.87, 100, 100), Candidate("Q1.6", 0.86, 25, 100), Candidate("Q1.4", 0.70, 20, 100)]
    >>> print(MaxMemory(ratio=0.5).select(points).why.replace("; ", "\n"))
    Q1.6: accuracy 86.00 % in 0.2500 of FP32, the most accurate of 2 (3 candidates) within 0.5 of FP32
    runner-up Q1.4: accuracy 70.00 % in 0.2000 of FP32
    """

    name: ClassVar[str] = "max-memory"
    summary: ClassVar[str] = "the highest accuracy within RATIO of FP32's memory, or within BITS"
    considers: ClassVar[Literal["candidates", "all"]] = "all"

    def __init__(self, ratio: float | None = None, bits: int | None = None) -> None:
        if ratio is None and bits is None:
            ratio = 0.25
        if ratio is not None and not 0 < ratio <= 1:
            raise ValueError(f"selector 'max-memory': ratio is {ratio:g}; it must be more than 0 and at most 1")
        if bits is not None and bits < 1:
            raise ValueError(f"selector 'max-memory': bits is {bits}; it must be 1 or more")
        self.ratio, self.bits = ratio, bits

    def select(self, candidates: Sequence[Candidate]) -> Selection:
        """Return the most accurate candidate within the bound."""
        if not candidates:
            raise UsageError("there is no candidate to select from; explore first")
        within = [i for i, candidate in enumerate(candidates) if self._excess(candidate) <= 1]
        if not within:
            nearest = min(
                range(len(candidates)), key=lambda i: (self._excess(candidates[i]), -candidates[i].accuracy, i)
            )
            smallest = candidates[nearest]
            raise UnmetError(
                f"none of {len(candidates)} candidates is {self._bound}; the nearest is {described(smallest)},"
                f" which takes {smallest.memory_bits:,} bits ({_up(smallest)} of FP32)"
            )
        ranked = sorted(within, key=lambda i: (-candidates[i].accuracy, candidates[i].memory_bits, i))
        best, second = ranked[0], next(iter(ranked[1:]), None)
        other = "no other is" if second is None else f"runner-up {described(candidates[second])}"
        return Selection(
            best,
            f"{described(candidates[best])}, the most accurate of {len(within)} ({len(candidates)} candidates)"
            f" {self._bound}; {other}",
            second,
        )

    def _excess(self, candidate: Candidate) -> Fraction:
        """Return memory relative to the tighter bound, exactly; more than 1 is too much."""
        bounds = [] if self.bits is None else [Fraction(self.bits)]
        if self.ratio is not None:
            bounds.append(Fraction(str(self.ratio)) * candidate.reference_bits)
        return candidate.memory_bits / min(bounds)

    @property
    def _bound(self) -> str:
        ratio = [] if self.ratio is None else [f"{self.ratio:g} of FP32"]
        bits = [] if self.bits is None else [f"{self.bits:,} bits"]
        return "within " + " and ".join(ratio + bits)


def _up(candidate: Candidate) -> str:
    """Return memory relative to FP32 with four decimals, rounded up, so that it suffices as a bound."""
    return f"{math.ceil(Fraction(candidate.memory_bits * 10_000, candidate.reference_bits)) / 10_000:.4f}"
