"""``spikequant calibrate``: ranges of a trained model's quantities, and the formats they need."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from spikequant.calibrate import CALIBRATION, SAMPLES, calibrate
from spikequant.cli.common import data_dir_option, emit, json_option, plain, results
from spikequant.files import check_writable
from spikequant.report.drawing import check_plot_name, save_figure
from spikequant.report.plots import range_words, ranges_plot
from spikequant.report.results import Calibration
from spikequant.runs import RunFolder


@click.command("calibrate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--samples", type=click.IntRange(1), default=SAMPLES, show_default=True, help="Training samples to run.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the ranges as a plot: a .svg or .png file.")
@data_dir_option
@json_option
def command(run: Path, samples: int, plot: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Run the float model of RUN on training samples and print Table I: ranges and integer bits.

    The result is kept in RUN/calibration.json, where 'explore' and 'report' find it.
    """
    if plot is not None:
        check_plot_name(plot)
        check_writable(plot, "--plot")
    seen = calibrate(RunFolder(run), samples=samples, data_dir=data_dir)
    if plot is not None:
        save_figure(ranges_plot(seen), plot)
    if as_json:
        rows = [
            {key: value for key, value in vars(quantity).items() if value is not None} for quantity in seen.quantities
        ]
        emit({"run": str(run), "samples": seen.samples, "quantities": rows, "file": str(run / CALIBRATION)})
        return
    results.print(_table(seen))
    plain.print(f"written: {run / CALIBRATION}" + (f" and {plot}" if plot else ""))


def _table(seen: Calibration) -> Table:
    table = Table(title=f"quantities on {seen.samples} training samples (Q-SpiNN, Table I)", title_justify="left")
    for column in ("quantity", "role", "count", "range or value", "integer bits", "format", "what"):
        table.add_column(column, justify="right" if column in ("count", "integer bits") else "left")
    for row in seen.quantities:
        bits = "" if row.int_bits is None else str(row.int_bits)
        table.add_row(row.name, row.role, f"{row.count:,}", range_words(row), bits, row.format or "", row.description)
    return table
