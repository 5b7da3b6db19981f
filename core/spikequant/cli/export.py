"""``spikequant export``: a trained run as a ``.nir`` with its quantization profile, or a program for other tools."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

import click

from spikequant.cli.common import data_dir_option, emit, json_option, load_program, load_samples, parse_options, plain
from spikequant.errors import UsageError
from spikequant.exporter import Exporter, check_target, export_to
from spikequant.program import Program, integers
from spikequant.program_inputs import program_inputs
from spikequant.registry import registry
from spikequant.runs import RunFolder
from spikequant.runs.export import Export, export_run

NIR = "nir"


@click.command("export")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("destination", type=click.Path(path_type=Path), required=False)
@click.option("--to", "target", default=NIR, show_default=True, help="nir, or the name of an exporter.")
@click.option("--out", type=click.Path(path_type=Path), help="The same as DESTINATION.")
@click.option("--samples", type=click.IntRange(1), help="nir: training samples to check on; else: samples to write.")
@click.option("--data", help="Data set of the samples to write; default: the one the model was trained on.")
@click.option("--split", type=click.Choice(["train", "test"]), help="Of the samples to write; default: test.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the exporter; repeatable.")
@data_dir_option
@json_option
def command(
    *,
    model: Path,
    destination: Path | None,
    target: str,
    out: Path | None,
    samples: int | None,
    data: str | None,
    split: str | None,
    options: tuple[str, ...],
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write the quantized model of a run folder as a .nir file, or a model for the tools of others (--to).

    For nir, MODEL is a run folder and DESTINATION a file, by default MODEL/model.nir. The integers are checked
    against the trained model on calibration samples first; if any spike or state differs, nothing is written.

    For an exporter of a plugin, MODEL is a .nir file or a run folder, and DESTINATION a folder to make.
    """
    if destination is not None and out is not None:
        raise UsageError(f"the destination is given twice, as {destination} and as --out {out}; give one")
    place = destination or out
    if target != NIR:
        if place is None:
            raise UsageError(f"--to {target} needs the folder to make; give it behind the model")
        exporter = cast("Exporter", registry().make("exporter", target, parse_options(options)))
        check_target(place)
        program = _program(model, data_dir)
        chosen = load_samples(program, data, split or "test", samples or 1, data_dir)
        lines = export_to(exporter, program, program_inputs(program, integers(chosen.x[:])), place)
        _report_folder(place, target, len(chosen), list(lines), as_json=as_json)
        return
    given = {"--data": data, "--split": split, "--option": options}
    for option, value in given.items():
        if value:
            raise UsageError(f"{option} is for the exporters of plugins; leave it out with --to nir")
    path = place or model / "model.nir"
    _report_file(path, export_run(RunFolder(model), path, samples=samples, data_dir=data_dir), as_json=as_json)


def _program(model: Path, data_dir: Path | None) -> Program:
    """Return the program of a ``.nir`` file, or of a run folder, checked against the trained model."""
    if not model.is_dir():
        return load_program(model)
    with tempfile.TemporaryDirectory() as scratch:
        return export_run(RunFolder(model), Path(scratch) / "model.nir", data_dir=data_dir).program


def _report_folder(place: Path, target: str, samples: int, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        emit({"folder": str(place), "to": target, "samples": samples, "notes": lines})
        return
    for line in lines:
        plain.print(line)
    plain.print(f"written: {place}")


def _report_file(path: Path, export: Export, *, as_json: bool) -> None:
    verdict = export.verdict
    if as_json:
        emit(
            {
                "file": str(path),
                "samples": export.samples,
                "identical": verdict.identical,
                "spikes": verdict.spikes,
                "states": verdict.states,
                "beyond_nir": {item.rule: item.acted for item in export.beyond},
                "overflows": dict(export.overflows),
            }
        )
        return
    plain.print(str(export.program))
    plain.print(f"trained model against oracle on {export.samples} calibration samples: {verdict}")
    for name, count in export.overflows.items():
        plain.print(f"overflow: {count:,} values of {name} lie beyond the range of their format")
    for item in export.beyond:
        if item.acted is not None:
            plain.print(f"beyond plain NIR: {item.rule} acted {item.acted:,} times on the calibration samples")
    uncounted = [item.rule for item in export.beyond if item.acted is None]
    if uncounted:
        plain.print(f"beyond plain NIR, not counted: {', '.join(uncounted)}")
    plain.print(f"written: {path}")
