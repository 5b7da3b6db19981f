"""``spikequant verify``: find the first spike or state in which an executor differs from the oracle."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from spikequant.backend import Backend
from spikequant.cli.common import (
    backend_options,
    batch_size,
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
from spikequant.errors import UsageError
from spikequant.event_frames import EventFrames
from spikequant.oracle import run_oracle
from spikequant.program import Program, integers
from spikequant.program_inputs import program_inputs
from spikequant.runs import RunFolder, load_model
from spikequant.runs.export import model_trace
from spikequant.trace import Trace
from spikequant.verify import Verdict, compare


@click.command("verify")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False)
@backend_options
@sample_options
@click.option("--trained", type=click.Path(path_type=Path), help="Compare the training model of this run folder.")
@click.option("--batch", type=click.IntRange(1), default=250, show_default=True, help="Samples at once.")
@json_option
def command(
    *,
    model: Path,
    other: Path | None,
    backend: str,
    options: tuple[str, ...],
    data: str | None,
    split: str,
    samples: int | None,
    data_dir: Path | None,
    trained: Path | None,
    batch: int,
    as_json: bool,
) -> None:
    """Compare executors with ==: every spike, every stored potential, every readout of every timestep.

    With a .nir MODEL, runs it on --backend (or takes the training model of --trained) and on the
    oracle. With two traces (.npz), compares them; the first counts as right. Exit code 1 when
    anything differs.
    """
    claims: tuple[str, ...] = ()
    if other is not None:
        verdict, what = compare(Trace.load(model), Trace.load(other)), f"{other} against {model}"
    elif model.suffix == ".npz":
        raise UsageError(f"{model} is a trace; give a second trace to compare it with, or a .nir model")
    else:
        program = load_program(model)
        chosen = load_samples(program, data, split, samples, data_dir)
        what = f"training model of {trained}" if trained is not None else backend
        with bar(f"verify {what}", len(chosen)) as advance:
            if trained is not None:
                verdict = _verify_trained(program, RunFolder(trained), chosen.x, batch, advance)
            else:
                verdict, claims = _verify_backend(program, make_backend(backend, options), chosen.x, batch, advance)
    if as_json:
        emit({**_as_json(what, verdict), **({"claims": list(claims)} if claims else {})})
    else:
        plain.print(f"verify: {what}: {verdict}")
        for claim in claims:
            plain.print(f"verify: {what}: {claim}")
    sys.exit(0 if verdict.identical else 1)


def _verify_backend(
    program: Program,
    backend: Backend,
    x: NDArray[np.integer[Any]] | EventFrames,
    batch: int,
    advance: Callable[[int], None],
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict, and what the backend itself claims of all that it ran."""
    total = Total([node.name for node in program.order])
    claims: tuple[str, ...] = ()
    with backend.compile(program) as executable:
        for trace in run_batches(executable, program, x, record=True, batch=batch, advance=advance):
            same = integers(x[total.samples : total.samples + trace.counts.samples])
            total.add(run_oracle(program, program_inputs(program, same)), trace)
            claims = trace.counts.claims
    return total.verdict, claims


def _verify_trained(
    program: Program,
    folder: RunFolder,
    x: NDArray[np.integer[Any]] | EventFrames,
    batch: int,
    advance: Callable[[int], None],
) -> Verdict:
    total = Total([node.name for node in program.order])
    model = load_model(folder)
    size = batch_size(program, batch)
    for start in range(0, len(x), size):
        chosen = integers(x[start : start + size])
        total.add(run_oracle(program, program_inputs(program, chosen)), model_trace(model, chosen))
        advance(len(chosen))
    return total.verdict


@dataclass
class Total:
    """Adds up the verdicts of consecutive batches; the first difference keeps its sample's number overall."""

    order: list[str]
    samples: int = 0
    verdict: Verdict = Verdict(0, 0, 0, 0, None)  # noqa: RUF009 - frozen

    def add(self, expected: Trace, got: Trace) -> None:
        """Compare one batch."""
        here, sofar = compare(expected, got, self.order), self.verdict
        first = sofar.first
        if first is None and here.first is not None:
            first = replace(here.first, sample=here.first.sample + self.samples)
        self.verdict = Verdict(
            sofar.spikes + here.spikes,
            sofar.states + here.states,
            sofar.outputs + here.outputs,
            sofar.differences + here.differences,
            first,
        )
        self.samples += expected.counts.samples


def _as_json(what: str, verdict: Verdict) -> dict[str, object]:
    first = None if verdict.first is None else vars(verdict.first)
    return {
        "compared": what,
        "identical": verdict.identical,
        "spikes": verdict.spikes,
        "states": verdict.states,
        "outputs": verdict.outputs,
        "differences": verdict.differences,
        "first": first,
    }
