"""What evaluating a setting gives, and who can evaluate one."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from spikequant.errors import UsageError
from spikequant.explore.setting import Setting
from spikequant.format_choice import format_of_constant
from spikequant.formats import FP32, Format
from spikequant.memory_papers import GroupedMemory, ParameterGroup, qspinn_memory
from spikequant.quantity import Quantity


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one setting.

    Attributes:
        setting: What was evaluated.
        right: Test samples classified correctly.
        samples: Test samples in all.
        memory_bits: Memory of the quantized model, Q-SpiNN Eq. 7.
        reference_bits: The same in FP32.
        seconds: Wall-clock time; a share of it where several were evaluated together.
        notes: What else was seen, such as vanished updates.
    """

    setting: Setting
    right: int
    samples: int
    memory_bits: int
    reference_bits: int
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """Fraction of samples classified correctly."""
        return self.right / self.samples

    @property
    def saving(self) -> float:
        """How many times smaller than FP32."""
        return self.reference_bits / self.memory_bits


class Evaluator(Protocol):
    """Evaluates settings; a plain value that can be sent to another process.

    Attributes:
        weights: Names of the quantities that are weights.
        group_size: How many settings of equal :meth:`group` are worth evaluating together.
    """

    @property
    def weights(self) -> Collection[str]: ...  # noqa: D102
    @property
    def group_size(self) -> int: ...  # noqa: D102

    def group(self, setting: Setting) -> Hashable:
        """Return what settings that share work have in common."""

    def __call__(self, settings: Sequence[Setting]) -> list[Evaluation]:
        """Return one evaluation per setting, in order; the same whatever else is evaluated beside it."""


def memory_of(setting: Setting, quantities: Sequence[Quantity]) -> GroupedMemory:
    """Count the memory of a setting.

    A constant takes the width that its value needs. As in the paper, it stays at 32 bits while all variables
    of the neurons do: W(Q1.6)-N(FP32) counts 32 bits for the reset potential and theta too. A variable that
    the setting does not name counts 32 bits.

    Source: Q-SpiNN, Eqs. 6 and 7, and Section V-B.

    Raises:
        UsageError: The setting names a quantity that the model does not have.
    """
    formats = dict(setting.formats)
    unknown = [name for name in formats if name not in {quantity.name for quantity in quantities}]
    if unknown:
        raise UsageError(f"the model has no quantity '{unknown[0]}'; it has: {', '.join(q.name for q in quantities)}")
    neurons = [q for q in quantities if q.role == "variable" and q.part == "neuron"]
    quantized = any(formats.get(q.name, FP32) != FP32 for q in neurons) if neurons else not setting.is_float

    def width_of(quantity: Quantity) -> Format:
        if quantity.role == "variable":
            return formats.get(quantity.name, FP32)
        return format_of_constant(quantity.value) if quantized and quantity.value is not None else FP32

    return qspinn_memory([ParameterGroup(q.name, q.count, width_of(q)) for q in quantities])
