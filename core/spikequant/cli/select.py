"""``spikequant select``: one of the explored candidates, why this one, and the true Pareto front beside it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from spikequant.choice import Choice, choose
from spikequant.cli.choosing import Wanted, choice_options, find_store, load_exploration
from spikequant.cli.common import emit, json_option, messages, plain
from spikequant.errors import UsageError
from spikequant.explore import Setting


@click.command("select")
@click.argument("run", type=click.Path(path_type=Path))
@choice_options
@json_option
def command(*, run: Path, store: Path | None, name: str | None, as_json: bool, **options: Any) -> None:
    """Choose one of the settings that were explored for RUN, and say why.

    Chosen among the candidates: the settings within the target of 'explore'. --max-drop and --max-memory are
    demands of their own and choose among all that was evaluated. Exit code 1: nobody meets the demand.
    """
    wanted = Wanted(**options)
    selector = wanted.make()
    path = find_store(run, store, name)
    if path is None:
        raise UsageError(f"{run} holds no exploration; make one with 'spikequant explore {shlex.quote(str(run))}'")
    choice = choose(load_exploration(path), selector, everything=wanted.everything)
    setting = None if choice.index is None else choice.evaluations[choice.index].setting
    recipe = None if setting is None or setting.is_float else quantize_command(run, setting)
    if as_json:
        emit({"run": str(run), **choice.to_json(), "command": recipe})
    else:
        _print(choice, recipe or f"nothing to do, it is the float model of {run}")
    if choice.index is None:
        messages.print(choice.why, highlight=False)
        sys.exit(1)


def quantize_command(run: Path, setting: Setting) -> str:
    """Return the command that makes the model of a setting.

    >>> from spikequant.explore import Scheme
    >>> from spikequant.formats import FP32, QFormat
    >>> from spikequant.rounding import Rounding
    >>> setting = Setting(Scheme.PTQ, Rounding.SR, (("w", QFormat(1, 6)), ("V", FP32)))
    >>> quantize_command(Path("runs/usnn"), setting)
    'spikequant quantize runs/usnn --out FOLDER --format w=Q1.6 --format V=FP32 --rounding SR --scheme ptq'
    """
    words = ["spikequant", "quantize", str(run), "--out", "FOLDER"]
    for name, fmt in setting.formats:
        words += ["--format", f"{name}={fmt}"]
    words += ["--rounding", setting.rounding.value, "--scheme", setting.scheme.value.lower()]
    return shlex.join([*words, "--itq", "scratch"] if setting.scratch else words)


def _print(choice: Choice, recipe: str) -> None:
    baseline = choice.exploration.baseline
    plain.print(
        f"FP32 accuracy: {100 * baseline.accuracy:.2f} % of {baseline.samples:,} test samples;"
        f" {len(choice.evaluations):,} settings evaluated, {choice.considered:,} to choose from"
    )
    if not choice.exploration.complete:
        plain.print("the exploration has not ended; run 'spikequant explore' again to go on")
    if choice.index is not None:
        plain.print(f"chosen by {choice.selector}: {choice.candidates[choice.index].label}")
        plain.print(f"why: {choice.why}")
        plain.print(f"make it: {recipe}")
    plain.print(_front(choice))


def _front(choice: Choice) -> Table:
    """Return the Pareto front as a table, the choice marked."""
    table = Table(title="Pareto front of all that was evaluated", title_justify="left", box=None)
    table.add_column("")
    table.add_column("setting", no_wrap=True)
    for column in ("accuracy", "memory bits", "of FP32", "times smaller"):
        table.add_column(column, justify="right")
    table.add_column("within target")
    listed = list(choice.front)
    if choice.index is not None and choice.index not in listed:
        listed.append(choice.index)
        listed.sort(key=lambda i: (choice.evaluations[i].memory_bits, choice.evaluations[i].accuracy, i))
    for index in listed:
        evaluation = choice.evaluations[index]
        mark = "*" if index == choice.index and index in choice.front else "(*)" if index == choice.index else ""
        table.add_row(
            mark,
            choice.candidates[index].label,
            f"{100 * evaluation.accuracy:.2f} %",
            f"{evaluation.memory_bits:,}",
            f"{evaluation.memory_bits / evaluation.reference_bits:.4f}",
            f"{evaluation.saving:.4f}",
            "yes" if choice.exploration.meets(evaluation) else "no",
        )
    return table
