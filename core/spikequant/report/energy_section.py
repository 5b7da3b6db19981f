"""The section of a report about energy: every sheet of the study, as plot and as table, with what it assumes."""

from __future__ import annotations

from functools import partial

from spikequant.energy.sheet import Sheet, heading
from spikequant.energy.study import EnergyStudy
from spikequant.report.energy_plots import drawn, energy_figure
from spikequant.report.parts import LeftOut, Plot, Section, Table

TITLE = "Energy"


def energy_section(study: EnergyStudy | None) -> Section | LeftOut:
    """Return the section, or that ``spikequant energy`` was not run yet.

    Plots are named by kind and number, as names of energy tables may be anything.
    """
    if study is None:
        return LeftOut(TITLE, "energy")
    cycles = "" if study.cycles is None else f"; {study.cycles / study.samples:,.0f} cycles per sample"
    words = (
        f"Counted by backend {study.backend} on {study.samples:,} samples of {study.timesteps:,} timesteps{cycles}."
        " Energies are estimates: counted operations times published figures per operation. The table and the"
        " assumptions stand with each figure; the paper's figures stand beside, and nothing was fitted to them.",
    )
    plots: list[Plot] = []
    for sheet in study.sheets:
        if drawn(sheet):
            number = 1 + sum(1 for name, _, _ in plots if name.startswith(f"energy-{sheet.kind}"))
            name = f"energy-{sheet.kind}" if number == 1 else f"energy-{sheet.kind}-{number}"
            plots.append((name, caption(sheet), partial(energy_figure, sheet)))
    tables = [_table(sheet) for sheet in study.sheets]
    notes = dict.fromkeys((sheet.table, note) for sheet in study.sheets for note in sheet.notes)
    if notes:
        tables.append(Table(("energy table", "note"), tuple(notes), "Notes of the energy tables", folded=True))
    return Section("energy", TITLE, words, tuple(plots), tuple(tables))


def caption(sheet: Sheet) -> str:
    """Return what a sheet shows, with its table and assumptions."""
    return f"{sheet.title}. " + "; ".join(sheet.said)


def _table(sheet: Sheet) -> Table:
    columns = tuple(heading(column) for column in sheet.columns)
    return Table(columns, sheet.texts, caption(sheet), folded=len(sheet.rows) > 12)
