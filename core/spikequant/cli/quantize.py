"""``spikequant quantize``: a trained run in formats of one's choice."""

from __future__ import annotations

from pathlib import Path

import click

from spikequant.cli.common import data_dir_option, emit, json_option, messages, plain
from spikequant.cli.train import batch_line, epoch_line
from spikequant.errors import UsageError
from spikequant.explore import Scheme
from spikequant.formats import Format, parse_format
from spikequant.quantize import chosen_setting, quantize_run
from spikequant.rounding import Rounding
from spikequant.runs import RunFolder, Watcher


@click.command("quantize")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to make.")
@click.option(
    "--format", "formats", multiple=True, metavar="NAME=FORMAT", help="Of a quantity: w=Q1.6, V=Q11.6, U=INT4."
)
@click.option("--rounding", type=click.Choice([r.value for r in Rounding]), default="RN", show_default=True)
@click.option("--scheme", type=click.Choice(["ptq", "itq"]), default="ptq", show_default=True)
@click.option(
    "--itq",
    type=click.Choice(["finetune", "scratch"]),
    help="ITQ trains on from the float model (finetune, the default), or from the seed (scratch).",
)
@click.option("--epochs", type=click.IntRange(1), help="Of ITQ; default: as the recipe.")
@data_dir_option
@json_option
def command(
    *,
    run: Path,
    out: Path,
    formats: tuple[str, ...],
    rounding: str,
    scheme: str,
    itq: str | None,
    epochs: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Quantize the float model of RUN and write a new run folder, ready for 'export'.

    Quantities without --format keep the format of the recipe. PTQ trains no more, ITQ does.
    """
    setting = chosen_setting(
        tuple(_format(text) for text in formats), Rounding(rounding), Scheme(scheme.upper()), scratch=itq == "scratch"
    )
    if scheme == "ptq" and (epochs is not None or itq is not None):
        raise UsageError(
            f"{'--itq' if epochs is None else '--epochs'} is for ITQ, and PTQ trains no more; add --scheme itq"
        )
    watcher = Watcher(batch_line, epoch_line)
    try:
        result = quantize_run(run, RunFolder(out), setting, epochs=epochs, data_dir=data_dir, watcher=watcher)
    except KeyboardInterrupt:
        messages.print(f"stopped; continue with: spikequant train --resume --out {out}")
        raise
    if as_json:
        emit({"run": str(out), "setting": setting.to_json(), **result})
        return
    for name, value in result["accuracy"].items():
        shown = "not trained" if value is None else f"{100 * value:.2f} %"
        plain.print(f"test accuracy, {name}: {shown}")
    for note in result.get("notes", ()):
        plain.print(f"note: {note}")
    plain.print(f"written: {out}")


def _format(text: str) -> tuple[str, Format]:
    name, equals, fmt = text.partition("=")
    if not name or not equals:
        raise UsageError(f"--format {text!r} is not of the form NAME=FORMAT, such as w=Q1.6")
    return name, parse_format(fmt)
