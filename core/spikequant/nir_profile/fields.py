"""Plain values to NIR metadata and back: only what survives a nir file, checked when it is read.

nir 1.0.8 keeps strings, bools, integers, floats, arrays with their dtype and nested dicts. It loses or
refuses ``None``, arrays without axes, arrays of text and lists of strings. So ``None`` is an absent key, an
array without axes is one of one element marked ``KEY_per = "layer"``, and lists travel as JSON text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError
from spikequant.program import IntArray
from spikequant.program.nodes import FloatArray

DIGEST = "digest"
PER = ("layer", "channel", "neuron")


def pack(owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` in the forms that a NIR file keeps.

    Args:
        owner: Who they belong to, for messages, such as ``node 'fc'``.
        values: Bools, integers, floats, text, numeric arrays of any rank, or ``None``.

    Raises:
        NirError: A value has another type, an array is empty, or a float is not finite.

    >>> pack("node 'a'", {"theta": np.array(5), "bias": None, "order": "leak_on_read"})
    {'theta': array([5]), 'theta_per': 'layer', 'order': 'leak_on_read'}
    """
    packed: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, np.ndarray):
            packed[key] = np.atleast_1d(_numbers(owner, key, value))
            packed[f"{key}_per"] = PER[min(value.ndim, 2)]
        else:
            packed[key] = _scalar(owner, key, value)
    return packed


def _scalar(owner: str, key: str, value: Any) -> bool | int | float | str:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)) and -(1 << 63) <= value < 1 << 63:
        return int(value)
    if isinstance(value, (float, np.floating)) and np.isfinite(value):
        return float(value)
    if isinstance(value, str) and "\0" not in value:
        return value
    raise NirError(
        f"{owner}: {key} is {value!r}, which NIR metadata cannot keep; it must be a bool, an integer of 64 bits,"
        " a finite float, text or an array of numbers"
    )


def _numbers(owner: str, key: str, value: NDArray[Any]) -> NDArray[Any]:
    if value.size == 0 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        raise NirError(
            f"{owner}: {key} is a {value.dtype} array of shape {value.shape}, which NIR metadata cannot keep;"
            " it must hold at least one number, and only finite ones"
        )
    return value.astype(np.float64 if value.dtype.kind == "f" else np.int64)


def digest(packed: Mapping[str, Any]) -> str:
    """Return the SHA-256 of packed values in a canonical form, the key ``digest`` left out.

    >>> digest({"a": 1}) == digest({"a": np.int64(1), "digest": "x"}) != digest({"a": True})
    True
    """
    state = hashlib.sha256()
    for key in sorted(packed):
        if key != DIGEST:
            state.update(f"{json.dumps(key)}={_canonical(packed[key])};".encode())
    return state.hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 of an integer array's shape and values as little-endian int64 in C order."""
    data = np.ascontiguousarray(array, dtype="<i8")
    return hashlib.sha256(f"{data.shape}".encode() + data.tobytes()).hexdigest()


def _canonical(value: Any) -> str:
    if isinstance(value, np.ndarray):
        kind = "<f8" if value.dtype.kind == "f" else "<i8"
        return f"{kind}{value.shape}{hashlib.sha256(np.ascontiguousarray(value, dtype=kind).tobytes()).hexdigest()}"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return f"i{int(value)}"
    if isinstance(value, (float, np.floating)):
        return float(value).hex()
    return json.dumps(str(value))


class Fields:
    """Metadata read from a file, given out with its type checked.

    Args:
        owner: Who they belong to, for messages.
        packed: What :func:`pack` made, after a way through a file.
    """

    def __init__(self, owner: str, packed: Mapping[str, Any]) -> None:
        self.owner = owner
        self.packed = packed

    def integer(self, key: str) -> int:
        """Return an integer."""
        value = self._get(key)
        if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
            return int(value)
        raise self._wrong(key, value, "an integer")

    def number(self, key: str) -> float:
        """Return a finite float."""
        value = self._get(key)
        if isinstance(value, (float, np.floating)) and np.isfinite(value):
            return float(value)
        raise self._wrong(key, value, "a finite number")

    def text(self, key: str) -> str:
        """Return text."""
        value = self._get(key)
        if isinstance(value, str):
            return value
        raise self._wrong(key, value, "text")

    def flag(self, key: str) -> bool:
        """Return a bool."""
        value = self._get(key)
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        raise self._wrong(key, value, "true or false")

    def integers(self, key: str) -> IntArray:
        """Return an integer array with the rank it was packed with."""
        return self._array(key, "iu", "an array of integers").astype(np.int64)

    def optional_integers(self, key: str) -> IntArray | None:
        """Return an integer array, or ``None`` where the field was ``None``."""
        return self.integers(key) if key in self.packed else None

    def floats(self, key: str) -> FloatArray:
        """Return a float array with the rank it was packed with."""
        return self._array(key, "f", "an array of numbers").astype(np.float64)

    def json(self, key: str) -> Any:
        """Return the value of JSON text."""
        text = self.text(key)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._wrong(key, text, f"JSON ({error})") from error

    def check_digest(self) -> None:
        """Raise :class:`NirError` unless the metadata is what was written."""
        if self.text(DIGEST) != digest(self.packed):
            raise NirError(
                f"{self.owner}: the metadata is not what was written (its digest differs);"
                " the file was damaged or edited, so write it again from the program"
            )

    def _get(self, key: str) -> Any:
        if key not in self.packed:
            raise NirError(f"{self.owner}: the metadata lacks '{key}'; write the file again from the program")
        return self.packed[key]

    def _array(self, key: str, kinds: str, wanted: str) -> NDArray[Any]:
        value = self._get(key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds or value.size == 0:
            raise self._wrong(key, value, wanted)
        per = self.text(f"{key}_per")
        if per == "layer" and value.size == 1:
            return value.reshape(())
        if per != PER[min(value.ndim, 2)]:
            raise self._wrong(key, f"of shape {value.shape}", f"one per {per}")
        return value

    def _wrong(self, key: str, got: Any, wanted: str) -> NirError:
        return NirError(f"{self.owner}: '{key}' in the metadata is {str(got)[:80]!r}; it must be {wanted}")
