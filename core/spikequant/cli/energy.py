"""``spikequant energy``: a model's energy from measured counts, beside vanilla UQ, an ANN and the paper's figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from spikequant.cli.common import (
    backend_options,
    emit,
    json_option,
    load_program,
    load_samples,
    make_backend,
    plain,
    run_batches,
    sample_options,
)
from spikequant.cli.progress import bar
from spikequant.counts import Counts
from spikequant.dataset import Split
from spikequant.energy.sheets import TimestepRun
from spikequant.energy.study import FILE, digest, energy_study
from spikequant.energy.table import EnergyTable, load_table
from spikequant.errors import UsageError
from spikequant.files import check_writable, reason, write_text
from spikequant.program import Program
from spikequant.registry import registry
from spikequant.trace import joined

DEFAULT = ("sata32", "horowitz45")


class WholeNumbers(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Whole numbers from 1 with commas between them, each once."""

    name = "N,N,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers; raises ``click.BadParameter`` where one is none."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        if not all(word.isascii() and word.isdecimal() and 0 < int(word) < 1 << 31 for word in words):
            self.fail(f"{value!r} is not a list of whole numbers from 1 such as 1,4,16", param, ctx)
        return tuple(dict.fromkeys(map(int, words)))


@dataclass(frozen=True)
class Runner:
    """A backend and the samples it runs."""

    backend: str
    options: tuple[str, ...]
    samples: Split

    def run(self, program: Program) -> TimestepRun:
        """Run the program as it is; accuracy is None without a readout."""
        compiled = make_backend(self.backend, self.options).compile(program)
        told = f"run {program.timesteps} timesteps on {self.backend}"
        with compiled as executable, bar(told, len(self.samples)) as go:
            batches = run_batches(executable, program, self.samples.x, record=False, batch=500, advance=go)
            trace = joined(list(batches))
        right = np.count_nonzero(trace.predictions() == self.samples.y) if trace.outputs else None
        accuracy = None if right is None else int(right) / len(self.samples)
        return TimestepRun(program.timesteps, trace.counts, accuracy)


@click.command("energy")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--counts", "counts_path", type=click.Path(path_type=Path), help="Counts written by 'run --counts'.")
@click.option("--table", "tables", multiple=True, help="Energy table: a name or a .toml file; repeatable.")
@click.option(
    "--batch-sizes", type=WholeNumbers(), default="1,4,16,32", show_default=True, help="Batches for memory energy."
)
@click.option("--timesteps", type=WholeNumbers(), help="Also run the model for these numbers of timesteps.")
@click.option("--save", type=click.Path(path_type=Path), help="Write everything (JSON); for a run: RUN/energy.json.")
@backend_options
@sample_options
@json_option
def command(
    *,
    model: Path,
    counts_path: Path | None,
    tables: tuple[str, ...],
    batch_sizes: tuple[int, ...],
    timesteps: tuple[int, ...] | None,
    save: Path | None,
    backend: str,
    options: tuple[str, ...],
    data: str | None,
    split: str,
    samples: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the energy of MODEL per sample under each assumption, in words.

    MODEL is a .nir file, or a run folder that holds model.nir; what is found out about a run is kept in
    it for 'report'. The operations are those counted in a run: that of --counts, or a new one on
    --backend. The tables are published energies per operation; by default both built-in ones.
    """
    if counts_path is not None and timesteps:
        raise UsageError("--timesteps runs the model, and --counts holds a run already; give one of the two")
    path, save = _places(model, save)
    program = load_program(path)
    if timesteps:
        _check_timesteps(program)
    chosen = _tables(tables or DEFAULT)
    if counts_path is not None:
        own, others = TimestepRun(program.timesteps, _read(counts_path, program)), []
    else:
        runner = Runner(backend, options, load_samples(program, data, split, samples, data_dir))
        own = runner.run(program)
        others = [own if t == program.timesteps else runner.run(replace(program, timesteps=t)) for t in timesteps or ()]
    study = energy_study(
        program, own.counts, chosen, model_sha256=digest(path), batches=batch_sizes, accuracy=own.accuracy, runs=others
    )
    found = {"model": str(path), **study.to_json()}
    if save is not None:
        write_text(save, json.dumps(found, indent=2) + "\n", "--save")
    if as_json:
        emit(found)
        return
    plain.print(str(study))
    if save is not None:
        plain.print(f"\nwritten: {save}")


def _places(model: Path, save: Path | None) -> tuple[Path, Path | None]:
    """Return the model's file and where to save: for a run folder its ``model.nir`` and ``energy.json``."""
    path = model
    if model.is_dir():
        path, save = model / "model.nir", save or model / FILE
        if not path.is_file():
            raise UsageError(
                f"{model} holds no model.nir; make one with 'spikequant export {model}', or give a .nir file"
            )
    if save is not None:
        check_writable(save, "--save")
    return path, save


def _check_timesteps(program: Program) -> None:
    for node in program.inputs:
        if node.coding == "per_step":
            raise UsageError(
                f"input '{node.name}' takes other values at each of its {program.timesteps} timesteps (per_step), so it"
                " cannot be run for another number; leave out --timesteps, or give a model with a direct input"
            )


def _tables(names: Sequence[str]) -> list[EnergyTable]:
    registered = {offer.name: offer.value for offer in registry().of("energy table")}
    found: dict[str, EnergyTable] = {}
    for name in names:
        table = load_table(name, registered)
        if found.setdefault(table.name, table) != table:
            raise UsageError(f"two energy tables are called '{table.name}'; give the one in {name} another name")
    return list(found.values())


def _read(path: Path, program: Program) -> Counts:
    try:
        counts = Counts.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} holds no counts: {reason(error)}; write them with 'spikequant run --counts'"
        ) from error
    unknown = sorted(set(counts.nodes) - {node.name for node in program.nodes})
    if unknown:
        raise UsageError(f"{path} counts node '{unknown[0]}', which the model does not have; count the same model")
    return counts
