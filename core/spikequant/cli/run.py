"""``spikequant run``: run a model on a backend."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource
from numpy.typing import NDArray

from spikequant.cli.common import (
    backend_options,
    emit,
    json_option,
    load_samples,
    make_backend,
    plain,
    sample_options,
)
from spikequant.cli.import_options import as_data, import_options, known_options
from spikequant.cli.model_file import ModelFile, open_model
from spikequant.cli.run_float import FloatRun
from spikequant.cli.run_program import ProgramRun
from spikequant.errors import UsageError
from spikequant.files import check_writable, write_text
from spikequant.import_run import Wishes
from spikequant.importer import ImportedModel
from spikequant.runs.recipe import MOST_TIMESTEPS
from spikequant.trace import Trace

MOST_SHOWN = 20


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path))
@backend_options
@click.option("--driver", help="How the backend drives its simulator; short for --option driver=NAME.")
@sample_options
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Run on this array (.npy or .csv, timesteps first) instead of a data set; one per input of the model.",
)
@click.option("--timesteps", type=click.IntRange(1, MOST_TIMESTEPS), help="Of a file without a number of its own.")
@import_options
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Floats: as of 'import', data.frame_ms=10.")
@click.option("--batch", type=click.IntRange(1), default=500, show_default=True, help="Samples at once.")
@click.option("--trace", "trace_path", type=click.Path(path_type=Path), help="Write every spike and state (.npz).")
@click.option("--counts", "counts_path", type=click.Path(path_type=Path), help="Write the counts (JSON).")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    model: Path,
    backend: str,
    options: tuple[str, ...],
    driver: str | None,
    data: str | None,
    split: str,
    samples: int | None,
    data_dir: Path | None,
    inputs: tuple[str, ...],
    timesteps: int | None,
    importer: str | None,
    changes: tuple[str, ...],
    batch: int,
    trace_path: Path | None,
    counts_path: Path | None,
    as_json: bool,
    **words: Any,
) -> None:
    """Run MODEL and print accuracy and counts.

    MODEL is a .nir with a quantization profile, or any file that an importer reads. An integer program runs on a
    backend; a model in floats runs as it is, on --data or on --input.
    """
    _check_outputs(trace_path, counts_path)
    opened = open_model(model, importer, words, timesteps, options)
    if isinstance(opened.network, ImportedModel):
        _check_floats(context, opened, model)
        wishes = Wishes(data, timesteps, changes=changes)
        FloatRun(model, opened.importer, wishes, split, samples, data_dir, inputs, batch, trace_path, as_json)(
            opened.network
        )
        return
    if changes:
        raise UsageError(f"{model} holds an integer program, which has no recipe; leave out --set")
    given = opened.options if driver is None else (*opened.options, f"driver={json.dumps(driver)}")
    executor = make_backend(backend, given)
    job = ProgramRun(opened.network, executor, batch, record=trace_path is not None)
    if inputs:
        if data is not None or samples is not None:
            raise UsageError("--input gives the samples; leave out --data and --samples")
        trace, labels = job.on_inputs(inputs, adapt=bool(opened.importer)), None
    else:
        chosen = load_samples(job.timed(timesteps, model), data, split, samples, data_dir)
        trace, labels = job.on_samples(chosen.x), chosen.y
    if trace_path is not None:
        trace.save(trace_path)
    if counts_path is not None:
        write_text(counts_path, json.dumps(trace.counts.to_json(), indent=2) + "\n", "--counts")
    summary = summarize(trace, labels)
    if as_json:
        found = {"importer": opened.importer, "findings": as_data(opened.findings)} if opened.importer else {}
        emit({"model": str(model), **found, **summary, "counts": trace.counts.to_json()})
        return
    for line in describe(summary):
        plain.print(line)


def _check_floats(context: click.Context, opened: ModelFile, model: Path) -> None:
    """Raise over options that a model in floats has no use for."""
    if opened.options:
        name = opened.options[0].partition("=")[0]
        known = ", ".join(sorted(known_options(model, opened.importer))) or "none"
        raise UsageError(
            f"importer '{opened.importer}' has no option '{name}'; its options are: {known} (a model in"
            " floats runs on no backend)"
        )
    for option in ("backend", "driver", "counts_path"):
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            word = option.partition("_")[0]
            raise UsageError(
                f"{model} is a model in floats, which runs on no backend; leave out --{word}, or import it"
            )


def summarize(trace: Trace, labels: NDArray[np.int64] | None) -> dict[str, Any]:
    """Return accuracy and totals of a run as plain data; accuracy is None without a readout, or without labels."""
    counts = trace.counts
    known = labels is not None and bool(trace.outputs)
    right = int(np.count_nonzero(trace.predictions() == labels)) if known else None
    classes = {"classes": trace.predictions().tolist()} if labels is None and trace.outputs else {}
    return {
        "backend": counts.backend,
        "samples": counts.samples,
        "correct": right,
        "accuracy": None if right is None else right / counts.samples,
        **classes,
        "spikes": counts.fires,
        "saturations": counts.saturations,
        "cycles": counts.cycles,
    }


def describe(summary: dict[str, Any]) -> list[str]:
    """Return the lines that a person reads."""
    accuracy = summary["accuracy"]
    shown = "no readout" if accuracy is None else f"accuracy {100 * accuracy:.2f} %"
    first = f"{summary['backend']}: {shown} ({summary['correct']} of {summary['samples']})"
    if "classes" in summary:
        shown = ", ".join(map(str, summary["classes"][:MOST_SHOWN]))
        first = f"{summary['backend']}: class {shown}" + (", ..." if len(summary["classes"]) > MOST_SHOWN else "")
    lines = [
        first,
        f"{summary['spikes']:,} spikes, {summary['saturations']:,} saturations of the potential",
    ]
    if summary["cycles"] is not None:
        per_sample = summary["cycles"] / summary["samples"]
        lines.append(f"{summary['cycles']:,} cycles, {per_sample:,.0f} per sample")
    return lines


def _check_outputs(trace_path: Path | None, counts_path: Path | None) -> None:
    """Raise before anything runs if what it gives could not be kept."""
    if trace_path is not None:
        check_writable(trace_path, "--trace")
    if counts_path is not None:
        check_writable(counts_path, "--counts")
    if (
        trace_path is not None
        and counts_path is not None
        and os.path.realpath(trace_path) == os.path.realpath(counts_path)
    ):
        raise UsageError(f"--trace and --counts both name {trace_path}; give each a file of its own")
