"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spikequant.errors import UsageError, one_line


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield where to write what ``path`` is to hold; it is moved there at the end, and removed after an error.

    Devices and pipes are written directly, and a link's target is replaced, not the link.

    Raises:
        OSError: The folder is missing, ``path`` is a folder, or the system refuses to write.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path
        return
    target = Path(os.path.realpath(path))
    partial = target.with_name(target.name + ".part")
    try:
        yield partial
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink()


def check_writable(path: Path, option: str) -> None:
    """Raise unless ``path`` can be written, before anything is run for its sake; ``option`` says where it came from.

    Raises:
        UsageError: The folder is missing or not ours to write, or ``path`` is itself a folder.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            return
        target = Path(os.path.realpath(path))
        partial = target.with_name(target.name + ".part")
        partial.open("ab").close()
        partial.unlink()
    except OSError as error:
        raise UsageError(f"{option} {path} cannot be written: {reason(error)}; give another file") from error


def write_text(path: Path, text: str, option: str) -> None:
    """Write ``text`` to ``path``, whole or not at all; ``option`` says where the path came from.

    Raises:
        UsageError: The system refuses to write.
    """
    try:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {path} cannot be written: {reason(error)}; give another file") from error


def reason(error: BaseException) -> str:
    """Return an error's own words on one line, without its number and file."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return one_line(words) or type(error).__name__
