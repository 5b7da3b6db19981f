"""Sheets of memory energy: by batch and by width, under every accounting of :mod:`spikequant.energy.memory_traffic`."""

from __future__ import annotations

from collections.abc import Sequence

from spikequant.counts import Counts
from spikequant.energy.memory_traffic import (
    PLACES,
    MemoryEnergy,
    Widths,
    assumption,
    common_assumptions,
    memory_traffic,
)
from spikequant.energy.sheet import Cell, Column, Sheet
from spikequant.energy.table import EnergyTable
from spikequant.program import Program

Row = tuple[Cell, ...]
PAPER_U_SHARE = (
    "U takes 47.9 % of the memory energy at batch 32, and weights most of it at batch 1 (MINT, Fig. 9 right)"
)
PAPER_WIDTHS = "W2U2 takes about 87.3 % less memory energy than W16U16 (MINT, Fig. 5 right: VGG-9, CIFAR-10)"
WIDTHS = tuple(Widths(bits, bits) for bits in (16, 8, 4, 2))


def memory_sheet(program: Program, counts: Counts, table: EnergyTable, batches: Sequence[int]) -> Sheet:
    """Return memory energy per sample by accounting and batch: weights W, potentials U, spikes S.

    Source: MINT, Fig. 9 (right).
    """
    rows: list[Row] = []
    for place in PLACES:
        for batch in batches:
            energy = memory_traffic(program, counts, batch, place).energy(table)
            kinds = (energy.of("weights"), energy.of("potential"), energy.of("spikes"), energy.of("other"))
            rows.append(
                (place, batch, *kinds, energy.of(), energy.share("potential"), energy.share("potential", "dram"))
            )
    parts = (Column(name, "pJ") for name in ("W", "U", "S", "other", "memory"))
    heads = (Column("U of memory", "share"), Column("U of DRAM alone", "share"))
    columns = (Column("accounting"), Column("batch"), *parts, *heads)
    title = "memory energy per sample by batch"
    said = _said(program, counts)
    return Sheet("memory", title, *_of(table), said, columns, tuple(rows), PAPER_U_SHARE, _notes(counts, table))


def widths_sheet(program: Program, counts: Counts, table: EnergyTable, batches: Sequence[int]) -> Sheet:
    """Return memory energy per sample at other widths, with the same shapes and spikes.

    Source: MINT, Fig. 5 (right).
    """
    rows: list[Row] = []
    for place in PLACES:
        for batch in batches:
            found = [memory_traffic(program, counts, batch, place, widths).energy(table) for widths in WIDTHS]
            savings = (_saved(found), _saved(found, "dram"))
            rows.append((place, batch, *(energy.of() for energy in found), *savings))
    columns = (
        *(Column("accounting"), Column("batch")),
        *(Column(str(widths), "pJ") for widths in WIDTHS),
        *(Column("16 to 2 bits saves", "share"), Column("of DRAM alone", "share")),
    )
    title = "memory energy per sample by width, same shapes and spikes"
    said = (
        *_said(program, counts),
        "widths of codes and potentials, and so their traffic, differ from the model's; all else is as counted",
    )
    return Sheet("widths", title, *_of(table), said, columns, tuple(rows), PAPER_WIDTHS, _notes(counts, table))


def _saved(found: Sequence[MemoryEnergy], level: str | None = None) -> float | None:
    first, last = found[0].of(level=level), found[-1].of(level=level)
    return 1 - last / first if first else None


def _of(table: EnergyTable) -> tuple[str, str, str]:
    return table.name, table.technology, table.source


def _said(program: Program, counts: Counts) -> tuple[str, ...]:
    """The assumptions of every accounting."""
    return (*(assumption(place) for place in PLACES), *common_assumptions(program, counts.backend))


def _notes(counts: Counts, table: EnergyTable) -> tuple[str, ...]:
    """What the table says of every level that is billed."""
    counted = [traffic.level for node in counts.nodes.values() for traffic in node.traffic]
    return tuple(dict.fromkeys(note for level in [*counted, "sram", "dram"] for note in table.traffic(level).notes))
