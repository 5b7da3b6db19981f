"""DVS-Gesture: hand gestures before an event camera, in the original files or as tonic cut them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spikequant import RemoteFile
from spikequant.data_folders import damaged, missing
from spikequant.dataset import SplitName
from spikequant_events.aedat31 import read_aedat31
from spikequant_events.event_set import MICROSECONDS, EventSet, Sample
from spikequant_events.gesture_trials import LIST, labelled_parts, trials
from spikequant_events.recordings import LATEST_US, Events, RecordingError, Sensor
from spikequant_events.sources import first_of, members

FIGSHARE = "https://figshare.com/ndownloader/files"
FOLDER: dict[SplitName, str] = {"train": "ibmGestureTrain", "test": "ibmGestureTest"}
PLACE = re.compile(r"(?:^|/)(user\d+_[^/]+)/(\d+)\.npy$")


class DvsGesture(EventSet):
    """DVS-Gesture (Amir et al., 2017): 11 gestures of 29 people under 3 lights, 128x128 pixels, two polarities.

    Frames are 1 ms of 32x32 elements, 4x4 pixels each, as DECOLLE has them. Times count from the gesture's labelled
    start in original files, from its first event in tonic's. Both kinds of files are read without the extra ``events``.
    """

    name = "dvs-gesture"
    summary = "11 hand gestures before an event camera, 128x128 pooled to 32x32, two polarities"
    classes = 11
    sensor = Sensor(2, 128, 128)
    length = 1800
    pooled_by = 4
    files = (
        RemoteFile("ibmGestureTrain.tar.gz", f"{FIGSHARE}/38022171", "md5:3a8f0d4120a166bac7591f77409cb105", 0),
        RemoteFile("ibmGestureTest.tar.gz", f"{FIGSHARE}/38020584", "md5:56070e45dadaa85fff82e0fbfbc06de5", 0),
    )

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the gestures of the original trials, or else of tonic's files, unpacked or not.

        Raises:
            DataError: They are missing or damaged.
        """
        folder, trial_list = FOLDER[split], LIST[split]
        if (listed := first_of(self, folders, (trial_list, f"DvsGesture/{trial_list}"))) is not None:
            yield from self._original(listed)
            return
        wanted = (folder, f"{folder}.tar.gz")
        source = first_of(self, folders, (*wanted, *(f"DVSGesture/{name}" for name in wanted)))
        if source is None:
            raise missing(self, f"{trial_list} (original files), or folder {folder} or {folder}.tar.gz", folders)
        path = source
        try:
            for path, name, content in members(source, (".npy",)):
                if (place := PLACE.search(f"/{name}")) is None:
                    raise RecordingError("its name is not userNN_LIGHT/LABEL.npy")
                label = int(place[2])
                if label >= self.classes:
                    raise RecordingError(f"its name gives the class {label}; there are 0..{self.classes - 1}")
                yield Sample((place[1], label), label, _cut(content), path)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error

    def _original(self, listed: Path) -> Iterator[Sample]:
        path = listed
        try:
            for trial in trials(listed):
                path = trial.with_name(f"{trial.stem}_labels.csv")
                parts = labelled_parts(path, self.classes)
                path = trial
                events = read_aedat31(trial)
                for number, (label, start, end) in enumerate(parts):
                    inside = (events.t >= start) & (events.t < end)
                    rows = (row[inside] for row in (events.t - start, events.x, events.y, events.p))
                    yield Sample((trial.stem, number), label, Events(*rows), trial)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error


def _cut(content: bytes) -> Events:
    """Return the events of one of tonic's files: rows of x, y, polarity and time in milliseconds."""
    try:
        rows = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, EOFError, ValueError, OverflowError, MemoryError, zipfile.BadZipFile) as error:
        raise RecordingError(str(error)) from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iuf":
        raise RecordingError("it holds no array of numbers; it must hold whole numbers (events, 4)")
    if rows.size and not np.abs(rows).max() < LATEST_US / MICROSECONDS:  # NaN is not below it either
        raise RecordingError(f"it holds numbers up to {np.abs(rows).max()}; they must be below 2**62 us")
    if rows.ndim != 2 or rows.shape[1] != 4 or not np.array_equal(rows, np.rint(rows)):
        raise RecordingError(f"it holds {rows.dtype} {rows.shape}; it must be whole numbers (events, 4)")
    x, y, p, milliseconds = rows.astype(np.int64).T
    return Events.of(milliseconds * MICROSECONDS, x, y, p).from_the_first()
