"""How long the texts of a data set claim to be, read without HDF5, which makes room for whatever length is claimed.

Source: HDF5 File Format Specification Version 3.0, section VIII.C: a text of free length is stored as its length
(4 bytes), the address of a global heap collection (as many bytes as the file's offsets) and an index (4 bytes).
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def text_lengths(data: Any, path: Path) -> list[int] | None:
    """Return the length in bytes of each text, or ``None`` where they are stored in a way that cannot be looked into.

    Args:
        data: A data set of text of free length; it claims no more than the file holds.
        path: The file.

    Raises:
        ValueError: They are packed, and cannot be unpacked; HDF5's own errors likewise.
    """
    width = 8 + data.file.id.get_create_plist().get_sizes()[0]
    layout = data.id.get_create_plist().get_layout()
    if layout == h5py.h5d.CONTIGUOUS:
        start = data.id.get_offset()
        if start is None:
            return []
        with path.open("rb") as file:
            file.seek(start)
            return _lengths(file.read(data.size * width), width)
    if layout == h5py.h5d.CHUNKED and data.compression in (None, "gzip") and not (data.shuffle or data.fletcher32):
        return _in_chunks(data, width)
    return None


def _in_chunks(data: Any, width: int) -> list[int]:
    most = width * int(np.prod(data.chunks))
    found: list[int] = []
    for index in range(data.id.get_num_chunks()):
        mask, packed = data.id.read_direct_chunk(data.id.get_chunk_info(index).chunk_offset)
        try:
            plain = packed if mask or data.compression is None else zlib.decompressobj().decompress(packed, most)
        except zlib.error as error:
            raise ValueError(f"packed text is damaged: {error}") from error
        found += _lengths(plain, width)
    return found


def _lengths(content: bytes, width: int) -> list[int]:
    return [int.from_bytes(content[at : at + 4], "little") for at in range(0, len(content) - width + 1, width)]
