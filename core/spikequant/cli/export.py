"""``spikequant export``: a trained run as a ``.nir`` with its quantization profile, or a program for other tools."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

import click

from spikequant.cli.common import data_dir_option, emit, json_option, load_program, load_samples, parse_options, plain
from spikequant.errors import UsageError
from spikequant.exporter import Exporter, check_target, export_to
from spikequant.nir_profile import NIR_VERSIONS, NirVersion, PlainForm, beyond_nir, write_plain
from spikequant.program import Program, integers
from spikequant.program_inputs import program_inputs
from spikequant.registry import node_kinds, registry
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
@click.option("--plain", "as_plain", is_flag=True, help="Leave the profile out: a file for other readers of NIR.")
@click.option("--nir-version", type=click.Choice(NIR_VERSIONS), help="With --plain, whose layout; default: 1.0.8.")
@click.option("--unit-gain", is_flag=True, help="With --plain, r = 1 and v_leak = 0 in every LIF, the weights scaled.")
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
    as_plain: bool,
    nir_version: NirVersion | None,
    unit_gain: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write the quantized model of a run folder as a .nir file, or a model for the tools of others (--to).

    For nir, MODEL is a run folder and DESTINATION a file, by default MODEL/model.nir. The integers are checked
    against the trained model on calibration samples first; if any spike or state differs, nothing is written.
    With --plain, MODEL may also be a .nir file with profile, and DESTINATION must be given for it.

    For an exporter of a plugin, MODEL is a .nir file or a run folder, and DESTINATION a folder to make.
    """
    if destination is not None and out is not None:
        raise UsageError(f"the destination is given twice, as {destination} and as --out {out}; give one")
    place = destination or out
    form = _form(target, nir_version, as_plain=as_plain, unit_gain=unit_gain)
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
    if form is not None and model.is_file():
        _rewrite(model, place, form, as_json=as_json)
        return
    path = place or model / "model.nir"
    export = export_run(RunFolder(model), path, samples=samples, data_dir=data_dir, plain=form)
    _report_file(path, export, as_json=as_json)


def _form(target: str, nir_version: NirVersion | None, *, as_plain: bool, unit_gain: bool) -> PlainForm | None:
    """Return the form of a plain file, or ``None`` where the profile is written."""
    given = {"--plain": as_plain, "--nir-version": nir_version, "--unit-gain": unit_gain}
    named = [option for option, value in given.items() if value]
    if named and target != NIR:
        raise UsageError(f"{named[0]} is for .nir files; leave it out with --to {target}")
    if named and not as_plain:
        raise UsageError(f"{named[0]} is for files without the profile; add --plain")
    return PlainForm(nir_version or PlainForm.nir_version, unit_gain) if as_plain else None


def _rewrite(model: Path, place: Path | None, form: PlainForm, *, as_json: bool) -> None:
    """Write the program of a ``.nir`` file as a plain one."""
    if place is None or place.resolve() == model.resolve():
        raise UsageError(f"{model} would lose its profile; give another file as DESTINATION")
    program = load_program(model)
    write_plain(program, place, form, node_kinds())
    if as_json:
        emit({"file": str(place), "beyond_nir": {item.rule: None for item in beyond_nir(program, kinds=node_kinds())}})
        return
    plain.print(str(program))
    plain.print(f"written: {place}")


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
