"""What the same work would cost otherwise: vanilla uniform quantization (UQ), and an ANN of the same shape.

Each baseline is again counts, with its assumption in words, so that :func:`spikequant.energy.energy_of` bills
everything in one way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from spikequant.counting import fan_out
from spikequant.counts import Counts, NodeCounts, Traffic
from spikequant.energy.report import Accounting, EnergyReport, EnergyTable, energy_of
from spikequant.errors import UsageError
from spikequant.program import Input, Operation, Program, Weighted

Gating = Literal["once_per_step", "every_cycle"]
LANES = 128
UQ_BITS = 32
_TITLES: Mapping[str, Accounting] = {
    "synaptic operations only": "synaptic",
    "all computation": "compute",
    "with memory traffic": "with_memory",
}
PAPER = "90 % less computation energy on average than vanilla UQ (MINT, Fig. 5 left: VGG-9, CIFAR-10)"
_SAME_RUN = "accumulates as in the same run, neuron updates and one scaling multiply at 32 bits"


@dataclass(frozen=True)
class Baseline:
    """Counts of an alternative, what it is, and what was assumed about it."""

    subject: str
    assumption: str
    counts: Counts

    def energy(self, table: EnergyTable, *, accounting: Accounting = "compute") -> EnergyReport:
        """Bill the alternative as :func:`spikequant.energy.energy_of` does."""
        return energy_of(self.counts, table, accounting=accounting, subject=self.subject, assumption=self.assumption)


def uq_counterpart(counts: Counts, gating: Gating = "once_per_step", lanes: int = LANES) -> Baseline:
    """Return what the same run costs under vanilla UQ, which scales by a 32-bit multiply.

    Accumulates stay as they were counted. Each neuron update's operations are done at 32 bits, with one
    32-bit multiply more. Readouts are not scaled: the class does not depend on it.

    Source: MINT, Section V (the UQ processing element).

    Args:
        counts: The run.
        gating: ``once_per_step``: the multiplier is used once per output and timestep, and isolated
            otherwise; ``every_cycle``: it burns in every lane and cycle.
        lanes: Processing elements; only ``every_cycle`` uses it.

    Raises:
        UsageError: ``gating`` is no such word, ``lanes`` is below 1, there is no neuron update in the counts,
            or the updates multiply at 32 bits already.
    """
    if gating not in get_args(Gating):
        raise UsageError(f"gating is {gating!r}; it must be one of {', '.join(get_args(Gating))}")
    if lanes < 1:
        raise UsageError(f"lanes is {lanes}; it must be at least 1")
    if not any(_is_neuron(node) for node in counts.nodes.values()):
        raise UsageError(f"the counts of '{counts.backend}' hold no neuron update, so there is nothing to scale")
    if scales(counts):
        raise UsageError(
            f"neuron updates in the counts of '{counts.backend}' multiply at {UQ_BITS} bits already, so the run"
            " is vanilla UQ itself; bill it with energy_of()"
        )
    once = gating == "once_per_step"
    nodes = {name: _at_32_bits(node, once) if _is_neuron(node) else node for name, node in counts.nodes.items()}
    words = "multiplier used once per output and timestep, isolated otherwise"
    if not once:
        cycles, told = _cycles(counts, lanes)
        burning = (Operation("multiply", UQ_BITS, cycles * lanes),)
        nodes["multipliers_every_cycle"] = NodeCounts("array", burning)
        words = f"multiplier burning in every cycle in {lanes} lanes; {cycles:,} cycles {told}"
    return Baseline("vanilla UQ, same run", f"{words}; {_SAME_RUN}", replace(counts, nodes=nodes))


def _is_neuron(node: NodeCounts) -> bool:
    return node.steps > 0 and node.kind != "readout"


def scales(counts: Counts) -> bool:
    """Whether a run itself scales by a 32-bit multiply, as a vanilla UQ model does."""
    updates = [operation for node in counts.nodes.values() if _is_neuron(node) for operation in node.operations]
    return any(operation.name == "multiply" and operation.bits >= UQ_BITS for operation in updates)


def _at_32_bits(node: NodeCounts, multiply: bool) -> NodeCounts:
    widened = tuple(
        operation if operation.name == "accumulate" else replace(operation, bits=max(operation.bits, UQ_BITS))
        for operation in node.operations
    )
    scaling = (Operation("multiply", UQ_BITS, node.steps),) if multiply else ()
    return replace(node, operations=(*scaling, *widened))


def _cycles(counts: Counts, lanes: int) -> tuple[int, str]:
    """Cycles of the run and where they come from."""
    if counts.cycles is not None:
        return counts.cycles, f"counted by backend '{counts.backend}'"
    per_node = [
        sum(operation.count for operation in node.operations if operation.name == "accumulate")
        for node in counts.nodes.values()
    ]
    cycles = sum(math.ceil(accumulates / lanes) for accumulates in per_node)
    return cycles, f"taken as one accumulate per lane and cycle, as backend '{counts.backend}' counts no cycles"


def ann_counterpart(program: Program) -> Baseline:
    """Return what one pass of an ANN of the program's shape and bits costs: every multiply-accumulate, once.

    Each layer multiplies codes with activations as wide as the codes (a layer fed by an input node: as wide as
    that input, if wider) and accumulates without loss, in weight + activation + log2(fan-in) bits. Every
    multiply-accumulate reads one code from SRAM, as the program's own accumulates do; each activation is read once.

    Args:
        program: Gives shapes and bits.

    Raises:
        UsageError: The program has no weights.
    """
    nodes = {node.name: _dense_counts(program, node) for node in program.order if isinstance(node, Weighted)}
    if not nodes:
        raise UsageError("the program has no dense or conv2d, so there is no ANN of its shape; give a trained program")
    words = "every multiply-accumulate is done once (one timestep), zeros included, with activations as wide as weights"
    words += "; one code read from SRAM for each, no idle lanes"
    return Baseline("ANN of the same shape and bits", words, Counts("closed form", 1, nodes))


def _dense_counts(program: Program, node: Weighted) -> NodeCounts:
    source = program.source_of(node.name)
    shape = program.shapes[source.name]
    macs = int(np.broadcast_to(fan_out(node, shape), shape).sum())
    width = max(node.bits, source.bits) if isinstance(source, Input) else node.bits
    fan_in = math.prod(node.codes.shape[1:])
    sum_bits = node.bits + width + (fan_in - 1).bit_length()
    size = math.prod(shape)
    return NodeCounts(
        node.kind,
        (Operation("multiply", max(node.bits, width), macs), Operation("accumulate", sum_bits, macs)),
        (Traffic("sram", "weights", macs * node.bits), Traffic("sram", "inputs", size * width)),
        inputs=size,
        active=size,
    )


@dataclass(frozen=True)
class EnergyComparison:
    """Reports side by side, each under its title, all of one table."""

    reports: Mapping[str, EnergyReport]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data: each report under its title."""
        return {title: report.to_json() for title, report in self.reports.items()}

    def __str__(self) -> str:
        first = next(iter(self.reports.values()))
        width = max(len(title) for title in self.reports)
        rows = [
            f"  {title:{width}}  {report.total_pj:16,.1f}  {report.assumption}"
            for title, report in self.reports.items()
        ]
        notes = dict.fromkeys(note for report in self.reports.values() for note in report.notes)
        return "\n".join(
            [
                f"energy per sample in pJ, table {first.table} ({first.technology}; {first.source})",
                "  assumed: what stands after each figure",
                *rows,
                *(f"  the program takes {words}" for words in self._savings()),
                *([f"  paper: {PAPER}"] if any("UQ" in title for title in self.reports) else []),
                *(f"  note: {note}" for note in notes),
            ]
        )

    def _savings(self) -> Iterator[str]:
        """Compare the program with every alternative that was billed in the same accounting."""
        own = {report.accounting: report for title, report in self.reports.items() if title in _TITLES}
        for title, report in self.reports.items():
            if title not in _TITLES:
                saving = own[report.accounting].saving_over(report)
                yield f"{abs(saving):.1%} {'less' if saving >= 0 else 'more'} than {title}"


def energy_comparison(
    counts: Counts, table: EnergyTable, program: Program | None = None, lanes: int = LANES
) -> EnergyComparison:
    """Bill a run in every accounting, beside vanilla UQ under both gating assumptions and an ANN.

    Args:
        counts: The run.
        table: Energies.
        program: The program that ran; without it there is no ANN to compare with. A program that is
            vanilla UQ itself is compared with the ANN only.
        lanes: Processing elements, for UQ's multipliers.

    Raises:
        UsageError: As :func:`spikequant.energy.energy_of` and :func:`uq_counterpart` do.
    """
    reports = {title: energy_of(counts, table, accounting=way) for title, way in _TITLES.items()}
    if not scales(counts):
        once, burning = (uq_counterpart(counts, gating, lanes) for gating in get_args(Gating))
        reports["vanilla UQ, multiplier once per step, computation"] = once.energy(table)
        reports["vanilla UQ, multiplier every cycle, computation"] = burning.energy(table)
    if program is not None:
        ann = ann_counterpart(program)
        reports["ANN, computation"] = ann.energy(table)
        reports["ANN, with memory traffic"] = ann.energy(table, accounting="with_memory")
    return EnergyComparison(reports)
