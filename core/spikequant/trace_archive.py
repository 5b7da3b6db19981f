"""Traces as ``.npz`` archives: written whole or not at all; one clear line for all that can be wrong with one."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.files import reason, replacing

DAMAGE = (
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
"""What numpy and zipfile raise over a file that is damaged or of another kind; ``RuntimeError`` holds
``NotImplementedError`` (unknown compression) and ``RecursionError``."""


def write_archive(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an ``.npz``; the file appears whole or not at all.

    Raises:
        UsageError: The file cannot be written.
    """
    content = io.BytesIO()  # an archive is written back and forth, which a pipe or /dev/null cannot do
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    try:
        with replacing(Path(path)) as partial:
            partial.write_bytes(content.getbuffer())
    except OSError as error:
        raise UsageError(f"trace {path} cannot be written: {reason(error)}; give another file") from error


@contextmanager
def opened_archive(path: str | os.PathLike[str], what: str) -> Iterator[Any]:
    """Open an ``.npz``; whatever goes wrong inside says that the file is not ``what``.

    Raises:
        UsageError: The file cannot be read, is damaged, or what was raised inside.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            yield archive
    except OSError as error:
        raise _none(path, what, reason(error)) from error
    except UsageError as error:
        raise _none(path, what, str(error)) from error
    except DAMAGE as error:
        raise _none(path, what, "it is damaged, or no .npz archive of arrays") from error


def _none(path: str | os.PathLike[str], what: str, why: str) -> UsageError:
    return UsageError(f"{os.fspath(path)} is not {what}: {why}; write one with 'spikequant run --trace'")
