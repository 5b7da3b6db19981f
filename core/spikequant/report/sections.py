"""The sections of a report as plain values: words, tables and the names of plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikequant.choice import Choice
from spikequant.report.energy_section import energy_section
from spikequant.report.exploration_plots import accuracy_memory_plot, precision_plot
from spikequant.report.parts import LeftOut, Section, Table
from spikequant.report.plots import (
    memory_plot,
    range_words,
    ranges_plot,
    raster_plot,
    rates_plot,
    significance_plot,
)
from spikequant.report.precision import precision_panels
from spikequant.report.results import Significance
from spikequant.report.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 5_000
"""Evaluations listed in a page; beyond that a CSV file serves better."""


def sections(study: Study) -> tuple[tuple[Section, ...], tuple[LeftOut, ...]]:
    """Return the sections that the study has values for, and those left out."""
    found = [_exploration(study), _precision(study), _significance(study), *_calibration(study), _memory(study)]
    found.append(energy_section(study.energy))
    return (
        tuple(section for section in found if isinstance(section, Section)),
        tuple(section for section in found if isinstance(section, LeftOut)),
    )


def percent(fraction: float | None) -> str:
    """Return an accuracy in words.

    >>> percent(0.8624), percent(None)
    ('86.24 %', 'not measured')
    """
    return "not measured" if fraction is None else f"{100 * fraction:.2f} %"


def _points(count: float) -> str:
    return "1 point" if count == 1 else f"{count:g} points"


def _exploration(study: Study) -> Section | LeftOut:
    choice = study.choice
    if choice is None or not choice.evaluations:
        return LeftOut("Accuracy against memory", "explore")
    plan = choice.exploration.plan
    words = [
        f"{len(choice.evaluations):,} settings were evaluated on {choice.exploration.baseline.samples:,} test samples"
        f" ({', '.join(map(str, plan.schemes))}; search: {plan.search}; target: {_points(plan.target)} below FP32)."
    ]
    if not choice.exploration.complete:
        words.append("The exploration has not ended; run it again to go on.")

    def draw() -> Figure:
        return accuracy_memory_plot(choice.evaluations, choice.front, choice.index, study.float_accuracy)

    tables = [_evaluations(choice, list(choice.front), "The true Pareto front, smallest memory first")]
    if len(choice.evaluations) <= MOST_ROWS:
        everything = list(range(len(choice.evaluations)))
        tables.append(
            _evaluations(choice, everything, "All evaluated settings, in the order of the search", folded=True)
        )
    else:
        words.append("All settings as a table: run 'spikequant explore' again with --csv FILE.")
    plot = ("accuracy-memory", "Accuracy (%) against memory relative to FP32, with the Pareto front", draw)
    return Section("memory-accuracy", "Accuracy against memory", tuple(words), (plot,), tuple(tables))


def _evaluations(choice: Choice, indices: list[int], caption: str, *, folded: bool = False) -> Table:
    rows = []
    for index in indices:
        evaluation = choice.evaluations[index]
        rows.append(
            (
                choice.candidates[index].label,
                percent(evaluation.accuracy),
                f"{evaluation.memory_bits:,}",
                f"{evaluation.memory_bits / evaluation.reference_bits:.4f}",
                f"{evaluation.saving:.4f}",
                "yes" if choice.exploration.meets(evaluation) else "no",
            )
        )
    columns = ("setting", "accuracy", "memory (bits)", "of FP32", "times smaller", "within target")
    marked = indices.index(choice.index) if choice.index in indices else None
    return Table(columns, tuple(rows), caption, marked, folded)


def _precision(study: Study) -> Section | LeftOut:
    choice = study.choice
    if choice is None or not precision_panels(choice.evaluations):
        return LeftOut("Accuracy against bits per parameter", "explore --search curves")
    words = (
        "Each panel lowers one group of parameters while the others stay at their finest level, or all together;"
        " a line per rounding. TR truncates, RN rounds to the nearest, SR rounds stochastically.",
    )
    title = "Accuracy (%) against bits per parameter and rounding"
    plot = ("accuracy-bits", title, lambda: precision_plot(choice.evaluations, study.float_accuracy))
    return Section("bits-accuracy", "Accuracy against bits per parameter", words, (plot,))


def _significance(study: Study) -> Section | LeftOut:
    found = study.significance
    if found is None or not found.rows:
        return LeftOut("Significance", "significance")
    words = (
        f"Most significant first: {', '.join(found.ranking)}. Each quantity was lowered alone; with nothing quantized"
        f" the accuracy is {percent(found.baseline)}.",
    )
    plot = (
        "significance",
        "Accuracy (%) against fraction bits of each quantity alone",
        lambda: significance_plot(found),
    )
    return Section("significance", "Significance", words, (plot,), (_significance_table(found),))


def _significance_table(found: Significance) -> Table:
    roundings = tuple(dict.fromkeys(row.rounding for row in found.rows))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in found.rows:
        cells.setdefault((row.quantity, row.format), {})[row.rounding] = percent(row.accuracy)
    rows = tuple((*key, *(values.get(name, "") for name in roundings)) for key, values in cells.items())
    return Table(("quantity", "format", *roundings), rows, "Accuracy by format and rounding", folded=len(rows) > 12)


def _calibration(study: Study) -> list[Section | LeftOut]:
    seen = study.calibration
    if seen is None:
        return [LeftOut(title, "calibrate") for title in ("Ranges", "Firing rates", "Spikes of one sample")]
    rows = tuple(
        (
            quantity.name,
            quantity.role,
            f"{quantity.count:,}",
            range_words(quantity),
            "" if quantity.int_bits is None else str(quantity.int_bits),
            quantity.format or "",
            quantity.description,
        )
        for quantity in seen.quantities
    )
    columns = ("quantity", "role", "count", "range or value", "integer bits", "format", "what it is")
    table = Table(columns, rows, "Ranges and integer bits (Q-SpiNN, Table I)")
    words = (f"Seen while the float model ran on {seen.samples:,} training samples.",)
    ranges = ("ranges", "Values of each quantity with their range", lambda: ranges_plot(seen))
    found: list[Section | LeftOut] = [Section("ranges", "Ranges", words, (ranges,), (table,))]
    if seen.rates_hz:
        mean = sum(seen.rates_hz) / len(seen.rates_hz)
        silent = sum(1 for rate in seen.rates_hz if rate == 0)
        text = f"{len(seen.rates_hz):,} neurons fire {mean:.4g} times a second on average; {silent:,} of them never."
        rates = ("firing-rates", "Number of neurons by firing rate (Hz)", lambda: rates_plot(seen.rates_hz))
        found.append(Section("rates", "Firing rates", (text,), (rates,)))
    raster = seen.raster
    if raster is not None:
        text = f"{len(raster.step):,} spikes in {raster.timesteps:,} timesteps."
        spikes = ("raster", "Spikes of one sample: neuron against timestep", lambda: raster_plot(raster))
        found.append(Section("raster", "Spikes of one sample", (text,), (spikes,)))
    return found


def _memory(study: Study) -> Section | LeftOut:
    if not study.memory:
        return LeftOut("Memory by part", "export")
    rows = [(p.name, f"{p.count:,}", p.format, f"{p.bits:,}", f"{p.fp32_bits:,}") for p in study.memory]
    sums = [sum(getattr(part, key) for part in study.memory) for key in ("count", "bits", "fp32_bits")]
    rows.append(("total", f"{sums[0]:,}", "", f"{sums[1]:,}", f"{sums[2]:,}"))
    table = Table(("part", "numbers", "format", "bits", "bits in FP32"), tuple(rows), "Memory by part")
    words = (f"Memory {study.memory_title}: {sums[2] / sums[1]:.4f} times smaller than FP32.",)
    plot = ("memory-split", "Memory by part (KiB), in FP32 and quantized", lambda: memory_plot(study.memory))
    return Section("memory", "Memory by part", words, (plot,), (table,))
