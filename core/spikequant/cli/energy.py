"""``spikequant energy``: a model's energy from measured counts, beside vanilla UQ and an ANN."""

from __future__ import annotations

import json
from pathlib import Path

import click

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
from spikequant.energy import energy_comparison, load_table
from spikequant.errors import UsageError
from spikequant.files import reason
from spikequant.program import Program
from spikequant.registry import registry
from spikequant.trace import joined


@click.command("energy")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--counts", "counts_path", type=click.Path(path_type=Path), help="Counts written by 'run --counts'.")
@click.option("--table", "tables", multiple=True, help="Energy table: a name or a .toml file; repeatable.")
@backend_options
@sample_options
@json_option
def command(
    *,
    model: Path,
    counts_path: Path | None,
    tables: tuple[str, ...],
    backend: str,
    options: tuple[str, ...],
    data: str | None,
    split: str,
    samples: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the energy of MODEL per sample under each assumption, in words.

    The operations are those counted in a run: that of --counts, or a new one on --backend. The tables
    are published energies per operation; by default both built-in ones.
    """
    program = load_program(model)
    if counts_path is not None:
        counts = _read(counts_path, program)
    else:
        chosen = load_samples(program, data, split, samples, data_dir)
        with make_backend(backend, options).compile(program) as executable, bar(f"run on {backend}", len(chosen)) as go:
            counts = joined(
                list(run_batches(executable, program, chosen.x, record=False, batch=500, advance=go))
            ).counts
    registered = {offer.name: offer.value for offer in registry().of("energy table")}
    compared = {name: energy_comparison(counts, load_table(name, registered), program) for name in tables or DEFAULT}
    if as_json:
        emit(
            {
                "backend": counts.backend,
                "samples": counts.samples,
                "cycles": counts.cycles,
                "tables": {n: c.to_json() for n, c in compared.items()},
            }
        )
        return
    cycles = "" if counts.cycles is None else f", {counts.cycles / counts.samples:,.0f} cycles per sample"
    plain.print(f"counted by {counts.backend} on {counts.samples} samples{cycles}")
    for comparison in compared.values():
        plain.print(f"\n{comparison}")


DEFAULT = ("sata32", "horowitz45")


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
