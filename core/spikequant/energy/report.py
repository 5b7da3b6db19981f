"""Energy from counts: one place where operations and traffic meet a table of per-operation energies.

A report cannot be made without the name of its table and its assumptions in words. Baselines to compare with
are in :mod:`spikequant.energy.baselines`; tables in :mod:`spikequant.energy.table`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from spikequant.counts import Counts, NodeCounts
from spikequant.energy.table import EnergyTable, load_table
from spikequant.errors import UsageError

__all__ = ["Accounting", "EnergyLine", "EnergyReport", "EnergyTable", "energy_of", "load_table"]

Accounting = Literal["synaptic", "compute", "with_memory"]
IDEAL_GATING = "each counted operation switches its unit once, and idle units take nothing (ideal clock gating)"
_IN_WORDS = {
    "synaptic": "synaptic operations only: accumulates and bias adds; neuron updates and memory are not billed",
    "compute": "all computation: synaptic operations and neuron updates; memory traffic is not billed",
    "with_memory": "all computation and the memory traffic that was counted",
}


@dataclass(frozen=True)
class EnergyLine:
    """Energy of one kind of operation or traffic in one node.

    Attributes:
        node: Name of the node.
        what: The operation, or memory level and what moved, such as ``sram weights``.
        part: ``compute`` or ``memory``.
        bits: Operand width that was counted; for memory 1, as ``count`` is in bits.
        billed_bits: Width of the table's entry.
        count: Operations or bits, over the whole run.
        energy_pj: Energy per sample.
    """

    node: str
    what: str
    part: Literal["compute", "memory"]
    bits: int
    billed_bits: int
    count: int
    energy_pj: float


@dataclass(frozen=True)
class EnergyReport:
    """Energy per sample in pJ, with everything that must be said about it.

    Attributes:
        subject: What was billed.
        table: Name of the energy table.
        technology: The table's technology.
        source: Where the table's figures come from.
        accounting: Which counts were billed.
        assumption: What was assumed, in words.
        samples: Samples that were counted.
        lines: The parts of the figure.
        notes: What else must be said: widths, entries that are assumed, what was not counted.
    """

    subject: str
    table: str
    technology: str
    source: str
    accounting: Accounting
    assumption: str
    samples: int
    lines: tuple[EnergyLine, ...]
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in ("subject", "table", "technology", "source", "assumption"):
            if not getattr(self, field).strip():
                raise UsageError(f"an energy report's {field} is empty; a figure is printed only with its {field}")

    @property
    def compute_pj(self) -> float:
        """Energy of all operations that were billed."""
        return math.fsum(line.energy_pj for line in self.lines if line.part == "compute")

    @property
    def memory_pj(self) -> float | None:
        """Energy of the memory traffic; none where the accounting leaves it out."""
        if self.accounting != "with_memory":
            return None
        return math.fsum(line.energy_pj for line in self.lines if line.part == "memory")

    @property
    def total_pj(self) -> float:
        """All that was billed."""
        return math.fsum(line.energy_pj for line in self.lines)

    @property
    def accounting_in_words(self) -> str:
        """Which counts were billed and which not."""
        return _IN_WORDS[self.accounting]

    @property
    def by_node(self) -> dict[str, float]:
        """Energy of each node."""
        return _summed((line.node, line.energy_pj) for line in self.lines)

    @property
    def by_operation(self) -> dict[str, float]:
        """Energy of each operation and each kind of traffic."""
        return _summed((line.what, line.energy_pj) for line in self.lines)

    def saving_over(self, other: EnergyReport) -> float:
        """Return the part of ``other``'s energy that this report does without: 0.9 is 90 % less.

        Raises:
            UsageError: The two were not billed with the same table and accounting, or ``other`` takes no energy.
        """
        if (self.table, self.accounting) != (other.table, other.accounting):
            raise UsageError(
                f"'{self.subject}' was billed with {self.table} ({self.accounting}) and '{other.subject}' with"
                f" {other.table} ({other.accounting}); compare reports of one table and one accounting"
            )
        if not other.total_pj:
            raise UsageError(f"'{other.subject}' takes no energy, so nothing can be saved; count a run that does work")
        return 1.0 - self.total_pj / other.total_pj

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data: every field, the sums in pJ per sample, and the words that go with them."""
        data = asdict(self)
        sums = ("compute_pj", "memory_pj", "total_pj", "by_node", "by_operation")
        return {
            **data,
            "accounting_in_words": self.accounting_in_words,
            "lines": list(data["lines"]),
            "notes": list(self.notes),
            **{key: getattr(self, key) for key in sums},
        }

    def __str__(self) -> str:
        memory = "not billed" if self.memory_pj is None else f"{self.memory_pj:,.1f} pJ"
        width = max(len(name) for name in (*self.by_node, *self.by_operation, "node"))
        return "\n".join(
            [
                f"{self.subject}: {self.total_pj:,.1f} pJ per sample"
                f" (computation {self.compute_pj:,.1f} pJ, memory {memory})",
                f"  table: {self.table} ({self.technology}; {self.source})",
                f"  billed: {self.accounting_in_words}",
                f"  assumed: {self.assumption}",
                *(f"  note: {note}" for note in self.notes),
                *(f"  {name:{width}}  {pj:14,.1f} pJ" for name, pj in self.by_node.items()),
                "  by operation:",
                *(f"  {name:{width}}  {pj:14,.1f} pJ" for name, pj in self.by_operation.items()),
            ]
        )


def energy_of(
    counts: Counts,
    table: EnergyTable,
    *,
    accounting: Accounting = "compute",
    subject: str = "",
    assumption: str = "",
) -> EnergyReport:
    """Bill counts with a table.

    Args:
        counts: What a run did.
        table: Energies; see :func:`load_table`.
        accounting: ``synaptic``: operations of dense and conv2d only; ``compute``: all operations;
            ``with_memory``: memory traffic too.
        subject: What is billed; default: the program as its backend counted it.
        assumption: What was assumed; default: that every counted operation switches the hardware once.

    Returns:
        Energy per sample, by node and by operation. A width between two entries of the table takes the next
        larger one, and the report says so.

    Raises:
        UsageError: The table lacks an operation or memory level, the counts hold no sample, or ``accounting``
            is no such word.
    """
    if accounting not in get_args(Accounting):
        raise UsageError(f"accounting is {accounting!r}; it must be one of {', '.join(get_args(Accounting))}")
    if counts.samples < 1:
        raise UsageError(f"the counts of '{counts.backend}' hold no sample, so there is no energy per sample")
    notes = dict.fromkeys(counts.notes)
    assumed = assumption or IDEAL_GATING
    lines: list[EnergyLine] = []
    for name, node in counts.nodes.items():
        if accounting == "synaptic" and not is_synaptic(node):
            continue
        for line, words in _lines(name, node, table, counts.samples, accounting == "with_memory"):
            lines.append(line)
            notes.update(dict.fromkeys(words))
    notes.update(dict.fromkeys(_widened(lines)))
    return EnergyReport(
        subject or f"the program as backend '{counts.backend}' counted it",
        table.name,
        table.technology,
        table.source,
        accounting,
        assumed + (f"; {_loads(counts)}" if accounting == "with_memory" else ""),
        counts.samples,
        tuple(lines),
        tuple(notes),
    )


def _loads(counts: Counts) -> str:
    """Say what was counted of the traffic with DRAM, which the samples of a run may share."""
    if any(traffic.level == "dram" for node in counts.nodes.values() for traffic in node.traffic):
        return f"weights loaded from DRAM once serve the {counts.samples} samples of the run"
    return "no DRAM traffic was counted, so none is billed"


def is_synaptic(node: NodeCounts) -> bool:
    """Whether operations are synaptic: those of dense, conv2d and lateral, whatever kind a plugin calls them."""
    return any(operation.name == "accumulate" for operation in node.operations) or node.kind in ("dense", "conv2d")


def _lines(
    name: str, node: NodeCounts, table: EnergyTable, samples: int, with_memory: bool
) -> Iterator[tuple[EnergyLine, tuple[str, ...]]]:
    for operation in node.operations:
        if operation.count:
            one = table.operation(operation.name, operation.bits)
            energy = operation.count * one.energy_pj / samples
            part: Literal["compute", "memory"] = "compute"
            line = EnergyLine(name, operation.name, part, operation.bits, one.bits, operation.count, energy)
            yield line, one.notes
    for traffic in node.traffic if with_memory else ():
        if traffic.bits:
            bit = table.traffic(traffic.level)
            what, energy = f"{traffic.level} {traffic.what}", traffic.bits * bit.energy_pj / samples
            yield EnergyLine(name, what, "memory", 1, bit.bits, traffic.bits, energy), bit.notes


def _widened(lines: Iterable[EnergyLine]) -> Iterator[str]:
    """Say which widths had no entry of their own."""
    widths: dict[tuple[str, int], set[int]] = {}
    for line in lines:
        if line.part == "compute" and line.billed_bits > line.bits and line.energy_pj:
            widths.setdefault((line.what, line.billed_bits), set()).add(line.bits)
    for (what, billed), bits in widths.items():
        listed = ", ".join(map(str, sorted(bits)))
        yield f"{what} of {listed} bits is billed as {billed} bits, the next larger entry"


def _summed(items: Iterable[tuple[str, float]]) -> dict[str, float]:
    parts: dict[str, list[float]] = {}
    for key, value in items:
        parts.setdefault(key, []).append(value)
    return {key: math.fsum(values) for key, values in parts.items()}
