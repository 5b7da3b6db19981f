"""The contract of a selector: choose one of many quantized candidates, and say why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Candidate:
    """One quantized model that was evaluated.

    Attributes:
        label: How users call it, such as ``W(Q1.6)-N(FP32)``.
        accuracy: In [0, 1].
        memory_bits: Memory of the quantized model.
        reference_bits: Memory of the same model in FP32.
    """

    label: str
    accuracy: float
    memory_bits: int
    reference_bits: int

    @property
    def memory_norm(self) -> float:
        """Memory relative to FP32."""
        return self.memory_bits / self.reference_bits


@dataclass(frozen=True)
class Selection:
    """The index of the chosen candidate, and the reason in words."""

    index: int
    why: str


class Selector(ABC):
    """Chooses one candidate; options are keyword arguments of the constructor, with defaults."""

    name: ClassVar[str]
    summary: ClassVar[str] = ""

    @abstractmethod
    def select(self, candidates: Sequence[Candidate]) -> Selection:
        """Return the chosen candidate.

        Raises:
            UsageError: There is no candidate, or none meets the selector's demands.
        """
