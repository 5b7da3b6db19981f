"""Read arrays of an ``.npz`` archive, without pickles."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant_events.recordings import RecordingError

FAULTS = (
    *(OSError, EOFError, KeyError, ValueError, OverflowError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def read_arrays(path: Path, keys: Sequence[str], kinds: str = "iub", axes: int | None = None) -> list[NDArray[Any]]:
    """Return the named arrays.

    Args:
        path: The archive.
        keys: Names.
        kinds: Of their dtypes, in numpy's letters; whole numbers by default.
        axes: How many each must have; any number by default.


    Raises:
        RecordingError: The archive is damaged, lacks one, or an array holds something else.
    """
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise RecordingError("it is one array; it must be an archive of arrays")
            arrays = [archive[key] for key in keys]
    except RecordingError:
        raise
    except FAULTS as error:
        raise RecordingError(str(error)) from error
    for key, array in zip(keys, arrays, strict=True):
        if not isinstance(array, np.ndarray):
            raise RecordingError(f"its '{key}' is no array")
        if axes is not None and array.ndim != axes:
            raise RecordingError(f"its '{key}' has the shape {array.shape}; it must have {axes} axis")
        if array.dtype.kind not in kinds:
            wanted = "numbers with a fraction" if kinds == "f" else "integers"
            raise RecordingError(f"its '{key}' holds {array.dtype} values; it must hold {wanted}")
    return arrays


def checked_labels(labels: NDArray[Any], count: int, classes: int) -> NDArray[np.int64]:
    """Return ``count`` labels as int64.

    Raises:
        RecordingError: There are more or fewer, or they are not integers below ``classes``.
    """
    if labels.shape != (count,):
        raise RecordingError(f"it has {count} recordings and labels of shape {labels.shape}")
    if labels.dtype.kind not in "iu" or (count and not 0 <= int(labels.min()) <= int(labels.max()) < classes):
        raise RecordingError(f"its labels are not all integers in 0..{classes - 1}")
    return labels.astype(np.int64)
