"""The file readers of tonic, which the extra ``events`` brings.

Only ``tonic.io`` is used: its functions read one file. Its data set classes want to find their own archive in their
own folder, or they download it; where a file is and whether it is whole is spikequant's business.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from spikequant.dataset import Dataset
from spikequant.errors import DataError, one_line
from spikequant_events.recordings import Events, RecordingError

BIN_DTYPE = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])
BIN_BYTES = 5


def tonic_io(dataset: Dataset, *needs: str) -> Any:
    """Return the module ``tonic.io``, when the packages ``needs`` are there as well.

    Raises:
        DataError: tonic or one of them cannot be imported; the message names the extra.
    """
    try:
        for package in needs:
            import_module(package)
        return import_module("tonic.io")
    except ImportError as error:
        raise DataError(
            f"data set '{dataset.name}' is read by tonic, which cannot be imported ({one_line(error)});"
            " run `pip install 'spikequant[events]'`"
        ) from error


def read_bin(tonic: Any, content: bytes) -> Events:
    """Return the events of a file of N-MNIST: 40 bits each.

    Raises:
        RecordingError: Its size is not a multiple of 5 bytes.
    """
    if len(content) % BIN_BYTES:
        raise RecordingError(f"it has {len(content)} bytes; an event takes {BIN_BYTES}")
    found = _read(lambda: tonic.read_mnist_file(io.BytesIO(content), BIN_DTYPE, is_stream=True))
    return Events.of(found["t"], found["x"], found["y"], found["p"])


def read_aedat4(tonic: Any, path: Path) -> Events:
    """Return the events of an AEDAT 4 file.

    Raises:
        RecordingError: It is no such file, or has no events.
    """
    found = _read(lambda: tonic.read_aedat4(str(path)))
    t, x, y, p = (found[name] for name in found.dtype.names)
    return Events.of(t, x, y, p)


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # for a damaged file they raise anything: a panic in Rust is no Exception
        raise RecordingError(f"{type(error).__name__}: {one_line(error)}") from error
