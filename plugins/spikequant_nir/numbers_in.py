"""Numbers out of a file's fields, with one clear line for what is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError
from spikequant_nir.graph import MAX_VALUES
from spikequant_nir.raw import RawNode

MAX_SETTING = 1 << 20


def array_in(node: RawNode, key: str, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Return a field as floats.

    Raises:
        NirError: It is no numbers, too many of them, or one of them is not finite, in the file or as ``dtype``.
    """
    array = np.asarray(node.fields[key])
    if array.dtype.kind not in "fiub":
        raise NirError(f"{node.where}: its {key} is of type {array.dtype} and must be numbers; export it again")
    if not 0 < array.size <= MAX_VALUES:
        raise NirError(f"{node.where}: its {key} has shape {array.shape}, with {array.size} values; export it again")
    finite = np.isfinite(array)
    if not finite.all():
        raise NirError(
            f"{node.where}: its {key} has {int(array.size - finite.sum())} values that are infinite or no number;"
            " export it again from a sound model"
        )
    with np.errstate(over="ignore"):
        made = array.astype(dtype)
    if not np.isfinite(made).all():
        raise NirError(f"{node.where}: its {key} reaches {np.abs(array).max()}, which is more than float32 holds")
    return made


def ints_in(node: RawNode, key: str, count: int, least: int) -> tuple[int, ...]:
    """Return a setting as ``count`` whole numbers; one number stands for all.

    Raises:
        NirError: It is something else, or a number is below ``least`` or beyond all sense.
    """
    array = np.asarray(node.fields[key])
    wanted = "a whole number" if count == 1 else f"one or {count} whole numbers"
    if array.dtype.kind not in "fiu" or array.size not in (1, count) or array.ndim > 1:
        raise NirError(f"{node.where}: its {key} is {_short(array)}; it must be {wanted}, so export it again")
    values = array.astype(np.float64).reshape(-1)
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        raise NirError(f"{node.where}: its {key} is {_short(array)}; it must be {wanted}, so export it again")
    made = tuple(int(value) for value in values) * (count if array.size == 1 else 1)
    if min(made) < least or max(made) > MAX_SETTING:
        raise NirError(f"{node.where}: its {key} is {_short(array)}; it must be {least} to {MAX_SETTING}")
    return made


def int_in(node: RawNode, key: str, default: int) -> int:
    """Return a field that holds one whole number, possibly negative, or ``default`` where it is missing."""
    if key not in node.fields:
        return default
    array = np.asarray(node.fields[key])
    if array.dtype.kind not in "iu" or array.size != 1 or not -64 <= int(array.reshape(-1)[0]) <= 64:
        raise NirError(f"{node.where}: its {key} is {_short(array)}; it must be the number of an axis")
    return int(array.reshape(-1)[0])


def _short(array: NDArray[Any]) -> str:
    text = " ".join(str(array.tolist() if array.size <= 8 else f"{array.dtype} {array.shape}").split())
    return text if len(text) <= 60 else f"{text[:57]}..."
