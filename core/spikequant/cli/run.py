"""``spikequant run``: run a model on a backend."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import numpy as np

from spikequant.cli.common import (
    backend_options,
    emit,
    json_option,
    load_program,
    load_samples,
    make_backend,
    messages,
    plain,
    run_batches,
    sample_options,
)
from spikequant.cli.progress import bar
from spikequant.dataset import Split
from spikequant.errors import UsageError
from spikequant.files import check_writable, write_text
from spikequant.trace import Trace, joined


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path))
@backend_options
@click.option("--driver", help="How the backend drives its simulator; short for --option driver=NAME.")
@sample_options
@click.option("--batch", type=click.IntRange(1), default=500, show_default=True, help="Samples at once.")
@click.option("--trace", "trace_path", type=click.Path(path_type=Path), help="Write every spike and state (.npz).")
@click.option("--counts", "counts_path", type=click.Path(path_type=Path), help="Write the counts (JSON).")
@json_option
def command(
    *,
    model: Path,
    backend: str,
    options: tuple[str, ...],
    driver: str | None,
    data: str | None,
    split: str,
    samples: int | None,
    data_dir: Path | None,
    batch: int,
    trace_path: Path | None,
    counts_path: Path | None,
    as_json: bool,
) -> None:
    """Run MODEL (a .nir with a quantization profile) on a backend and print accuracy and counts."""
    _check_outputs(trace_path, counts_path)
    program = load_program(model)
    chosen = load_samples(program, data, split, samples, data_dir)
    record = trace_path is not None
    given = options if driver is None else (*options, f"driver={json.dumps(driver)}")
    compiled = make_backend(backend, given).compile(program)
    with compiled as executable, bar(f"run on {backend}", len(chosen)) as advance:
        if messages.is_terminal:
            executable.on_progress = messages.print
        trace = joined(list(run_batches(executable, program, chosen.x, record=record, batch=batch, advance=advance)))
    if trace_path is not None:
        trace.save(trace_path)
    if counts_path is not None:
        write_text(counts_path, json.dumps(trace.counts.to_json(), indent=2) + "\n", "--counts")
    summary = summarize(trace, chosen)
    if as_json:
        emit({"model": str(model), **summary, "counts": trace.counts.to_json()})
        return
    for line in describe(summary):
        plain.print(line)


def summarize(trace: Trace, samples: Split) -> dict[str, Any]:
    """Return accuracy and totals of a run as plain data; accuracy is None without a readout."""
    counts = trace.counts
    right = int(np.count_nonzero(trace.predictions() == samples.y)) if trace.outputs else None
    return {
        "backend": counts.backend,
        "samples": len(samples),
        "correct": right,
        "accuracy": None if right is None else right / len(samples),
        "spikes": counts.fires,
        "saturations": counts.saturations,
        "cycles": counts.cycles,
    }


def describe(summary: dict[str, Any]) -> list[str]:
    """Return the lines that a person reads."""
    accuracy = summary["accuracy"]
    shown = "no readout" if accuracy is None else f"accuracy {100 * accuracy:.2f} %"
    lines = [
        f"{summary['backend']}: {shown} ({summary['correct']} of {summary['samples']})",
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
