"""Train by a recipe in a run folder: floats first, then integers; stoppable and resumable after any epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from spikequant.dataset import Split
from spikequant.files import reason
from spikequant.learner import Learner, LearnerState
from spikequant.model import Model, accuracy
from spikequant.quantizer import Quantizer
from spikequant.runs.build import build_model, check_parts, load_data, make_learner, quantizer_factory
from spikequant.runs.checkpoint import load_checkpoint, save_checkpoint
from spikequant.runs.exact_torch import exact_torch
from spikequant.runs.folder import RunFolder
from spikequant.runs.parameters import MISFIT, check_finite, fill, foreign
from spikequant.runs.recipe import Recipe

Phase = Literal["float", "integer"]
Json = dict[str, Any]


@dataclass(frozen=True)
class Watcher:
    """What a caller wants to hear: ``batch(phase, epoch, epochs, done, total)`` and ``epoch(metrics)``."""

    batch: Callable[[Phase, int, int, int, int], None] = lambda *_: None
    epoch: Callable[[Mapping[str, Any]], None] = lambda _: None


@dataclass
class Training:
    """A run in progress; :meth:`run` takes it to its end from wherever it stands."""

    folder: RunFolder
    recipe: Recipe
    model: Model
    learner: Learner
    quantizer: Callable[[], Quantizer]
    train: Split
    test: Split
    watcher: Watcher = field(default_factory=Watcher)
    rows: list[Json] = field(default_factory=list)
    accuracies: Json = field(default_factory=dict)

    def run(self) -> Json:
        """Train what is left and return the result."""
        phase, done, state = self._position()
        if phase == "float":
            self._phase("float", self.recipe.training.float_epochs, done, state)
            self.accuracies["float"] = accuracy(self.model, self.test) if self.recipe.training.float_epochs else None
            self._save_model(self.folder.float_model)
            self.model.quantize(self.quantizer, ends=self.recipe.training.ends)
            done, state = 0, None
        self._phase("integer", self.recipe.training.epochs, done, state)
        self.accuracies["trained"] = accuracy(self.model, self.test)
        self._save_model(self.folder.model)
        result: Json = {"accuracy": self.accuracies, "test_samples": len(self.test), "epochs": len(self.rows)}
        if self.model.notes:
            result["notes"] = list(self.model.notes)
        self.folder.write_result(result, self.recipe)
        return result

    def _phase(self, phase: Phase, epochs: int, done: int, saved: Json | None) -> None:
        state = self.learner.start(self.model, epochs=epochs, seed=self.recipe.seed)
        if saved is not None:
            try:
                state.load_state_dict(saved)
            except MISFIT as error:
                raise foreign(self.folder.checkpoint, f"its learner's state does not fit ({reason(error)})") from error
        for number in range(done, epochs):
            metrics = self.learner.epoch(
                self.model,
                self.train,
                state,
                number,
                epochs=epochs,
                seed=self.recipe.seed,
                progress=lambda batch, total, number=number: self.watcher.batch(phase, number, epochs, batch, total),  # type: ignore[misc]
            )
            check_finite(self.model, metrics, f"{phase} epoch {number + 1}")
            row = {"phase": phase, "epoch": number + 1, **metrics, "test_accuracy": accuracy(self.model, self.test)}
            self.rows.append(row)
            self._save(phase, number + 1, state)
            self.watcher.epoch(row)

    def _save_model(self, path: Path) -> None:
        save_checkpoint(path, {"recipe": self.recipe.table(), "model": self.model.state_dict()})

    def _save(self, phase: Phase, done: int, state: LearnerState) -> None:
        content = {
            "recipe": self.recipe.table(),
            "phase": phase,
            "done": done,
            "model": self.model.state_dict(),
            "state": state.state_dict(),
            "rows": self.rows,
            "accuracies": self.accuracies,
        }
        save_checkpoint(self.folder.checkpoint, content)
        self.folder.write_metrics(self.rows)

    def _position(self) -> tuple[Phase, int, Json | None]:
        """Return phase, finished epochs and learner state; takes the parameters from the checkpoint."""
        path = self.folder.checkpoint
        if not path.exists():
            return "float", 0, None
        saved = load_checkpoint(path)
        self.folder.check_recipe(saved.get("recipe"), path)
        wanted = {"done": int, "rows": list, "accuracies": dict, "state": dict}
        if saved.get("phase") not in get_args(Phase) or any(type(saved.get(k)) is not t for k, t in wanted.items()):
            raise foreign(path, "it holds no state of a training")
        phase, done = saved["phase"], saved["done"]
        self.rows, self.accuracies = saved["rows"], saved["accuracies"]
        if phase == "integer":
            self.model.quantize(self.quantizer, ends=self.recipe.training.ends)
        fill(self.model, saved, path)
        self.folder.write_metrics(self.rows)
        return phase, done, saved["state"]


def train(
    recipe: Recipe,
    folder: RunFolder,
    *,
    resume: bool = False,
    data_dir: Path | None = None,
    device: str = "cpu",
    threads: int = 1,
    watcher: Watcher | None = None,
) -> Json:
    """Train ``recipe`` in ``folder`` and return the result.

    A new run makes the folder, and only once every part of the recipe and the data are there;
    ``resume`` continues from the folder's checkpoint. The result repeats to the bit for equal
    ``threads``: more of them add up float gradients in another order.

    Raises:
        PluginError: A part of the recipe is not installed or refuses its options.
        UsageError: The parts do not go together, see :func:`~spikequant.runs.build.check_parts`.
        DataError: The data set is missing or damaged.
        RunError: Another process is training in the folder, a new run meets an old one, the recipe of the
            folder was changed since, a file cannot be written, or the loss or a weight is no longer finite.
    """
    if not resume:
        check_parts(recipe)
    model = build_model(recipe).to(torch.device(device))
    learner, quantizer = make_learner(recipe), quantizer_factory(recipe)
    train_split, test_split = load_data(recipe, data_dir)
    if not resume:
        folder.make()
    with folder.lock(), exact_torch(threads):
        if not resume:
            folder.create(recipe)
        watch = watcher or Watcher()
        return Training(folder, recipe, model, learner, quantizer, train_split, test_split, watch).run()


def load_model(folder: RunFolder, *, precision: Phase = "integer") -> Model:
    """Return the trained model of a complete run, in evaluation mode.

    Raises:
        RunError: The run is not complete, a file is damaged, or the recipe was changed since.
    """
    recipe = folder.recipe()
    folder.result()
    path = folder.model if precision == "integer" else folder.float_model
    saved = load_checkpoint(path)
    folder.check_recipe(saved.get("recipe"), path)
    model = build_model(recipe)
    if precision == "integer":
        model.quantize(quantizer_factory(recipe), ends=recipe.training.ends)
    fill(model, saved, path)
    return model.eval()
