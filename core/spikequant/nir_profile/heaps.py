"""Check HDF5's heaps of text, because the HDF5 library loops for ever on some damaged ones.

Source: HDF5 File Format Specification Version 3.0, section III.E "Global Heap": a collection is ``GCOL``,
version 1, three zeros, its size in 8 bytes; then objects, each with index (2 bytes), reference count (2),
zeros (4), size (8) and that many bytes padded to 8. Index 0 is the free space, whose size counts its header.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from spikequant.errors import NirError

SIGNATURE = b"GCOL\x01\x00\x00\x00"
HEADER = 16


def check_heaps(path: Path) -> None:
    """Raise :class:`NirError` if a heap of text in the file does not add up; ``path`` is a non-empty file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(SIGNATURE)
        while start >= 0:
            if not _adds_up(data, start):
                raise NirError(f"{path}: its text is damaged (heap at byte {start}); export the network again")
            start = data.find(SIGNATURE, start + len(SIGNATURE))


def _adds_up(data: mmap.mmap, start: int) -> bool:
    end = start + _number(data, start + 8, 8)
    place = start + HEADER
    if not start < end <= len(data):
        return False
    while end - place >= HEADER:
        index, size = _number(data, place, 2), _number(data, place + 8, 8)
        step = HEADER + (size + 7) // 8 * 8 if index else size
        if step < HEADER or place + step > end:
            return False
        place += step
    return True


def _number(data: mmap.mmap, place: int, width: int) -> int:
    return int.from_bytes(data[place : place + width], "little")
