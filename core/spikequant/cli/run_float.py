"""``spikequant run`` on a model in floats: accuracy on a data set, or what it makes of given inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.cli.common import emit, plain
from spikequant.cli.import_options import as_data
from spikequant.cli.progress import bar
from spikequant.data_folders import data_folders
from spikequant.dataset import Split
from spikequant.errors import UsageError
from spikequant.float_trace import FloatTrace, joined_floats
from spikequant.import_run import Wishes, float_model, recipe_of
from spikequant.importer import ImportedModel
from spikequant.input_files import read_inputs
from spikequant.model import as_input, at_once
from spikequant.runs import Recipe
from spikequant.runs.build import recipe_dataset

MOST_ROWS = 20


@dataclass(frozen=True)
class FloatRun:
    """What a user asks of a model in floats.

    Attributes:
        file: Where it came from.
        importer: Name of who read it.
        wishes: Data set, timesteps and changes of the recipe.
        split: ``train`` or ``test``.
        samples: Only the first ones.
        data_dir: Where data sets lie.
        inputs: Words of ``--input``.
        batch: Samples at once.
        trace_path: Where to keep every spike and potential.
        as_json: Print one JSON object.
    """

    file: Path
    importer: str
    wishes: Wishes
    split: str
    samples: int | None
    data_dir: Path | None
    inputs: tuple[str, ...]
    batch: int
    trace_path: Path | None
    as_json: bool

    def __call__(self, model: ImportedModel) -> None:
        """Run and print.

        Raises:
            UsageError: Neither data nor inputs are given, or both; or they do not fit the model.
        """
        if self.inputs:
            if self.wishes != Wishes() or self.samples is not None:
                raise UsageError("--input gives the samples; leave out --data, --samples, --timesteps and --set")
            self._print(model, self._on_inputs(model))
            return
        if self.wishes.data is None and not any(text.startswith("data.name=") for text in self.wishes.changes):
            names = " ".join(f"--input {name}=FILE" for name in model.input_shapes)
            raise UsageError(
                f"{self.file} is a model in floats; give it a data set with --data, or arrays with {names}"
            )
        self._print(model, self._on_data(model))

    def _on_inputs(self, model: ImportedModel) -> dict[str, Any]:
        inputs = read_inputs(self.inputs, model.input_shapes)
        steps, batch = next(iter(inputs.values())).shape[:2]
        tally = Tally(keep=self.trace_path is not None)
        with bar("run in floats", batch) as advance:
            for start in range(0, batch, self.batch):
                part = {name: array[:, start : start + self.batch] for name, array in inputs.items()}
                tally.add(model.run(part, record=True))
                advance(min(self.batch, batch - start))
        if self.trace_path is not None:
            joined_floats(tally.traces).save(self.trace_path)
        return {"timesteps": steps, "samples": batch, **tally.summary()}

    def _on_data(self, model: ImportedModel) -> dict[str, Any]:
        recipe = recipe_of(model, self.wishes, str(self.file))
        made = float_model(model, recipe)
        dataset = recipe_dataset(recipe)
        split = dataset.load("test" if self.split == "test" else "train", data_folders(self.data_dir)).head(
            self.samples
        )
        with bar("run in floats", len(split)) as advance:
            done = [0]

            def progress(now: int, total: int) -> None:
                advance(now - done[0])
                done[0] = now

            right = type(made).right([made], split, progress)[0]
        if self.trace_path is not None:
            self._trace(model, recipe, split, dataset.peak).save(self.trace_path)
        accuracy = right / len(split)
        common = {"data": recipe.data.name, "timesteps": recipe.timesteps, "samples": len(split)}
        return {**common, "correct": right, "accuracy": accuracy}

    def _trace(self, model: ImportedModel, recipe: Recipe, split: Split, peak: int) -> FloatTrace:
        """Return every spike and potential on a data set's samples, whose value ``peak`` is a real 1."""
        (name, shape), *others = model.input_shapes.items()
        if others:
            raise UsageError(f"{self.file} has several inputs; trace it on arrays, with --input NAME=FILE for each")
        frames = split.x.ndim == 2 + len(recipe_dataset(recipe).shape)
        traces = []
        for x in _batches(split, at_once(split.x, self.batch)):
            values = as_input(x).numpy() / np.float32(peak)
            steps = np.moveaxis(values, 0, 1) if frames else np.broadcast_to(values, (recipe.timesteps, *values.shape))
            traces.append(model.run({name: steps.reshape(*steps.shape[:2], *shape)}))
        return joined_floats(traces)

    def _print(self, model: ImportedModel, summary: dict[str, Any]) -> None:
        if self.as_json:
            found = as_data(model.findings)
            emit({"model": str(self.file), "importer": self.importer, "findings": found, "dt": model.dt, **summary})
            return
        for line in describe(summary):
            plain.print(line)
        if self.trace_path is not None:
            plain.print(f"written: {self.trace_path}")


def _batches(split: Split, size: int) -> Iterator[NDArray[np.integer]]:
    for start in range(0, len(split), size):
        yield split.x[start : start + size]


@dataclass
class Tally:
    """Counts spikes and reads classes batch by batch, so that only what is asked for is kept."""

    keep: bool
    traces: list[FloatTrace] = field(default_factory=list)
    spikes: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    sums: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, trace: FloatTrace) -> None:
        """Count one batch."""
        for name, spikes in trace.spikes.items():
            self.spikes[name] = self.spikes.get(name, 0) + int(spikes.sum(dtype=np.int64))
            self.places[name] = self.places.get(name, 0) + spikes.size
        for name, output in trace.outputs.items():
            self.sums.setdefault(name, []).append(output.sum(axis=0, dtype=np.float64).reshape(output.shape[1], -1))
        if self.keep:
            self.traces.append(trace)

    def summary(self) -> dict[str, Any]:
        """Return spikes and rates by layer, and of each output what it sums up to over time and its class."""
        layers = {name: {"spikes": n, "rate": n / max(self.places[name], 1)} for name, n in self.spikes.items()}
        sums = {name: np.concatenate(parts) for name, parts in self.sums.items()}
        outputs = {name: {"class": s.argmax(axis=1).tolist(), "sum": s.tolist()} for name, s in sums.items()}
        return {"layers": layers, "outputs": outputs}


def describe(summary: Mapping[str, Any]) -> list[str]:
    """Return the lines that a person reads."""
    many = "sample" if summary["samples"] == 1 else "samples"
    lines = [f"in floats: {summary['samples']} {many}, {summary['timesteps']} timesteps"]
    if "accuracy" in summary:
        shown = f"accuracy {100 * summary['accuracy']:.2f} %"
        lines[0] = (
            f"in floats: {shown} ({summary['correct']} of {summary['samples']}), {summary['timesteps']} timesteps"
        )
    for name, layer in summary.get("layers", {}).items():
        lines.append(f"{name}: {layer['spikes']:,} spikes, {layer['rate']:.6f} per neuron and timestep")
    for name, output in summary.get("outputs", {}).items():
        classes = output["class"]
        if len(output["sum"][0]) == 1:
            values = [f"{row[0]:g}" for row in output["sum"][:MOST_ROWS]]
            lines.append(f"{name}: summed over time {_some(values, len(classes))}")
        else:
            lines.append(f"{name}: class {_some([str(c) for c in classes[:MOST_ROWS]], len(classes))}")
    return lines


def _some(words: list[str], total: int) -> str:
    return ", ".join(words) + (f", ... ({total} samples)" if total > len(words) else "")
