"""A training recipe: what is trained, how, on what; a TOML file, validated before anything runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spikequant.errors import UsageError, one_line

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

LARGEST = (1 << 63) - 1
"""What TOML promises to hold."""
MOST_TIMESTEPS = 100_000
"""DVS-Gesture tests take 1,800; at 1 ms a step this is 100 s."""


class Part(BaseModel):
    """A plugin by name; every other key is one of its options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's options."""
        return dict(self.model_extra or {})


class DataPart(Part):
    """A data set by name, and how many of its samples to use (all by default); the rest are its options."""

    train_samples: int | None = Field(default=None, ge=1)
    test_samples: int | None = Field(default=None, ge=1)


class TrainingPart(BaseModel):
    """Epochs of the two phases: in floats first, then in integers starting from the float weights.

    No integer epochs is post-training quantization (PTQ), no float epochs is in-training quantization (ITQ)
    from scratch, both is fine-tuning.

    ``ends = "float"`` leaves the first and the last layer in floats, as MINT's published code has it: for
    comparing accuracies only, such a run cannot be exported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    float_epochs: int = Field(default=10, ge=0)
    epochs: int = Field(default=20, ge=0)
    ends: Literal["integer", "float"] = "integer"

    @model_validator(mode="after")
    def _trains(self) -> TrainingPart:
        if self.float_epochs + self.epochs < 1:
            raise ValueError("neither phase has an epoch; give float_epochs or epochs")
        return self


class Recipe(BaseModel):
    """Everything that decides the outcome of a training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0, le=LARGEST)
    timesteps: int = Field(default=4, ge=1, le=MOST_TIMESTEPS)
    data: DataPart
    network: Part
    neuron: Part
    quantizer: Part
    learner: Part
    training: TrainingPart = TrainingPart()

    def table(self) -> dict[str, Any]:
        """Return the recipe as plain JSON data, every default filled in and no ``None`` in it."""
        return self.model_dump(mode="json", exclude_none=True)


def differing_keys(before: object, now: object, where: str = "") -> list[str]:
    """Return the dotted keys in which two tables differ; ``where`` itself if one is no table."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return [] if type(before) is type(now) and before == now else [where]
    inner = [(f"{where}.{key}" if where else str(key), key) for key in dict.fromkeys([*before, *now])]
    return [found for name, key in inner for found in differing_keys(before.get(key), now.get(key), name)]


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``changes`` such as ``quantizer.bits=2``.

    Raises:
        UsageError: The file is missing or not TOML, or a key is unknown, missing or out of range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"recipe {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"recipe {path} is not TOML: {one_line(error)}") from error
    apply_changes(table, changes)
    return parse_recipe(table, str(path))


def apply_changes(table: dict[str, Any], changes: Sequence[str]) -> None:
    """Apply changes such as ``quantizer.bits=2`` to a recipe's nested tables, in place.

    Raises:
        UsageError: One is not of that form.
    """
    for change in changes:
        _apply(table, change)


def parse_recipe(table: dict[str, Any], source: str) -> Recipe:
    """Validate a recipe given as nested tables; ``source`` names it in errors."""
    try:
        recipe = Recipe.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = one_line(".".join(str(part) for part in first["loc"]))
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UsageError(f"recipe {source}: '{where}': {one_line(first['msg'].lower())}{more}") from error
    for where, number in _numbers(recipe.model_dump(), ""):
        if isinstance(number, int) and abs(number) > LARGEST:
            raise UsageError(f"recipe {source}: '{one_line(where)}': input is beyond 64 bits; give a smaller number")
        if not math.isfinite(number):
            raise UsageError(f"recipe {source}: '{one_line(where)}': input is {number}; give a finite number")
    return recipe


def _numbers(value: Any, where: str) -> Iterator[tuple[str, float]]:
    """Yield every number in nested tables and lists under its dotted key."""
    if isinstance(value, (int, float)):
        yield where, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _numbers(item, f"{where}.{key}" if where else str(key))


def _apply(table: dict[str, Any], change: str) -> None:
    if not change.isprintable():
        raise UsageError(
            f"--set {change!r} holds a line break or another control character; give one value in one line"
        )
    key, equals, text = change.partition("=")
    *parents, last = key.split(".")
    if not equals or not all([*parents, last]):
        raise UsageError(f"--set {change!r} is not of the form table.key=value, such as quantizer.bits=2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {change!r}: '{parent}' is not a table in this recipe")
    table[last] = value
