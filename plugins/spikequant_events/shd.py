"""The Spiking Heidelberg Digits: spoken digits as spikes of an artificial cochlea."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikequant import RemoteFile
from spikequant.data_folders import damaged, missing
from spikequant.dataset import SplitName
from spikequant_events.arrays import checked_labels
from spikequant_events.event_set import EventSet, Sample
from spikequant_events.recordings import Events, RecordingError, Sensor, whole_microseconds
from spikequant_events.sources import ARCHIVE_FAULTS, first_of

ADDRESS = "https://zenkelab.org/datasets"
FAULTS = (*ARCHIVE_FAULTS, KeyError, TypeError, AttributeError)


class Shd(EventSet):
    """Spiking Heidelberg Digits (Cramer et al., 2020): 0 to 9 in German and English, 700 channels, about 1 s.

    Times are stored in seconds and taken in whole microseconds, rounded down, as tonic does it. The files are HDF5,
    which spikequant reads anyway: this set does not need the extra ``events``.
    """

    name = "shd"
    summary = "spoken digits in German and English as spikes of 700 cochlear channels: 8,156 train, 2,264 test"
    classes = 20
    sensor = Sensor(1, 1, 700, flat=True)
    length = 1000
    files = (
        RemoteFile("shd_train.h5.zip", f"{ADDRESS}/shd_train.h5.zip", "md5:f3252aeb598ac776c1b526422d90eecb", 0),
        RemoteFile("shd_test.h5.zip", f"{ADDRESS}/shd_test.h5.zip", "md5:1503a5064faa34311c398fb0a1ed0a6f", 0),
    )

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the recordings of ``shd_train.h5`` or ``shd_test.h5``, plain or zipped, as stored.

        Raises:
            DataError: The file is missing or damaged.
        """
        name = f"shd_{split}.h5"
        path = first_of(self, folders, (name, f"{name}.zip", f"SHD/{name}", f"SHD/{name}.zip"))
        if path is None:
            raise missing(self, f"{name} or {name}.zip", folders)
        try:
            times, units, labels = _arrays(path, name)
            if not len(times) == len(units):
                raise RecordingError(f"it has {len(times)} rows of times and {len(units)} of units")
            checked = checked_labels(labels, len(times), self.classes)
            for number, (seconds, unit) in enumerate(zip(times, units, strict=True)):
                t = whole_microseconds(seconds, np.floor, f"recording {number} has times")
                nothing = np.zeros(len(t), np.int64)
                yield Sample((number,), int(checked[number]), Events.of(t, unit, nothing, nothing), path)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error


def _arrays(path: Path, name: str) -> tuple[Any, Any, Any]:
    """Return times and units, one row per recording, and labels."""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return _content(io.BytesIO(archive.read(name)))
        return _content(path)
    except FAULTS as error:
        raise RecordingError(str(error)) from error


def _content(source: Path | io.BytesIO) -> tuple[Any, Any, Any]:
    with h5py.File(source, "r") as file:
        return file["spikes/times"][:], file["spikes/units"][:], file["labels"][:]
