"""A training recipe: what is trained, how, on what; a TOML file, validated before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spikequant.errors import UsageError

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


class Part(BaseModel):
    """A plugin by name; every other key is one of its options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's options."""
        return dict(self.model_extra or {})


class DataPart(BaseModel):
    """A data set by name, and how many of its samples to use (all by default)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    train_samples: int | None = Field(default=None, ge=1)
    test_samples: int | None = Field(default=None, ge=1)


class TrainingPart(BaseModel):
    """Epochs of the two phases: in floats first, then in integers starting from the float weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    float_epochs: int = Field(default=10, ge=0)
    epochs: int = Field(default=20, ge=1)


class Recipe(BaseModel):
    """Everything that decides the outcome of a training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0)
    timesteps: int = Field(default=4, ge=1, le=1024)
    data: DataPart
    network: Part
    neuron: Part
    quantizer: Part
    learner: Part
    training: TrainingPart = TrainingPart()


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``changes`` such as ``quantizer.bits=2``.

    Raises:
        UsageError: The file is missing or not TOML, or a key is unknown, missing or out of range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"recipe {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {path} is not TOML: {error}") from error
    for change in changes:
        _apply(table, change)
    return parse_recipe(table, str(path))


def parse_recipe(table: dict[str, Any], source: str) -> Recipe:
    """Validate a recipe given as nested tables; ``source`` names it in errors."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UsageError(f"recipe {source}: '{where}': {first['msg'].lower()}{more}") from error


def _apply(table: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    *parents, last = key.split(".")
    if not equals or not all([*parents, last]):
        raise UsageError(f"--set {change!r} is not of the form table.key=value, such as quantizer.bits=2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {change!r}: '{parent}' is not a table in this recipe")
    table[last] = value
