"""Inputs that a user gives as files: arrays over time, for the inputs of a network by name."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.files import reason
from spikequant.program import Shape

Array = NDArray[Any]
LARGEST = float(np.finfo(np.float32).max)


def read_inputs(words: Sequence[str], shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Return the arrays ``(timesteps, batch, *shape)`` that ``words`` name.

    Args:
        words: Each ``FILE``, where there is one input, or ``NAME=FILE``. A ``.npy`` holds ``(timesteps, *shape)`` or
            ``(timesteps, batch, *shape)``, or as many elements; a ``.csv`` one row per timestep, after at most one row
            of headings.
        shapes: Of the inputs, without time and batch.

    Raises:
        UsageError: An input is missing, unknown or given twice; a file cannot be read or does not fit; or the files
            differ in timesteps or batch.
    """
    found: dict[str, Array] = {}
    for text in words:
        name, path = _named(text, shapes)
        if name in found:
            raise UsageError(f"input '{name}' is given twice; give it once")
        found[name] = _shaped(_read(path), shapes[name], path)
    missing = [name for name in shapes if name not in found]
    if missing:
        raise UsageError(f"input '{missing[0]}' is not given; add --input {missing[0]}=FILE")
    sizes = {array.shape[:2] for array in found.values()}
    if len(sizes) > 1:
        each = ", ".join(f"{name} {array.shape[:2]}" for name, array in found.items())
        raise UsageError(f"the inputs differ in (timesteps, batch): {each}; give all the same")
    return {name: found[name] for name in shapes}


def _named(text: str, shapes: Mapping[str, Shape]) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if equals and name in shapes:
        return name, Path(path)
    if len(shapes) == 1:
        return next(iter(shapes)), Path(text)
    raise UsageError(f"--input {text}: the network has inputs {', '.join(shapes)}; say which: --input NAME=FILE")


def _read(path: Path) -> Array:
    try:
        array = _table(path) if path.suffix.lower() == ".csv" else np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UsageError(f"--input {path} cannot be read: {reason(error)}; give a .npy or .csv file") from error
    except (ValueError, EOFError, TypeError, OverflowError, MemoryError, csv.Error) as error:
        raise UsageError(f"--input {path} is no .npy or .csv of numbers ({reason(error)}); write it again") from error
    if not isinstance(array, np.ndarray):
        raise UsageError(f"--input {path} is an archive of several arrays; give one array as .npy")
    if array.dtype.kind not in "biuf" or not array.ndim or not array.size:
        raise UsageError(f"--input {path} holds {array.dtype} {array.shape}; it must hold numbers over time")
    if not np.isfinite(array).all() or (array.dtype.kind == "f" and np.abs(array).max() > LARGEST):
        raise UsageError(f"--input {path} holds numbers that are not finite in single precision; give finite ones")
    return np.asarray(array)


def _table(path: Path) -> Array:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.reader(stream) if row]
    if rows and not _is_numbers(rows[0]):
        rows = rows[1:]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise ValueError("its rows differ in length" if rows else "it has no rows")
    return np.array(rows, dtype=np.float64)


def _is_numbers(row: Sequence[str]) -> bool:
    try:
        [float(cell) for cell in row]
    except ValueError:
        return False
    return True


def _shaped(array: Array, shape: Shape, path: Path) -> Array:
    """Return ``(timesteps, batch, *shape)``; an exact shape goes before one with as many elements."""
    single = (len(array), 1, *shape)
    several = (*array.shape[:2], *shape)
    for fits, wished in (
        (array.shape[1:] == shape, single),
        (array.shape[2:] == shape, several),
        (math.prod(array.shape[1:]) == math.prod(shape), single),
        (array.ndim > 1 and math.prod(array.shape[2:]) == math.prod(shape), several),
    ):
        if fits:
            return array.reshape(wished)
    wanted = ", ".join(map(str, shape))
    raise UsageError(
        f"--input {path} has the shape {array.shape}; it must be (timesteps, {wanted}) or (timesteps, batch, {wanted})"
    )
