"""Memory as the two papers count it: Q-SpiNN, Eqs. 6 and 7, and MINT, Table II."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikequant.errors import UsageError
from spikequant.formats import FP32, Format, IntFormat

FLOAT_BITS = 32


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a format, such as all weights or one potential per neuron."""

    name: str
    count: int
    fmt: Format

    @property
    def bits(self) -> int:
        """Bits of the whole group."""
        return self.count * self.fmt.width


@dataclass(frozen=True)
class GroupedMemory:
    """Memory of a network by parameter group, as Q-SpiNN counts it.

    Source: Q-SpiNN, Eq. 7: ``mem = Nw * Bw + sum_k Nk * Bk``; ``normalized`` is its Eq. 6.
    """

    groups: tuple[ParameterGroup, ...]

    @property
    def bits(self) -> int:
        """``mem`` of the quantized network."""
        return sum(group.bits for group in self.groups)

    @property
    def fp32_bits(self) -> int:
        """``mem`` with 32 bits for every parameter."""
        return sum(group.count for group in self.groups) * FLOAT_BITS

    @property
    def ratio(self) -> float:
        """How many times smaller than FP32."""
        return self.fp32_bits / self.bits

    @property
    def normalized(self) -> float:
        """``mem_q / mem_fp``, Eq. 6."""
        return self.bits / self.fp32_bits

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        groups = [{"name": g.name, "count": g.count, "format": str(g.fmt), "bits": g.bits} for g in self.groups]
        return {"bits": self.bits, "fp32_bits": self.fp32_bits, "ratio": self.ratio, "groups": groups}

    def __str__(self) -> str:
        width = max(len(group.name) for group in self.groups)
        rows = [f"  {g.name:{width}}  {g.count:10,} x {g.fmt!s:7} = {g.bits:12,} bits" for g in self.groups]
        total = f"{self.bits:,} bits; FP32: {self.fp32_bits:,} bits; {self.ratio:.4f} times smaller"
        return "\n".join(["memory by parameter group (Q-SpiNN, Eq. 7)", *rows, total])


def qspinn_memory(groups: Sequence[ParameterGroup]) -> GroupedMemory:
    """Count memory by parameter group.

    Source: Q-SpiNN, Eqs. 6 and 7.

    Raises:
        UsageError: There is no group, or a group is empty.
    """
    empty = [group.name for group in groups if group.count < 1]
    if not groups or empty:
        named = f"group '{empty[0]}' counts no parameter" if empty else "no group was given"
        raise UsageError(f"{named}; every parameter group must hold at least one")
    return GroupedMemory(tuple(groups))


def usnn_memory(weight: Format, neuron: Format, inputs: int = 784, neurons: int = 400) -> GroupedMemory:
    """Count the memory of Q-SpiNN's unsupervised network: weights and four parameters per neuron.

    Args:
        weight: Format of the weights, such as ``Q1.6``.
        neuron: Format of the potential and its threshold, such as ``Q11.6`` (the paper's ``Qi.6``); the
            reset potential and theta take 8 bits beside it. ``FP32`` takes 32 bits for all four.
        inputs: Inputs of each neuron.
        neurons: Excitatory neurons.

    >>> from spikequant.formats import QFormat
    >>> print(usnn_memory(QFormat(1, 8), QFormat(11, 8)))
    memory by parameter group (Q-SpiNN, Eq. 7)
      weight        313,600 x Q1.8    =    3,136,000 bits
      potential         400 x Q11.8   =        8,000 bits
      threshold         400 x Q11.8   =        8,000 bits
      reset             400 x INT8    =        3,200 bits
      theta             400 x INT8    =        3,200 bits
    3,158,400 bits; FP32: 10,086,400 bits; 3.1935 times smaller
    """
    constant: Format = FP32 if neuron == FP32 else IntFormat(8)
    per_neuron = {"potential": neuron, "threshold": neuron, "reset": constant, "theta": constant}
    groups = [ParameterGroup(name, neurons, fmt) for name, fmt in per_neuron.items()]
    return qspinn_memory([ParameterGroup("weight", inputs * neurons, weight), *groups])


def mint_memory_mib(weights: int, potentials: int, bits: int, timesteps: int, batch: int) -> float:
    """Return ``(Nw + T * B * Nu) * bits`` in MiB: one copy of each potential per timestep and sample.

    Source: MINT, Table II.

    >>> [round(mint_memory_mib(1_736_906, 245_760, bits, 8, 50), 2) for bits in (8, 4, 2)]
    [95.41, 47.7, 23.85]
    """
    return (weights + timesteps * batch * potentials) * bits / 8 / 2**20
