"""Values of a layer's fields, each checked as it is taken out, with one wording of the error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikequant.errors import UsageError, one_line
from spikequant.program import IntArray, Shape

LARGEST = (1 << 31) - 1
MOST_ELEMENTS = 1 << 26


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields under the name of whom they belong to, such as ``net.net: layer 0 (dense)``."""

    owner: str
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def group(self, key: str) -> Fields:
        """Return the fields of a group."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.error(f"it has no {key}")
        return Fields(self.owner, value)

    def text(self, key: str) -> str:
        """Return text, alone or as an array of one."""
        value = self.values.get(key)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if not isinstance(value, str):
            raise self.error(f"{key} is {_shown(value)}; it must be text")
        return plain(value)

    def integer(self, key: str, low: int = 0, high: int = LARGEST) -> int:
        """Return one whole number from ``low`` to ``high``, stored as any number or as an array of one."""
        array = self._whole(key)
        if array.size != 1:
            raise self.error(f"{key} has the shape {array.shape}; it must be one number")
        value = int(array.reshape(-1)[0])
        if not low <= value <= high:
            raise self.error(f"{key} is {value}; it must be from {low} to {high}")
        return value

    def pair(self, key: str, low: int, default: int | None = None) -> tuple[int, int]:
        """Return two whole numbers of at least ``low``; one stands for both."""
        if key not in self.values and default is not None:
            return default, default
        array = self._whole(key).reshape(-1)
        if array.size not in (1, 2) or array.min() < low:
            raise self.error(f"{key} is {array.tolist()[:4]}; it must be two numbers of at least {low}")
        return int(array[0]), int(array[-1])

    def shape(self, key: str = "shape") -> Shape:
        """Return one to three sizes."""
        array = self._whole(key).reshape(-1)
        if not 1 <= array.size <= 3 or array.min() < 1 or np.prod(array.astype(np.float64)) > MOST_ELEMENTS:
            needed = f"one to three sizes, of at most {MOST_ELEMENTS} elements together"
            raise self.error(f"{key} is {array.tolist()[:4]}; it must be {needed}")
        return tuple(int(size) for size in array)

    def integers(self, key: str) -> IntArray:
        """Return an array of whole numbers."""
        return self._whole(key)

    def error(self, what: str) -> UsageError:
        """Return the error that names the owner."""
        return UsageError(f"{self.owner}: {what}")

    def _whole(self, key: str) -> IntArray:
        value = self.values.get(key)
        if value is None or isinstance(value, (dict, str)):
            found = "a group" if isinstance(value, dict) else _shown(value)
            raise self.error(f"{key} is {found}; it must be numbers")
        array = np.asarray(value)
        if array.dtype.kind not in "iufb" or array.size == 0:
            raise self.error(f"{key} is a {array.dtype} array of shape {array.shape}; it must be numbers")
        exact = array.astype(np.float64)
        if not (np.isfinite(exact).all() and np.abs(exact).max() <= LARGEST and (exact == np.rint(exact)).all()):
            raise self.error(
                f"{key} holds {exact.min():g}..{exact.max():g}, and not only whole numbers below 2**31;"
                " export the network with layers that quantize their weights"
            )
        return exact.astype(np.int64)


def plain(text: str) -> str:
    r"""Return a file's text as it can stand in one line of a message.

    >>> plain("a\x1b[31m")
    'a\\x1b[31m'
    """
    line = one_line(text)
    return line if line.isprintable() else line.encode("unicode_escape", "surrogatepass").decode("ascii")


def _shown(value: Any) -> str:
    return repr(value)[:60] if value is not None else "missing"
