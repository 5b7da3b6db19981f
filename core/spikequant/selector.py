"""The contract of a selector: choose one of many quantized candidates, and say why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Candidate:
    """One quantized model that was evaluated.

    Attributes:
        label: How users call it, such as ``W(Q1.6)-N(FP32)``.
        accuracy: In [0, 1].
        memory_bits: Memory of the quantized model.
        reference_bits: Memory of the same model in FP32.
        reference_accuracy: Accuracy of the same model in FP32, in [0, 1]; ``None`` if it was not measured.
    """

    label: str
    accuracy: float
    memory_bits: int
    reference_bits: int
    reference_accuracy: float | None = None

    @property
    def memory_norm(self) -> float:
        """Memory relative to FP32."""
        return self.memory_bits / self.reference_bits


@dataclass(frozen=True)
class Selection:
    """A choice among candidates.

    Attributes:
        index: Of the chosen candidate.
        why: The reason in words, naming the candidate.
        runner_up: Index of the one that would have been chosen without it, if there is one.
    """

    index: int
    why: str
    runner_up: int | None = None


class Selector(ABC):
    """Chooses one candidate; options are keyword arguments of the constructor, with defaults.

    Attributes:
        considers: What it is given: ``candidates``, those within the accuracy target of the exploration; ``all``
            that was evaluated, for selectors that state a demand of their own.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    considers: ClassVar[Literal["candidates", "all"]] = "candidates"

    @abstractmethod
    def select(self, candidates: Sequence[Candidate]) -> Selection:
        """Return the chosen candidate.

        Raises:
            UsageError: There is no candidate.
            UnmetError: There are candidates, but none meets the selector's demands; names the nearest.
        """
