"""Q-SpiNN's reward: accuracy against memory, weighed by mu."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from spikequant import Candidate, Selection, Selector
from spikequant.errors import UsageError


class Reward(Selector):
    r"""Choose the candidate of the highest reward; among equals the smaller, then the earlier.

    .. math:: R = accuracy - \mu \cdot \frac{memory}{memory_{FP32}}

    Source: Q-SpiNN, Eq. 5.

    Args:
        mu: Weight of memory against accuracy, 0 or more.

    >>> small = Candidate("W(Q1.6)", accuracy=0.86, memory_bits=25, reference_bits=100)
    >>> large = Candidate("FP32", accuracy=0.87, memory_bits=100, reference_bits=100)
    >>> print(Reward(mu=0.1).select([large, small]).why.replace("; ", "\n"))
    W(Q1.6): reward 0.8350 = accuracy 0.8600 - mu 0.1 x memory 0.2500 of FP32, the highest of 2
    runner-up FP32: 0.065 less
    """

    name: ClassVar[str] = "reward"
    summary: ClassVar[str] = "Q-SpiNN Eq. 5: accuracy - mu x memory relative to FP32"

    def __init__(self, mu: float = 0.1) -> None:
        if mu < 0:
            raise ValueError(f"selector 'reward': mu is {mu}; it must not be negative")
        if not math.isfinite(mu):
            raise ValueError(f"selector 'reward': mu is {mu}; it must be finite")
        self.mu = mu

    def reward(self, candidate: Candidate) -> float:
        """Return R."""
        return candidate.accuracy - self.mu * candidate.memory_norm

    def select(self, candidates: Sequence[Candidate]) -> Selection:
        """Return the candidate of the highest reward."""
        if not candidates:
            raise UsageError("there is no candidate to select from; explore first")
        ranked = sorted(
            range(len(candidates)), key=lambda i: (-self.reward(candidates[i]), candidates[i].memory_bits, i)
        )
        best, second = ranked[0], next(iter(ranked[1:]), None)
        chosen = candidates[best]
        why = (
            f"{chosen.label}: reward {self.reward(chosen):.4f} = accuracy {chosen.accuracy:.4f} - mu {self.mu:g}"
            f" x memory {chosen.memory_norm:.4f} of FP32, the highest of {len(candidates)}"
        )
        if second is None:
            return Selection(best, why)
        less = self.reward(chosen) - self.reward(candidates[second])
        margin = f"{less:.2g} less" if less else "as high, and no smaller"
        return Selection(best, f"{why}; runner-up {candidates[second].label}: {margin}", second)
