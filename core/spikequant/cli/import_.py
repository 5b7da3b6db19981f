"""``spikequant import``: a network of another tool becomes a run folder, or an integer program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from spikequant.cli.common import data_dir_option, emit, json_option, parse_options, plain
from spikequant.cli.import_options import (
    as_data,
    import_options,
    importer_for,
    known_options,
    taken,
    tell,
    timed,
)
from spikequant.cli.train import batch_line, epoch_line
from spikequant.errors import UsageError
from spikequant.exporter import check_target
from spikequant.files import check_writable
from spikequant.import_run import Wishes, import_run, recipe_of
from spikequant.importer import ImportedModel, ImportedProgram
from spikequant.importing import has_profile, read_file
from spikequant.nir_profile import write_program
from spikequant.program import Program
from spikequant.registry import node_kinds
from spikequant.runs import Watcher
from spikequant.runs.recipe import MOST_TIMESTEPS


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder or .nir file to make.")
@click.option("--data", help="Data set to calibrate and test on.")
@click.option("--timesteps", type=click.IntRange(1, MOST_TIMESTEPS), help="Default: frames of a sample of the data.")
@import_options
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the importer; repeatable.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe: quantizer.bits=4.")
@click.option("--learner", help="Learner of the recipe; default: none is trained.")
@data_dir_option
@json_option
def command(
    *,
    file: Path,
    out: Path,
    data: str | None,
    timesteps: int | None,
    importer: str | None,
    options: tuple[str, ...],
    changes: tuple[str, ...],
    learner: str | None,
    data_dir: Path | None,
    as_json: bool,
    **words: Any,
) -> None:
    """Import FILE, a network of another tool.

    A model in floats becomes a run folder, ready for 'calibrate', 'explore', 'quantize' and 'export'; one in
    integers becomes a .nir file, ready for 'run' and 'verify'. Everything that FILE does not say is reported.
    """
    words = timed(words, timesteps, known_options(file, importer))
    reader = importer_for(file, importer, taken(words, parse_options(options)))
    if importer is None and has_profile(file):
        raise UsageError(
            f"{file} has a quantization profile: it is a program of integers, ready for 'run' and 'verify'; give"
            f" --importer {reader.name} to import its half in floats"
        )
    read = read_file(reader, file)
    tell(read.findings)
    common = {"file": str(file), "importer": reader.name, "findings": as_data(read.findings)}
    if isinstance(read, ImportedProgram):
        if changes or learner:
            raise UsageError(f"{file} holds an integer program, which has no recipe; leave out --set and --learner")
        program = _program(read.program, data, timesteps)
        _write(program, out, file)
        if as_json:
            emit({**common, "program": str(out), "nodes": len(program.nodes), "timesteps": program.timesteps})
            return
        plain.print(f"{len(program.nodes)} nodes, {program.timesteps} timesteps")
        plain.print(f"written: {out}")
        return
    result = _run_folder(read, Wishes(data, timesteps, learner, changes), file, out, data_dir)
    if as_json:
        emit({**common, "run": str(out), **result})
        return
    names = {"float": "float", "trained": "in the recipe's formats"}
    for name, value in result["accuracy"].items():
        plain.print(f"test accuracy, {names.get(name, name)}: {100 * value:.2f} %")
    for note in result.get("notes", ()):
        plain.print(f"note: {note}")
    plain.print(f"written: {out}")


def _program(program: Program, data: str | None, timesteps: int | None) -> Program:
    """Return the program with what the user says about it."""
    if timesteps is not None:
        program = replace(program, timesteps=timesteps)
    return program if data is None else replace(program, provenance={**program.provenance, "data": data})


def _write(program: Program, out: Path, file: Path) -> None:
    if out.suffix.lower() != ".nir":
        raise UsageError(f"{file} holds an integer program; give --out a file name that ends in .nir, not {out}")
    if out.exists() and out.samefile(file):
        raise UsageError(f"--out {out} is the file that is imported; give another")
    check_writable(out, "--out")
    write_program(program, out, kinds=node_kinds())


def _run_folder(read: ImportedModel, wishes: Wishes, file: Path, out: Path, data_dir: Path | None) -> dict[str, Any]:
    if out.suffix.lower() == ".nir":
        raise UsageError(
            f"{file} is a model in floats, which becomes a run folder; give --out a folder, then 'spikequant export' it"
        )
    check_target(out)
    recipe = recipe_of(read, wishes, str(file))
    watcher = Watcher(batch_line, epoch_line)
    return import_run(read, recipe, out, source=file.name, data_dir=data_dir, watcher=watcher)
