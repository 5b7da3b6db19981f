"""N-MNIST, whole: MNIST seen by an event camera that makes three saccades."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from spikequant import RemoteFile
from spikequant.data_folders import damaged, missing
from spikequant.dataset import SplitName
from spikequant_events.event_set import EventSet, Sample
from spikequant_events.recordings import RecordingError, Sensor
from spikequant_events.sources import first_of, members
from spikequant_events.tonic_readers import read_bin, tonic_io

MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files"
FOLDER: dict[SplitName, str] = {"train": "Train", "test": "Test"}
PLACE = re.compile(r"(?:^|/)(\d)/(\d+)\.bin$")


class NMnist(EventSet):
    """N-MNIST (Orchard et al., 2015): 34x34 pixels, two polarities, about 300 ms a recording.

    Recordings are in the order of their numbers, which is MNIST's. Times count from the recording's own zero.
    """

    name = "nmnist"
    summary = "70,000 recordings of MNIST by an event camera, 34x34, two polarities: 60,000 train, 10,000 test"
    classes = 10
    sensor = Sensor(2, 34, 34)
    length = 300
    files = (
        RemoteFile(
            "train.zip",
            f"{MENDELEY}/39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
            "md5:20959b8e626244a1b502305a9e6e2031",
            0,
        ),
        RemoteFile(
            "test.zip",
            f"{MENDELEY}/05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
            "md5:69ca8762b2fe404d9b9bad1103e97832",
            0,
        ),
    )

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the recordings of the folder ``Train`` or ``Test``, or of the archive.

        Raises:
            DataError: They are missing or damaged, or tonic is.
        """
        folder = FOLDER[split]
        wanted = (folder, f"{split}.zip", f"{folder}.zip")
        source = first_of(self, folders, (*wanted, *(f"NMNIST/{name}" for name in wanted)))
        if source is None:
            raise missing(self, f"folder {folder} or {split}.zip", folders)
        tonic, path = tonic_io(self), source
        try:
            for path, name, content in members(source, (".bin",)):
                if (place := PLACE.search(f"/{name}")) is None:
                    raise RecordingError("its name is not DIGIT/NUMBER.bin")
                yield Sample((int(place[2]),), int(place[1]), read_bin(tonic, content), path)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error
