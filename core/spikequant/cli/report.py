"""``spikequant report``: one self-contained HTML file about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spikequant.choice import Choice, choose
from spikequant.cli.choosing import Wanted, choice_options, find_store, load_exploration
from spikequant.cli.common import emit, json_option, plain
from spikequant.files import check_writable
from spikequant.report.write import write_report
from spikequant.runs import RunFolder


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write; default: RUN/report.html.")
@click.option(
    "--plots", type=click.Path(path_type=Path), help="Also write every plot into this folder, as SVG and PNG."
)
@choice_options
@json_option
def command(
    *,
    run: Path,
    out: Path | None,
    plots: Path | None,
    store: Path | None,
    name: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write what is known about RUN into one HTML file: accuracy, memory, ranges, spikes, and the choice.

    Sections for which nothing was computed yet are left out; the file says which commands compute them.
    """
    path = out or run / "report.html"
    folder = RunFolder(run)
    folder.recipe()
    check_writable(path, "--out")
    done = write_report(folder, _choice(run, store, name, Wanted(**options)), path, "--out", plots)
    if as_json:
        missing = {section.title: f"spikequant {section.command}" for section in done.left_out}
        emit(
            {
                "file": str(path),
                "plots": [str(plot) for plot in done.plots],
                "sections": [section.name for section in done.shown],
                "left_out": missing,
            }
        )
        return
    for section in done.left_out:
        plain.print(f"left out: {section.title}; run 'spikequant {section.command}' first")
    plain.print(f"written: {path}" + (f" and {len(done.plots)} plots in {plots}" if plots else ""))


def _choice(run: Path, store: Path | None, name: str | None, wanted: Wanted) -> Choice | None:
    """Return the choice among what was explored; ``None`` if nothing was, unless a store was asked for."""
    selector = wanted.make()
    path = find_store(run, store, name)
    if path is None:
        return None
    return choose(load_exploration(path), selector, everything=wanted.everything)
