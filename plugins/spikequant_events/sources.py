"""Files of a data set, whether they lie unpacked in a folder or in the archive that they were published in."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from spikequant.data_folders import places
from spikequant.dataset import Dataset
from spikequant_events.recordings import RecordingError

ARCHIVE_FAULTS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError, RuntimeError, ValueError)


class Member(NamedTuple):
    """One file: where it is (an archive counts as a folder), its name inside, and its content."""

    path: Path
    name: str
    content: bytes


def first_of(dataset: Dataset, folders: Iterable[Path], wanted: Iterable[str]) -> Path | None:
    """Return the first place that has one of ``wanted``, a file or a folder; the preferred one first."""
    names = list(wanted)
    candidates = (place / name for place in places(dataset.name, tuple(folders)) for name in names)
    return next((path for path in candidates if path.exists()), None)


def members(source: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Yield the files whose names end in one of ``suffixes``, of a folder, a ``.zip`` or a ``.tar.gz``.

    Raises:
        RecordingError: The archive or a file cannot be read, or there is no such file.
    """
    found = False
    try:
        for member in _walk(source, suffixes):
            found = True
            yield member
    except ARCHIVE_FAULTS as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(str(error)) from error
    if not found:
        raise RecordingError(f"it holds no file {' or '.join(f'*{suffix}' for suffix in suffixes)}")


def unzipped(source: Path, content: bytes, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Yield the files of a zip that is itself the content of a member.

    Raises:
        RecordingError: It cannot be read.
    """
    try:
        yield from _zipped(source, zipfile.ZipFile(io.BytesIO(content)), suffixes)
    except ARCHIVE_FAULTS as error:
        raise RecordingError(str(error)) from error


def _walk(source: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.name.endswith(suffixes) and path.is_file():
                yield Member(path, path.relative_to(source).as_posix(), path.read_bytes())
    elif source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            yield from _zipped(source, archive, suffixes)
    else:
        with tarfile.open(source, "r|gz") as packed:
            for entry in packed:
                if entry.name.endswith(suffixes) and (stream := packed.extractfile(entry)) is not None:
                    yield Member(source / entry.name, entry.name, stream.read())


def _zipped(source: Path, archive: zipfile.ZipFile, suffixes: tuple[str, ...]) -> Iterator[Member]:
    for name in archive.namelist():
        if name.endswith(suffixes):
            yield Member(source / name, name, archive.read(name))
