"""``spikequant drift``: what quantization changed inside a network."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click
from rich.table import Table

from spikequant.cli.common import data_dir_option, emit, json_option, plain
from spikequant.cli.progress import bar
from spikequant.drift import SAMPLES, drift_of_run
from spikequant.drift_results import METRICS, Drift, LayerDrift
from spikequant.errors import UsageError
from spikequant.files import check_writable
from spikequant.report.drawing import check_plot_name, save_figure
from spikequant.report.drift_plot import drift_plot
from spikequant.runs import RunFolder

COLUMNS = ("layer", "spikes, float", "spikes, integer", "differ", "share", "EMD of rates", "state", "mean", "largest")


@click.command("drift")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--samples", type=click.IntRange(1), default=SAMPLES, show_default=True, help="Test samples to run.")
@click.option(
    "--fail-above",
    "limits",
    multiple=True,
    metavar="[FIGURE=]X",
    help=f"Exit with 1 if a figure is above X: {', '.join(METRICS)}; repeatable. Default: spikes.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw spikes that differ and rates: .svg or .png.")
@data_dir_option
@json_option
def command(
    *, run: Path, samples: int, limits: tuple[str, ...], plot: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Compare the float and the integer model of RUN on test samples, layer by layer.

    Says which spikes differ and where that begins, how far firing rates and potentials are apart, and what it does to
    the classes. Exit code 1 if a figure is above a limit of --fail-above.
    """
    bounds = [_limit(text) for text in limits]
    if plot is not None:
        check_plot_name(plot)
        check_writable(plot, "--plot")
    with bar("drift", samples) as advance:
        done = [0]

        def progress(now: int, total: int) -> None:
            advance(now - done[0])
            done[0] = now

        found = drift_of_run(RunFolder(run), samples=samples, data_dir=data_dir, progress=progress)
    if plot is not None:
        save_figure(drift_plot(found), plot)
    failed = [text for name, bound in bounds if (text := _failure(found, name, bound))]
    if as_json:
        emit({"run": str(run), **found.to_json(), "failed": failed})
    else:
        _print(found)
        for text in failed:
            plain.print(f"failed: {text}")
        if plot is not None:
            plain.print(f"written: {plot}")
    sys.exit(1 if failed else 0)


def _limit(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    name = name if equals else "spikes"
    try:
        bound = float(value)
    except ValueError:
        bound = math.nan
    if name not in METRICS or not bound >= 0:
        raise UsageError(
            f"--fail-above {text!r} is not of the form X or FIGURE=X, X a number of at least 0 and FIGURE one of"
            f" {', '.join(METRICS)}"
        )
    return name, bound


def _failure(found: Drift, name: str, bound: float) -> str:
    """Say what is above a limit, as NaN is above any; empty if nothing is."""
    value, layer = found.metric(name)
    where = f" in layer '{layer}'" if layer else ""
    return f"{name} is {value:.6g}{where}, above {bound:g}" if not value <= bound else ""


def _print(found: Drift) -> None:
    plain.print(
        f"accuracy: float {100 * found.accuracy_float:.2f} %, integer {100 * found.accuracy_integer:.2f} %;"
        f" {found.changed} of {found.samples} samples change their class ({found.timesteps} timesteps)"
    )
    table = Table(title="integer model against float model", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("layer", "state") else "right")
    for layer in found.layers:
        for row in _rows(layer):
            table.add_row(*row)
    plain.print(table)
    for layer in found.layers:
        if layer.spikes is not None:
            first = layer.spikes.first
            plain.print(f"{layer.name}: " + ("no spike differs" if first is None else f"first divergence at {first}"))


def _rows(layer: LayerDrift) -> list[tuple[str, ...]]:
    """Return one row per state variable, or one for a layer that has none; the first has the spikes too."""
    spikes = layer.spikes
    left = (layer.name, "", "", "", "", "")
    if spikes is not None:
        share, emd = f"{100 * spikes.share:.4f} %", f"{spikes.emd:.3g}"
        left = (layer.name, f"{spikes.expected:,}", f"{spikes.got:,}", f"{spikes.differing:,}", share, emd)
    rows: list[tuple[str, ...]] = []
    for name, state in layer.states.items():
        relative = "" if state.relative is None else f" ({100 * state.relative:.2g} % of threshold)"
        rows.append((*(left if not rows else ("",) * 6), name, f"{state.mean:.3g}{relative}", f"{state.largest:.3g}"))
    return rows or [(*left, "", "", "")]
