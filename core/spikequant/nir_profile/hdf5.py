"""Look into an HDF5 file before anything is read: what it links to, how large it claims to be, how deep it is.

A file is given by a stranger. Without these checks it could point at other files, contain itself, or
unpack to more memory than there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py

from spikequant.errors import NirError
from spikequant.nir_profile.heaps import check_heaps
from spikequant.nir_profile.text_lengths import text_lengths

MAX_BYTES = 1 << 30
MAX_RATIO = 2048  # deflate packs at most 1032 to 1
MAX_OBJECTS = 30_000  # each takes HDF5 a tenth of a millisecond
MAX_TEXTS = 100_000
MAX_DEPTH = 64  # two for each graph in a graph
TEXT_BLOCK = 64


@dataclass
class _Budget:
    """What may still be read."""

    path: Path
    file_bytes: int
    bytes_left: int
    objects_left: int = MAX_OBJECTS
    groups: set[int] = field(default_factory=set)

    def enter(self, where: str, group: Any) -> None:
        """Take a group once: one that holds itself, or stands in many places, unfolds to more than the file."""
        address = h5py.h5o.get_info(group.id).addr
        if address in self.groups:
            raise NirError(f"{self.path}: '{where}' is a group that also has another name; every group may have one")
        self.groups.add(address)

    def take(self, where: str, amount: int) -> None:
        self.bytes_left -= amount
        self.objects_left -= 1
        if self.bytes_left < 0:
            raise NirError(
                f"{self.path}: '{where}' brings the unpacked size over the limit of {MAX_BYTES >> 20} MiB;"
                " the file is damaged or no network"
            )
        if self.objects_left < 0:
            raise NirError(f"{self.path}: it holds more than {MAX_OBJECTS} objects; it is damaged or no network")


def inspect(path: Path) -> None:
    """Raise :class:`NirError` unless ``path`` is an HDF5 file that is safe to read whole.

    Raises:
        NirError: The file is missing or no HDF5; it is truncated; it holds links to elsewhere, external,
            virtual or object data; it claims more than 1 GiB, or more than it can hold.
        OSError: HDF5 cannot make sense of a part of it (also ``KeyError``, ``RuntimeError``, ``ValueError``).
    """
    if not path.is_file():
        raise NirError(f"{path}: it is a folder, not a file" if path.is_dir() else f"{path}: there is no such file")
    if not h5py.is_hdf5(path):
        raise NirError(f"{path}: it is not an HDF5 file, and a {_kind(path)} file is one; export the network again")
    check_heaps(path)
    size = path.stat().st_size
    with h5py.File(path, "r") as file:
        budget = _Budget(path, size, MAX_BYTES)
        budget.enter("/", file)
        _walk(file, "", budget, 0)


def _walk(group: Any, where: str, budget: _Budget, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NirError(f"{budget.path}: '{where[:80]}' is nested deeper than {MAX_DEPTH}; no network is")
    for key, item in _items(group, where, budget):
        here = f"{where}/{_shown(key)}"
        if isinstance(item, h5py.Group):
            budget.take(here, 0)
            budget.enter(here, item)
            _walk(item, here, budget, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _check_dataset(item, here, budget)
        else:
            raise NirError(
                f"{budget.path}: '{here}' is a {type(item).__name__}; only groups and data sets may be there"
            )


def _items(group: Any, where: str, budget: _Budget) -> Iterator[tuple[str, Any]]:
    for key in group:
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise NirError(
                f"{budget.path}: '{where}/{_shown(key)}' is a link to elsewhere;"
                f" a {_kind(budget.path)} file holds all its data"
            )
        yield key, group[key]


def _shown(key: str) -> str:
    """Return a name as it can stand in one line of a message."""
    text = key if key.isprintable() else key.encode("unicode_escape", "surrogatepass").decode("ascii")
    return text[:80]


def _check_dataset(data: Any, where: str, budget: _Budget) -> None:
    if data.shape is None or data.external or data.is_virtual:
        raise NirError(
            f"{budget.path}: '{where}' holds no data of its own; a {_kind(budget.path)} file holds all its data"
        )
    text = h5py.check_string_dtype(data.dtype)
    if data.dtype.kind not in "iufbS" and text is None:
        raise NirError(f"{budget.path}: '{where}' has type {data.dtype}; numbers, bools and text may be there")
    claimed = data.size * max(data.dtype.itemsize, 1)
    if data.chunks is None and claimed > budget.file_bytes:
        raise NirError(
            f"{budget.path}: '{where}' claims {claimed} bytes, more than the file; it is truncated or damaged"
        )
    budget.take(where, claimed)
    if data.chunks is not None and claimed > MAX_RATIO * (data.id.get_storage_size() + 1):
        raise NirError(f"{budget.path}: '{where}' claims {claimed} bytes, more than it can unpack to; it is damaged")
    if data.chunks is not None:
        chunk = data.dtype.itemsize
        for length in data.chunks:
            chunk *= length
        if chunk > MAX_BYTES:
            raise NirError(f"{budget.path}: '{where}' is stored in pieces of {chunk} bytes; the file is damaged")
    if text is not None and text.length is None:
        _weigh_text(data, where, budget)


def _weigh_text(data: Any, where: str, budget: _Budget) -> None:
    """Count text of free length, so that no claimed length and no number of references to one text fill the memory."""
    if data.size > MAX_TEXTS:
        raise NirError(f"{budget.path}: '{where}' holds {data.size} texts, more than {MAX_TEXTS}; no network does")
    lengths = text_lengths(data, budget.path)
    if lengths is not None:
        if max(lengths, default=0) > budget.file_bytes:
            raise NirError(
                f"{budget.path}: '{where}' claims a text of {max(lengths)} bytes, more than the file; it is damaged"
            )
        budget.take(where, sum(lengths))
        return
    for start in range(0, data.shape[0] if data.ndim else 0, TEXT_BLOCK):
        block = data[start : start + TEXT_BLOCK]
        budget.take(where, sum(len(item) for item in block.reshape(-1)))


def _kind(path: Path) -> str:
    """Return the suffix by which a file is called in messages: other formats than NIR's are looked into too."""
    return path.suffix or ".nir"
