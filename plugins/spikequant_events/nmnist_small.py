"""N-MNIST, 1,100 of its recordings in one ``.npz`` archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spikequant.data_folders import damaged, held, missing
from spikequant.data_folders import places as places_of
from spikequant.dataset import SplitName
from spikequant_events.arrays import checked_labels, read_arrays
from spikequant_events.event_set import EventSet, Sample
from spikequant_events.recordings import Events, RecordingError, Sensor

FILE = "nmnist_small.npz"


class NMnistSmall(EventSet):
    """The first 1,000 training and 100 test recordings of N-MNIST (Orchard et al., 2015)."""

    name = "nmnist-small"
    summary = "1,100 recordings of N-MNIST, 34x34, two polarities: 1,000 train, 100 test"
    source = (
        f"the repository bamsumit/slayerPytorch, test/test_files/NMNISTsmall, packed into {FILE} as docs/data.md says"
        " (11.7 MB)"
    )
    classes = 10
    sensor = Sensor(2, 34, 34)
    length = 300

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the recordings in the order of the archive.

        Raises:
            DataError: The archive is missing or damaged.
        """
        files = (found for place in places_of(self.name, folders) if (found := held(place, [(FILE,)])))
        path = next(files, (None,))[0]
        if path is None:
            raise missing(self, FILE, folders)
        try:
            names = [f"{split}_{key}" for key in ("t", "x", "y", "p", "offset", "label")]
            t, x, y, p, offset, label = read_arrays(path, names, axes=1)
            if not len(offset) or offset[0] != 0 or offset[-1] != len(t):
                raise RecordingError(f"its '{split}_offset' does not divide its {len(t)} events")
            if (offset[1:] < offset[:-1]).any():
                raise RecordingError(f"its '{split}_offset' falls")
            labels = checked_labels(label, len(offset) - 1, self.classes)
            for number, (begin, end) in enumerate(zip(offset[:-1].tolist(), offset[1:].tolist(), strict=True)):
                part = slice(begin, end)
                events = Events.of(t[part], x[part], y[part], p[part])
                yield Sample((number,), int(labels[number]), events, path)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error
