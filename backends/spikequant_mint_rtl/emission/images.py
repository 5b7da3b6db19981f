"""Files of 32-bit words in hexadecimal, one per line, as ``$readmemh`` reads them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant_mint_rtl.simulator import Memory, Simulator


def to_hex(values: NDArray[Any]) -> str:
    r"""Return the low 32 bits of integers as lines of 8 digits, in order.

    >>> to_hex(np.array([[1, -2]]))
    '00000001\nfffffffe\n'
    """
    words = (values.astype(np.int64) & 0xFFFFFFFF).astype(">u4")
    return f"{words.tobytes().hex(chr(10), 4)}\n" if words.size else ""


class ImageWriter(Simulator):
    """Takes what is loaded into a core's memories; each distinct content becomes one file of the layer's folder.

    Attributes:
        folder: Folder of the layer that is being loaded.
        commands: Lines ``load MEMORY ADDRESS WORDS FILE`` since the caller last cleared them.
    """

    def __init__(self) -> None:  # no library is loaded: nothing runs here
        self._core = None
        self.folder = Path()
        self.commands: list[str] = []
        self._names: dict[tuple[Path, Memory, bytes], str] = {}
        self._numbers: Counter[tuple[Path, Memory]] = Counter()

    def write(self, memory: Memory, address: int, data: NDArray[Any]) -> None:
        """Write a file unless the layer already has one of this content, and the command that loads it."""
        words = np.asarray(data).reshape(-1)
        text = to_hex(words)
        key = (self.folder, memory, hashlib.sha256(text.encode("ascii")).digest())
        if key not in self._names:
            number = self._numbers[self.folder, memory]
            self._numbers[self.folder, memory] += 1
            self._names[key] = f"{memory.name.lower()}{number:02}.hex"
            (self.folder / self._names[key]).write_text(text, encoding="ascii")
        self.commands.append(f"load {int(memory)} {address} {words.size} {self._names[key]}")
