"""Where the random choices of a program come from: a seed, or hypothesis (which can shrink them)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")


class Choices(Protocol):
    """A source of choices; ``rng`` fills arrays, which need no shrinking."""

    @property
    def rng(self) -> np.random.Generator:
        """Generator for weights and constants."""

    def number(self, low: int, high: int) -> int:
        """Return an integer between ``low`` and ``high``, both included."""

    def pick(self, options: Sequence[T]) -> T:
        """Return one of ``options``; put the simplest first."""


class SeededChoices:
    """Choices made by a seeded generator: the same seed gives the same program on every machine."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        """See :meth:`Choices.number`."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, options: Sequence[T]) -> T:
        """See :meth:`Choices.pick`."""
        return options[self.number(0, len(options) - 1)]


def chance(choices: Choices, percent: int) -> bool:
    """Return true in about ``percent`` of 100 cases; shrinks to false."""
    return choices.number(0, 99) >= 100 - percent
