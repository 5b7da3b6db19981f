"""Read the official CIFAR-10 batches, which are pickles, with an unpickler that can build arrays and nothing else."""

from __future__ import annotations

import io
import lzma
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS = 3 * 32 * 32
CLASSES = 10

# numpy's own function for rebuilding an array, taken from an array; its module has moved between versions.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
_MALFORMED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


class BatchError(ValueError):
    """The content of a file cannot be used; the text says why, and the caller adds the file's name."""


class ArrayUnpickler(pickle.Unpickler):
    """Builds numpy arrays and plain values; every other name in the file is refused, and nothing is imported."""

    def find_class(self, module: str, name: str) -> Any:
        """Return numpy's object for one of four names.

        Raises:
            UnpicklingError: Any other name.
        """
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for '{module}.{name}', which no data file needs") from None


def read_batch(content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels ``(samples, 3072)`` (R plane, G plane, B plane) and labels of one batch.

    Raises:
        BatchError: It is no pickle, asks for more than arrays, or lacks well-formed ``data`` and ``labels``.
    """
    try:
        batch = ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _MALFORMED as error:
        raise BatchError(f"its pickle cannot be read ({error})") from error
    if not isinstance(batch, dict) or not {b"data", b"labels"} <= batch.keys():
        raise BatchError("it is no table with the entries 'data' and 'labels'")
    pixels, labels = batch[b"data"], batch[b"labels"]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        raise BatchError(f"its 'data' is no uint8 array of {PIXELS} values a row")
    return pixels, checked_labels(labels, len(pixels))


def checked_labels(labels: object, count: int) -> NDArray[np.int64]:
    """Return ``count`` labels as int64.

    Raises:
        BatchError: There are more or fewer, or they are not integers from 0 to 9.
    """
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not isinstance(values, list) or len(values) != count:
        raise BatchError(f"it has {count} images, and its labels are no list of that length")
    if not all(isinstance(value, int) and 0 <= value < CLASSES for value in values):
        raise BatchError(f"its labels are not all integers in 0..{CLASSES - 1}")
    return np.array(values, np.int64)


def read_file(path: Path) -> bytes:
    """Return the content of a batch file, unpacked if its name ends in ``.xz``.

    Raises:
        BatchError: It cannot be read or unpacked.
    """
    try:
        content = path.read_bytes()
        return lzma.decompress(content) if path.suffix == ".xz" else content
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise BatchError(str(error)) from error


def read_archive(path: Path, members: Sequence[str]) -> list[bytes]:
    """Return the content of the named members of a ``.tar.gz``, in one pass over it.

    Raises:
        BatchError: It cannot be read, or lacks a member.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for entry in archive:
                if entry.name in members and (stream := archive.extractfile(entry)) is not None:
                    found[entry.name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise BatchError(str(error)) from error
    if lacking := [name for name in members if name not in found]:
        raise BatchError(f"it lacks {', '.join(lacking)}")
    return [found[name] for name in members]
