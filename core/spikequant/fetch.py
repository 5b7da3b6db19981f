"""Download a data set's files: checksum and atomic rename by pooch, progress and resume by a downloader of ours."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeAlias

import pooch
from filelock import FileLock

from spikequant.dataset import Dataset, RemoteFile
from spikequant.errors import DataError

CHUNK = 1 << 16
TIMEOUT_S = 30.0
ENDED = "the connection ended early"

Progress: TypeAlias = Callable[[RemoteFile, int], None]
"""Called with a file and its number of bytes on disk: at the start, after each chunk and at the end."""


def fetch(dataset: Dataset, folder: Path, progress: Progress | None = None) -> list[Path]:
    """Download the files of ``dataset`` into ``folder/<name of the set>``.

    A file that is there with the right checksum is kept, one with a wrong checksum is replaced. What a
    broken download left (``<file>.part``) is continued. A file gets its name only when its checksum is right.

    Args:
        dataset: What to fetch; an embedded set has no files, and nothing happens.
        folder: A data folder; made if it is not there.
        progress: See :data:`Progress`.

    Returns:
        The files, in the order of ``dataset.files``.

    Raises:
        DataError: An address does not answer, a file has a wrong checksum, or the folder cannot be written.
    """
    if not dataset.files:
        return []
    target = folder / dataset.name
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(target / ".fetch.lock"):
            return [_fetch_file(file, target, progress) for file in dataset.files]
    except OSError as error:
        raise DataError(
            f"data set '{dataset.name}' cannot be saved in {target}: {error}; give another folder by --data-dir"
        ) from error


def _fetch_file(file: RemoteFile, target: Path, progress: Progress | None) -> Path:
    report = progress or (lambda _file, _done: None)
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        path = pooch.retrieve(
            file.url, file.checksum, file.name, target, downloader=_Resuming(file, target / f"{file.name}.part", report)
        )
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"{file.url} gave a file that is not the right one: {error} Fetch it again; if it comes out the same, "
            f"get '{file.name}' from elsewhere and put it into {target}"
        ) from error
    report(file, file.size or Path(path).stat().st_size)
    return Path(path)


class _Resuming:
    """A pooch downloader that keeps what has come, and asks for the rest only (HTTP ``Range``)."""

    def __init__(self, file: RemoteFile, part: Path, report: Progress) -> None:
        self.file, self.part, self.report = file, part, report
        self.size = file.size or None

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Download into the part file, going on as long as each connection brings something; then rename."""
        before, fault = -1, ""
        while self.size is None or self._have() < self.size:
            have = self._have()
            if have <= before:
                raise self._cut(have, fault)
            before, fault = have, self._pull(url, have)
        os.replace(self.part, output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _pull(self, url: str, have: int) -> str:
        """Read one connection to its end and return how it ended; the part file has grown by what came."""
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.part.unlink()
            return f"it answered {error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            return f"it does not answer ({error})"
        with response:
            # Status 200 instead of 206: the server ignored the range and sends the file from its start.
            start = have if response.status == HTTPStatus.PARTIAL_CONTENT else 0
            if not self.file.size and (coming := response.headers.get("Content-Length", "")).isdecimal():
                self.size = start + int(coming)
            ended = self._save(response, start)
            if self.size is None and ended == ENDED:
                self.size = self._have()  # a server that does not say: its end is the end, and the checksum decides
            return ended

    def _save(self, response: HTTPResponse, start: int) -> str:
        with self.part.open("ab" if start else "wb") as part:
            done = start
            self.report(self.file, done)
            while self.size is None or done <= self.size:
                try:
                    chunk = response.read(CHUNK)
                except (OSError, HTTPException) as error:
                    return f"the connection broke ({error})"
                if not chunk:
                    break
                part.write(chunk)
                done += len(chunk)
                self.report(self.file, done)
        return ENDED

    def _cut(self, have: int, fault: str) -> DataError:
        of = "" if self.size is None else f" of {self.size}"
        kept = f"; the {have}{of} bytes that came are kept in {self.part}" if have else ""
        return DataError(
            f"{self.file.url} could not be fetched: {fault}{kept}; try the same command again later, "
            f"or put '{self.file.name}' into {self.part.parent} by hand"
        )
