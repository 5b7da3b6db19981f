"""CIFAR10-DVS: pictures of CIFAR-10 moved before an event camera."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spikequant import RemoteFile
from spikequant.data_folders import damaged, missing
from spikequant.dataset import SplitName
from spikequant_events.event_set import EventSet, Sample
from spikequant_events.recordings import Events, RecordingError, Sensor
from spikequant_events.sources import Member, first_of, members, unzipped
from spikequant_events.tonic_readers import read_aedat4, tonic_io

ARCHIVE = "CIFAR10DVS.zip"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PLACE = re.compile(r"(?:^|/)([a-z]+)/[^/]*?(\d+)\.aedat4$")
TEST_FROM = 9
"""Of ten consecutive numbers the last is a test recording."""


class Cifar10Dvs(EventSet):
    """CIFAR10-DVS (Li et al., 2017): 10,000 recordings of 128x128 pixels, two polarities, about 1.3 s.

    It has no split of its own. Ours: of each class the recordings whose number ends in 9 are for testing, a tenth.
    Recordings are in the order of their numbers, classes taking turns. Times count from the first event. Frames
    are 32x32, 4x4 pixels each, unless ``downsample`` or ``size`` says otherwise.
    """

    name = "cifar10-dvs"
    summary = "CIFAR-10 pictures moved before an event camera, 128x128 pooled to 32x32: 9,000 train, 1,000 test"
    classes = 10
    sensor = Sensor(2, 128, 128)
    length = 1300
    pooled_by = 4
    files = (
        RemoteFile(
            ARCHIVE, "https://figshare.com/ndownloader/files/38023437", "md5:ce3a4a0682dc0943703bd8f749a7701c", 0
        ),
    )

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the ``.aedat4`` recordings of the class folders, or of the archive.

        Raises:
            DataError: They are missing or damaged, or tonic or its reader is.
        """
        # A folder of class folders is found by its first class: without it the archive is taken, or nothing.
        found = first_of(self, folders, (CLASSES[0], f"CIFAR10DVS/{CLASSES[0]}", ARCHIVE, f"CIFAR10DVS/{ARCHIVE}"))
        if found is None:
            raise missing(self, f"the class folders {CLASSES[0]}, ... or {ARCHIVE}", folders)
        tonic = tonic_io(self, "aedat")
        path = found
        try:
            for path, name, content in _recordings(found):
                place = PLACE.search(f"/{name}")
                if place is None or place[1] not in CLASSES:
                    raise RecordingError("its name is not CLASS/...NUMBER.aedat4")
                label, number = CLASSES.index(place[1]), int(place[2])
                if (number % 10 == TEST_FROM) == (split == "test"):
                    with tempfile.TemporaryDirectory() as scratch:  # the reader takes names of files only
                        copy = Path(scratch) / "recording.aedat4"
                        copy.write_bytes(content)
                        events: Events = read_aedat4(tonic, copy)
                    yield Sample((number, label), label, events.from_the_first(), path)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error


def _recordings(found: Path) -> Iterator[Member]:
    """Yield all recordings; the published archive holds one archive per class."""
    if found.is_dir():
        for name in CLASSES:
            for member in members(found.with_name(name), (".aedat4",)):
                yield Member(member.path, f"{name}/{member.name}", member.content)
        return
    for member in members(found, (".zip", ".aedat4")):
        if member.name.endswith(".zip"):
            yield from unzipped(member.path, member.content, (".aedat4",))
        else:
            yield member
