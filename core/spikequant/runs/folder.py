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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from filelock import FileLock, Timeout

from spikequant.errors import RunError
from spikequant.runs.recipe import Recipe, read_recipe

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
        return (self.path / "result.json").is_file()

    def create(self, recipe: Recipe) -> None:
        """Make the folder for a new run.

        Raises:
            RunError: It holds a run already, or cannot be made.
        """
        if (self.path / RECIPE).exists():
            state = "a complete run" if self.complete else "an unfinished run; continue it with --resume"
            raise RunError(f"{self.path} already holds {state}; choose another folder with --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"run folder {self.path} cannot be made: {error.strerror}") from error
        self._replace(RECIPE, tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True)))

    def lock(self) -> FileLock:
        """Return the lock that one training process holds.

        Raises:
            RunError: Another process is training here.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process is training in {self.path}; wait for it or choose another --out"
            ) from error
        return lock

    def recipe(self) -> Recipe:
        """Return the recipe of the run."""
        path = self.path / RECIPE
        if not path.is_file():
            raise RunError(f"{self.path} is not a run folder: it holds no {RECIPE}; make one with 'spikequant train'")
        return read_recipe(path)

    def result(self) -> Json:
        """Return the accuracies of a complete run.

        Raises:
            RunError: The run is not complete.
        """
        if not self.complete:
            raise RunError(f"the run in {self.path} is not complete; continue it with 'spikequant train --resume'")
        return self._read("result.json")

    def write_result(self, result: Json) -> None:
        """Mark the run as complete."""
        self._write("result.json", result)

    def metrics(self) -> list[Json]:
        """Return the metrics of all finished epochs."""
        path = self.path / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def write_metrics(self, rows: list[Json]) -> None:
        """Replace the metrics."""
        self._replace("metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def _write(self, name: str, content: Json) -> None:
        self._replace(name, json.dumps(content, indent=2) + "\n")

    def _replace(self, name: str, text: str) -> None:
        partial = self.path / (name + ".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path / name)

    def _read(self, name: str) -> Json:
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{self.path} is not a run folder: {name} cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise RunError(f"{self.path / name} is damaged: {error}") from error
        if not isinstance(content, dict):
            raise RunError(f"{self.path / name} is damaged: it does not hold a table")
        return content
