"""The sheets of an energy study: each a question of the MINT paper, answered from counts, beside the paper's figure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from spikequant.counts import Counts
from spikequant.energy.baselines import PAPER, Gating, scales, uq_counterpart
from spikequant.energy.breakdown import WORK, by_layer, layers_of
from spikequant.energy.report import Accounting, EnergyReport, energy_of
from spikequant.energy.sheet import NO_TABLE, Cell, Column, Kind, Sheet
from spikequant.energy.table import EnergyTable
from spikequant.program import Program

PAPER_SPARSITY = "Fig. 8 left is a bar chart, and MINT's text speaks of high sparsity without a number"
PAPER_TIMESTEPS = "computation energy scales up linearly with the timesteps (MINT, Fig. 9 left: W2U2 VGG-9)"
Row = tuple[Cell, ...]
MEAN, ALL = "mean of layers", "all neurons"
LINEAR, RELATIVE = "linear would be", ": relative"
OWN = "MINT"
SUBJECTS: dict[Gating, str] = {"once_per_step": "UQ, once per step", "every_cycle": "UQ, every cycle"}


@dataclass(frozen=True)
class TimestepRun:
    """A run of the program at another number of timesteps; ``accuracy`` in [0, 1], if it has a readout."""

    timesteps: int
    counts: Counts
    accuracy: float | None = None


def billed(counts: Counts, table: EnergyTable, accounting: Accounting = "with_memory") -> dict[str, EnergyReport]:
    """Return the reports of a run and of vanilla UQ under both gating assumptions, each under its name.

    A run that is vanilla UQ itself stands alone, as ``the run``.
    """
    if scales(counts):
        return {"the run": energy_of(counts, table, accounting=accounting)}
    found = {OWN: energy_of(counts, table, accounting=accounting)}
    for gating in get_args(Gating):
        found[SUBJECTS[gating]] = uq_counterpart(counts, gating).energy(table, accounting=accounting)
    return found


def savings_sheet(counts: Counts, table: EnergyTable) -> Sheet | None:
    """Return what the run saves over vanilla UQ in computation; none for a run that is vanilla UQ itself."""
    reports = billed(counts, table, "compute")
    own = reports.get(OWN)
    if own is None:
        return None
    rows = [
        (name, own.total_pj, report.total_pj, own.saving_over(report))
        for name, report in reports.items()
        if report is not own
    ]
    columns = (Column("against"), Column(OWN, "pJ"), Column("other", "pJ"), Column("saved", "share"))
    return _billed(
        "savings",
        "computation energy per sample against vanilla UQ",
        table,
        reports,
        columns=columns,
        rows=rows,
        paper=PAPER,
    )


def layers_sheet(program: Program, counts: Counts, table: EnergyTable) -> Sheet:
    """Return energy per sample by layer and kind of work, for the run and for vanilla UQ."""
    layers = layers_of(program)
    reports = billed(counts, table)
    found: dict[str, list[Row]] = {}
    for name, report in reports.items():
        all_counts = counts if name == OWN else _counts_of(counts, name)
        parts = by_layer(report, all_counts, layers)
        for part in parts:
            cells: Row = (part.layer, name, *(part.pj[work] for work in WORK), part.compute_pj, part.memory_pj)
            found.setdefault(part.layer, []).append(cells)
        total = [sum(part.pj[work] for part in parts) for work in WORK]
        found.setdefault("total", []).append(("total", name, *total, report.compute_pj, report.memory_pj))
    rows = [row for layer in sorted(found, key=lambda layer: layer == "total") for row in found[layer]]
    work = (Column(name, "pJ") for name in (*WORK, "computation", "memory"))
    title = "energy per sample by layer and kind of work"
    columns = (Column("layer"), Column("of"), *work)
    return _billed("layers", title, table, reports, columns=columns, rows=rows)


def _counts_of(counts: Counts, name: str) -> Counts:
    gating = next((gating for gating, subject in SUBJECTS.items() if subject == name), None)
    return counts if gating is None else uq_counterpart(counts, gating).counts


def sparsity_sheet(program: Program, counts: Counts) -> Sheet:
    """Return which part of each spiking layer's outputs is zero, over all neurons, timesteps and samples.

    Source: MINT, Fig. 8 (left).
    """
    layers = layers_of(program)
    seen = [(name, node) for name, node in counts.nodes.items() if _spikes(program, name) and node.steps]
    zeros = [1 - node.fires / node.steps for _, node in seen]
    rows: list[Row] = [
        (layers[name], node.steps, node.fires, part) for (name, node), part in zip(seen, zeros, strict=True)
    ]
    if seen:
        steps, fires = sum(node.steps for _, node in seen), sum(node.fires for _, node in seen)
        rows += [
            (MEAN, None, None, sum(zeros) / len(zeros)),
            (ALL, steps, fires, 1 - fires / steps),
        ]
    return Sheet(
        "sparsity",
        "zeros in each layer's output spikes",
        NO_TABLE,
        f"backend '{counts.backend}'",
        "spikes over neuron updates, as counted; nothing is billed",
        (f"an output is one neuron at one timestep of one sample, before pooling; {counts.samples:,} samples",),
        (Column("layer"), Column("outputs"), Column("spikes"), Column("zeros", "share")),
        tuple(rows),
        PAPER_SPARSITY,
    )


def _spikes(program: Program, name: str) -> bool:
    return any(node.name == name and not node.graded for node in program.spiking)


def timesteps_sheet(own: TimestepRun, runs: Iterable[TimestepRun], table: EnergyTable) -> Sheet:
    """Return computation energy and accuracy at other numbers of timesteps, relative to the model's own.

    Source: MINT, Fig. 9 (left).
    """
    base = billed(own.counts, table, "compute")
    rows: list[Row] = []
    for run in runs:
        reports = billed(run.counts, table, "compute")
        pairs = [(reports[name].total_pj, reports[name].total_pj / base[name].total_pj) for name in base]
        linear = run.timesteps / own.timesteps
        rows.append((run.timesteps, run.accuracy, linear, *(cell for pair in pairs for cell in pair)))
    parts = [(Column(name, "pJ"), Column(f"{name}{RELATIVE}", "times")) for name in base]
    first = (Column("timesteps"), Column("accuracy", "share"), Column(LINEAR, "times"))
    columns = (*first, *(column for pair in parts for column in pair))
    more = (
        f"the model was made for {own.timesteps} timesteps and is run for others as it is, not trained again;"
        f" what is assumed of cycles is that of its own; {own.counts.samples:,} samples",
    )
    title = "computation energy per sample by timesteps"
    return _billed("timesteps", title, table, base, columns=columns, rows=rows, paper=PAPER_TIMESTEPS, more=more)


def _billed(
    kind: Kind,
    title: str,
    table: EnergyTable,
    reports: dict[str, EnergyReport],
    *,
    columns: tuple[Column, ...],
    rows: Iterable[Row],
    paper: str = "",
    more: tuple[str, ...] = (),
) -> Sheet:
    """Make a sheet that carries the assumptions and notes of all reports it is made of."""
    assumed = (f"{name}: {report.assumption}" for name, report in reports.items())
    ways = dict.fromkeys(report.accounting_in_words for report in reports.values())
    notes = dict.fromkeys(note for report in reports.values() for note in report.notes)
    said = (*assumed, *(f"what is billed: {words}" for words in ways), *more)
    return Sheet(
        kind, title, table.name, table.technology, table.source, said, columns, tuple(rows), paper, tuple(notes)
    )
