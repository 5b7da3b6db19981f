"""The tables beside DVS-Gesture's original recordings: which trials a split has, and which gesture is when."""

from __future__ import annotations

import re
from pathlib import Path

from spikequant.dataset import SplitName
from spikequant_events.recordings import RecordingError

LIST: dict[SplitName, str] = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
MOST_DIGITS = 18
"""A number of so many digits fits int64."""
DIGITS = re.compile(rf"\s*\d{{1,{MOST_DIGITS}}}\s*")
HEADER = "class,startTime_usec,endTime_usec"


def trials(listed: Path) -> list[Path]:
    """Return the recordings that a list of trials names, which lie beside it.

    Raises:
        RecordingError: It cannot be read, names none, or names more than a file.
    """
    names = _lines(listed)
    if not names:
        raise RecordingError("it names no trial")
    for name in names:
        if Path(name).name != name or not name.endswith(".aedat"):
            raise RecordingError(f"it names the trial {name!r}; it must be the name of an .aedat file beside it")
    return [listed.with_name(name) for name in names]


def labelled_parts(path: Path, classes: int) -> list[tuple[int, int, int]]:
    """Return class from 0, start and end in microseconds of each gesture of a trial.

    Raises:
        RecordingError: The table cannot be read, or a line is not what its head says.
    """
    head, *lines = _lines(path) or [""]
    if head.replace(" ", "") != HEADER:
        raise RecordingError(f"it begins with {head!r}; it must begin with {HEADER!r}")
    parts = []
    for number, line in enumerate(lines, 2):
        words = line.split(",")
        if len(words) != 3 or not all(DIGITS.fullmatch(word) for word in words):
            raise RecordingError(
                f"line {number} is {line[:60]!r}; it must be three whole numbers of {MOST_DIGITS} digits at most"
            )
        label, start, end = (int(word) for word in words)
        if not 1 <= label <= classes or end <= start:
            raise RecordingError(f"line {number} is {line!r}; the class is 1..{classes}, and the end behind the start")
        parts.append((label - 1, start, end))
    return parts


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise RecordingError(str(error)) from error
