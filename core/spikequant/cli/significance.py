"""``spikequant significance``: which quantity's precision matters most."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from spikequant.cli.common import data_dir_option, emit, json_option, plain, results
from spikequant.cli.explore import exploring, parse_roundings
from spikequant.explore import parse_group, parse_levels
from spikequant.explore.executors import InProcess, LocalProcesses
from spikequant.explore.planning import Wish
from spikequant.files import check_writable
from spikequant.report.drawing import check_plot_name, save_figure
from spikequant.report.plots import significance_plot
from spikequant.report.results import Significance
from spikequant.significance import SIGNIFICANCE, significance


@click.command("significance")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--levels", multiple=True, metavar="NAME=LEVELS", help="As for explore; default: every variable, 16..0.")
@click.option("--group", "groups", multiple=True, metavar="NAME=QUANTITIES", help="One axis for several: N=V,Vth.")
@click.option("--roundings", metavar="LIST", help="Of TR, RN, SR; all by default, RN alone with INTn levels.")
@click.option("--test-samples", type=click.IntRange(1), help="Use only the first N test samples.")
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the result as a plot: a .svg or .png file.")
@data_dir_option
@json_option
def command(
    *,
    run: Path,
    levels: tuple[str, ...],
    groups: tuple[str, ...],
    roundings: str | None,
    test_samples: int | None,
    jobs: int,
    plot: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Lower the precision of each quantity of RUN alone (PTQ) and rank the quantities by what accuracy does.

    The result is kept in RUN/significance.json, where 'report' finds it; a stopped run goes on when repeated.
    """
    if plot is not None:
        check_plot_name(plot)
        check_writable(plot, "--plot")
    wish = Wish(
        levels=tuple(parse_levels(text) for text in levels),
        groups=tuple(parse_group(text) for text in groups),
        roundings=parse_roundings(roundings),
    )
    place = LocalProcesses(jobs) if jobs > 1 else InProcess()
    try:
        with exploring() as tell:
            found = significance(run, wish, test_samples=test_samples, data_dir=data_dir, place=place, tell=tell)
    finally:
        place.close()
    if plot is not None:
        save_figure(significance_plot(found), plot)
    if as_json:
        emit({"run": str(run), "baseline": found.baseline, "ranking": list(found.ranking), "rows": _rows(found)})
        return
    for name in found.ranking:
        results.print(_table(found, name))
    plain.print(f"most significant first: {', '.join(found.ranking)}")
    plain.print(f"written: {run / SIGNIFICANCE}" + (f" and {plot}" if plot else ""))


def _rows(found: Significance) -> list[dict[str, object]]:
    return [vars(row) for row in found.rows]


def _table(found: Significance, name: str) -> Table:
    rows = [row for row in found.rows if row.quantity == name]
    roundings = list(dict.fromkeys(row.rounding for row in rows))
    title = f"{name} alone: accuracy in %, FP32 {100 * found.baseline:.2f}"
    table = Table(title=title, title_justify="left")
    table.add_column("format")
    for rounding in roundings:
        table.add_column(rounding, justify="right")
    for fmt in dict.fromkeys(row.format for row in rows):
        cells = {row.rounding: f"{100 * row.accuracy:.2f}" for row in rows if row.format == fmt}
        table.add_row(fmt, *(cells.get(rounding, "") for rounding in roundings))
    return table
