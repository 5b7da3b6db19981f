"""Memory footprint of a program; as the two papers count it: :mod:`spikequant.memory_papers`, offered here too.

Normative text: docs/memory-and-energy.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from spikequant.errors import UsageError
from spikequant.memory_papers import (
    FLOAT_BITS,
    GroupedMemory,
    ParameterGroup,
    mint_memory_mib,
    qspinn_memory,
    usnn_memory,
)
from spikequant.program import Add, Lateral, Node, PoolSum, Program, Readout, SpikingNode, Weighted

__all__ = [
    "Accounting",
    "GroupedMemory",
    "NodeMemory",
    "ParameterGroup",
    "ProgramMemory",
    "mint_memory_mib",
    "program_memory",
    "qspinn_memory",
    "signed_bits",
    "usnn_memory",
]

Accounting = Literal["once", "per_timestep"]
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
        parts = ("weights_bits", "state_bits", "constants_bits", "accumulators_bits")
        totals = (*parts, "total_bits", "fp32_bits", "ratio")
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
        columns = ("weights", "state", "constants", "accumulators")
        rows = [(node.name, *(getattr(node, f"{c}_bits") for c in columns)) for node in self.nodes]
        rows.append(("total", *(getattr(self, f"{c}_bits") for c in columns)))
        header = f"  {'node':{width}}" + "".join(f"  {column:>12}" for column in columns)
        lines = [f"  {name:{width}}" + "".join(f"  {bits:12,}" for bits in row) for name, *row in rows]
        return "\n".join(
            [
                f"memory in bits ({self.assumption})",
                header,
                *lines,
                f"weights, state and constants: {self.total_bits:,} bits; at 32 bits each: {self.fp32_bits:,};"
                f" {self.ratio:.4f} times smaller",
            ]
        )


def program_memory(program: Program, batch: int = 1, accounting: Accounting = "once") -> ProgramMemory:
    """Count what a program keeps: weights, state, constants and accumulators apart.

    A weight takes its node's ``bits``; a stored potential ``u_bits``, and further state variables their
    ``state_bits``; a readout, a constant (threshold, bias, a lateral's code) and an accumulator the two's
    complement width that its real values need. Rule fields (leak, reset) are wired and take nothing.

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
    state = _state_bits(program, node)
    constants = _constants(node)
    sums = isinstance(node, (Weighted, Lateral, Add, PoolSum))
    return NodeMemory(
        node.name,
        node.kind,
        weights,
        weights * node.bits if isinstance(node, Weighted) else 0,
        outputs * copies * len(state),
        outputs * copies * sum(state),
        sum(array.size for array in constants),
        sum(array.size * signed_bits(int(array.min()), int(array.max())) for array in constants),
        outputs * batch * program.acc_bits(node.name) if sums else 0,
    )


def _state_bits(program: Program, node: Node) -> tuple[int, ...]:
    """Width of each number that the node keeps for one output between timesteps."""
    if isinstance(node, SpikingNode):
        return node.state_bits
    return (program.acc_bits(node.name),) if isinstance(node, Readout) else ()


def _constants(node: Node) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Every integer array of a node that is no weight: thresholds, biases, what plugins add; a ``lateral``'s code."""
    if isinstance(node, Lateral):
        return [np.array(node.code)]
    values = [getattr(node, field.name) for field in fields(node) if field.name != "codes"]
    return [v for v in values if isinstance(v, np.ndarray) and v.dtype.kind in "iu" and v.size]


def signed_bits(low: int, high: int) -> int:
    """Two's complement width that holds ``low`` to ``high``.

    >>> signed_bits(-8, 7), signed_bits(0, 8), signed_bits(-9, 0)
    (4, 5, 5)
    """
    return max(~low if low < 0 else low, ~high if high < 0 else high).bit_length() + 1
