"""Memory footprints: of a program, and as the two papers count them.

Normative text: docs/memory-and-energy.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from spikequant.errors import UsageError
from spikequant.formats import FP32, Format, IntFormat, QFormat
from spikequant.program import Add, Node, PoolSum, Program, Readout, SpikingNode, Weighted

Accounting = Literal["once", "per_timestep"]
FLOAT_BITS = 32
_IN_WORDS = {
    "once": "each potential counted once per sample in flight",
    "per_timestep": "each potential counted once per timestep and sample, as the papers do",
}


@dataclass(frozen=True)
class NodeMemory:
    """What one node keeps; ``*_bits`` are bits, ``weights``, ``potentials`` and ``constants`` are counts of numbers.

    ``state_bits`` and ``potentials`` are for the whole batch, and for all timesteps where those are counted.
    """

    name: str
    kind: str
    weights: int = 0
    weights_bits: int = 0
    potentials: int = 0
    state_bits: int = 0
    constants: int = 0
    constants_bits: int = 0
    accumulators_bits: int = 0

    @property
    def fp32_bits(self) -> int:
        """The same with 32 bits for each weight, potential and constant."""
        return FLOAT_BITS * (self.weights + self.potentials + self.constants)


@dataclass(frozen=True)
class ProgramMemory:
    """Memory of a program, node by node; the totals are sums over the nodes, in bits."""

    nodes: tuple[NodeMemory, ...]
    batch: int
    timesteps: int
    accounting: Accounting

    @property
    def weights_bits(self) -> int:
        """Codes of all weights."""
        return sum(node.weights_bits for node in self.nodes)

    @property
    def state_bits(self) -> int:
        """All stored potentials and readouts."""
        return sum(node.state_bits for node in self.nodes)

    @property
    def constants_bits(self) -> int:
        """All thresholds and biases."""
        return sum(node.constants_bits for node in self.nodes)

    @property
    def accumulators_bits(self) -> int:
        """One accumulator per output of each summing node; hardware with fewer lanes holds fewer at a time."""
        return sum(node.accumulators_bits for node in self.nodes)

    @property
    def total_bits(self) -> int:
        """Weights, state and constants; accumulators stand apart."""
        return self.weights_bits + self.state_bits + self.constants_bits

    @property
    def fp32_bits(self) -> int:
        """Weights, state and constants at 32 bits each."""
        return sum(node.fp32_bits for node in self.nodes)

    @property
    def ratio(self) -> float:
        """How many times smaller the program is than at 32 bits."""
        return self.fp32_bits / self.total_bits

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        totals = ("weights_bits", "state_bits", "constants_bits", "accumulators_bits", "total_bits", "fp32_bits", "ratio")
        return {
            "accounting": self.accounting,
            "assumption": self.assumption,
            "batch": self.batch,
            "timesteps": self.timesteps,
            **{key: getattr(self, key) for key in totals},
            "nodes": [vars(node) for node in self.nodes],
        }

    @property
    def assumption(self) -> str:
        """What was counted, in words."""
        samples = "1 sample" if self.batch == 1 else f"{self.batch} samples"
        steps = "1 timestep" if self.timesteps == 1 else f"{self.timesteps} timesteps"
        return f"{samples} in flight, {steps}, {_IN_WORDS[self.accounting]}"

    def __str__(self) -> str:
        width = max(5, *(len(node.name) for node in self.nodes))
        header = f"  {'node':{width}}  {'weights':>12}  {'state':>12}  {'constants':>12}  {'accumulators':>12}"
        rows = [
            f"  {n.name:{width}}  {n.weights_bits:12,}  {n.state_bits:12,}  {n.constants_bits:12,}  {n.accumulators_bits:12,}"
            for n in self.nodes
        ]
        total = (
            f"  {'total':{width}}  {self.weights_bits:12,}  {self.state_bits:12,}  {self.constants_bits:12,}"
            f"  {self.accumulators_bits:12,}"
        )
        return "\n".join(
            [
                f"memory in bits ({self.assumption})",
                header,
                *rows,
                total,
                f"weights, state and constants: {self.total_bits:,} bits; at 32 bits each: {self.fp32_bits:,};"
                f" {self.ratio:.4f} times smaller",
            ]
        )


def program_memory(program: Program, batch: int = 1, accounting: Accounting = "once") -> ProgramMemory:
    """Count what a program keeps: weights, state, constants and accumulators apart.

    A weight takes its node's ``bits``; a stored potential ``u_bits``; a readout, a constant (threshold,
    bias) and an accumulator the two's complement width that its real values need. Rule fields (leak,
    reset) are wired and take nothing.

    Args:
        program: What to count.
        batch: Samples in flight at a time.
        accounting: ``once``: a potential is kept once per sample, all that inference needs;
            ``per_timestep``: once per sample and timestep, the papers' habit.

    Raises:
        UsageError: ``batch`` is below 1 or ``accounting`` is no such word.
    """
    if batch < 1:
        raise UsageError(f"batch is {batch}; it must be at least 1")
    if accounting not in get_args(Accounting):
        raise UsageError(f"accounting is {accounting!r}; it must be one of {', '.join(get_args(Accounting))}")
    copies = batch * (program.timesteps if accounting == "per_timestep" else 1)
    counted = (_node_memory(program, node, batch, copies) for node in program.order)
    kept = tuple(memory for memory in counted if memory.fp32_bits or memory.accumulators_bits)
    if not any(memory.fp32_bits for memory in kept):
        raise UsageError("the program has neither weights nor state, so it takes no memory; give a trained program")
    return ProgramMemory(kept, batch, program.timesteps, accounting)


def _node_memory(program: Program, node: Node, batch: int, copies: int) -> NodeMemory:
    outputs = math.prod(program.shapes[node.name])
    weights = int(node.codes.size) if isinstance(node, Weighted) else 0
    potentials = outputs * copies if isinstance(node, (SpikingNode, Readout)) else 0
    potential_bits = node.u_bits if isinstance(node, SpikingNode) else program.acc_bits(node.name)
    constants = _constants(node)
    sums = isinstance(node, (Weighted, Add, PoolSum))
    return NodeMemory(
        node.name,
        node.kind,
        weights,
        weights * node.bits if isinstance(node, Weighted) else 0,
        potentials,
        potentials * potential_bits,
        sum(array.size for array in constants),
        sum(array.size * signed_bits(int(array.min()), int(array.max())) for array in constants),
        outputs * batch * program.acc_bits(node.name) if sums else 0,
    )


def _constants(node: Node) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Every integer array of a node that is not its weights: thresholds, biases, and what plugins add."""
    values = [getattr(node, field.name) for field in fields(node) if field.name != "codes"]
    return [v for v in values if isinstance(v, np.ndarray) and v.dtype.kind in "iu" and v.size]


def signed_bits(low: int, high: int) -> int:
    """Two's complement width that holds ``low`` to ``high``.

    >>> signed_bits(-8, 7), signed_bits(0, 8), signed_bits(-9, 0)
    (4, 5, 5)
    """
    return max(~low if low < 0 else low, ~high if high < 0 else high).bit_length() + 1


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
