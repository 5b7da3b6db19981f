"""A run folder: recipe, progress, metrics, checkpoints and the result of one training run.

run/recipe.toml             what is trained, as validated
run/metrics.jsonl           one line per epoch
run/checkpoint.safetensors  after the last finished epoch: parameters, optimizer, position
run/float.safetensors       the float model
run/model.safetensors       the quantized model
run/result.json             accuracies; its presence means that the run is complete
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from filelock import FileLock, Timeout

from spikequant.errors import RunError, one_line
from spikequant.files import reason, replacing
from spikequant.runs.recipe import Recipe, differing_keys, read_recipe

Json = dict[str, Any]
RECIPE = "recipe.toml"


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch."""
        return self.path / "checkpoint.safetensors"

    @property
    def float_model(self) -> Path:
        """Parameters of the float model."""
        return self.path / "float.safetensors"

    @property
    def model(self) -> Path:
        """Parameters of the quantized model."""
        return self.path / "model.safetensors"

    @property
    def complete(self) -> bool:
        """Whether training has ended."""
        return os.path.isfile(self.path / "result.json")

    def make(self) -> None:
        """Make the folder, if it is not there.

        Raises:
            RunError: It cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"run folder {self.path} cannot be made: {reason(error)}") from error

    def create(self, recipe: Recipe) -> None:
        """Make the folder for a new run; one that never finished an epoch is replaced.

        Raises:
            RunError: It holds a run already, or cannot be made.
        """
        self.make()
        if self.complete or os.path.exists(self.checkpoint):
            state = "a complete run" if self.complete else "an unfinished run; continue it with --resume"
            raise RunError(f"{self.path} already holds {state}; choose another folder with --out")
        self.write(RECIPE, tomli_w.dumps(recipe.table()))

    def lock(self) -> FileLock:
        """Return the lock that one training process holds.

        Raises:
            RunError: Another process is training here, or the folder cannot be written.
        """
        for name in (".lock", RECIPE, "metrics.jsonl", "result.json", self.checkpoint.name):
            if (self.path / name).is_dir():
                raise RunError(f"{self.path / name} is a folder and must be a file; remove it")
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process is training in {self.path}; wait for it or choose another --out"
            ) from error
        except OSError as error:
            raise RunError(f"run folder {self.path} cannot be locked: {reason(error)}") from error
        return lock

    def recipe(self) -> Recipe:
        """Return the recipe of the run."""
        path = self.path / RECIPE
        if not os.path.isfile(path):
            raise RunError(
                f"{self.path} is not a run folder: it holds no {RECIPE}; make one with 'spikequant train', or of a"
                " network from elsewhere with 'spikequant import'"
            )
        return read_recipe(path)

    def result(self) -> Json:
        """Return the accuracies of a complete run.

        Raises:
            RunError: The run is not complete, its result is damaged, or its recipe was changed since.
        """
        if not self.complete:
            raise RunError(f"the run in {self.path} is not complete; continue it with 'spikequant train --resume'")
        path = self.path / "result.json"
        result = self._read(path.name)
        self.check_recipe(result.pop("recipe", None), path)
        check_result(result, path)
        return result

    def write_result(self, result: Json, recipe: Recipe) -> None:
        """Mark the run as complete; the recipe is kept beside it."""
        self.write("result.json", json.dumps({**result, "recipe": recipe.table()}, indent=2) + "\n")

    def check_recipe(self, kept: object, path: Path) -> None:
        """Raise unless the folder's recipe is the one that ``path`` was made by, which it keeps as ``kept``.

        Raises:
            RunError: It is another; the message names the keys.
        """
        changed = differing_keys(kept, self.recipe().table())
        if not isinstance(kept, dict):
            raise RunError(f"{path} does not say by which recipe it was made; train in another folder")
        if changed:
            keys = one_line(", ".join(f"'{key}'" for key in changed))
            raise RunError(
                f"{self.path / RECIPE} was changed since {path.name} was made: {keys};"
                " change it back, or train in another folder"
            )

    def metrics(self) -> list[Json]:
        """Return the metrics of all finished epochs."""
        path = self.path / "metrics.jsonl"
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {reason(error)}") from error

    def write_metrics(self, rows: list[Json]) -> None:
        """Replace the metrics."""
        self.write("metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def write(self, name: str, text: str) -> None:
        """Replace the file ``name`` in the folder, whole or not at all.

        Raises:
            RunError: It cannot be written.
        """
        path = self.path / name
        try:
            with replacing(path) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RunError(f"{path} cannot be written: {reason(error)}; make room and run the command again") from error

    def _read(self, name: str) -> Json:
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{self.path} is not a run folder: {name} cannot be read ({reason(error)})") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path / name} is damaged: {reason(error)}") from error
        if not isinstance(content, dict):
            raise RunError(f"{self.path / name} is damaged: it does not hold a table")
        return content


def check_result(result: Json, path: Path) -> None:
    """Raise unless ``result`` holds what training writes: accuracies, test samples and epochs.

    Raises:
        RunError: It does not; ``path`` is where it was read.
    """
    accuracy = result.get("accuracy")
    if not isinstance(accuracy, dict) or not {"float", "trained"} <= set(accuracy):
        raise RunError(f"{path} is damaged: 'accuracy' is not a table of 'float' and 'trained'")
    for name, value in accuracy.items():
        known = isinstance(value, float) and 0 <= value <= 1
        if not known and not (name == "float" and value is None):
            raise RunError(f"{path} is damaged: accuracy '{one_line(name)}' is {value!r:.40}, no fraction from 0 to 1")
    for name in ("test_samples", "epochs"):
        value = result.get(name)
        if type(value) is not int or value < 1:
            raise RunError(f"{path} is damaged: '{name}' is {value!r:.40}, no whole number from 1")
