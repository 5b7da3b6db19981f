"""Braille letters read by a tactile fingertip, as spikes of its twelve taxels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikequant.data_folders import damaged, held, missing, places
from spikequant.dataset import Dataset, SplitName
from spikequant_events.arrays import checked_labels, read_arrays
from spikequant_events.event_set import Counts, EventSet, Sample
from spikequant_events.recordings import Events, RecordingError, Sensor, whole_microseconds
from spikequant_events.stratified import stratified

STEPS, TAXELS, STEP_US = 256, 12, 5000
FILE7, FILE27 = "braille7_spikes.npz", "braille27_events_th10.npz"
ORIGIN = "https://zenodo.org/records/7050094 (the original set; docs/data.md says how the archive is made of it)"


class Braille(EventSet):
    """Seven letters (Space A E I O U Y) of the Braille set (Mueller-Cleve et al., 2022), as the NIR paper encodes them.

    Recordings are 256 steps of 5 ms with at most one spike a taxel. They have no split of their own; ours is
    :func:`~spikequant_events.stratified.stratified` with the key ``spikequant braille split 1``.

    Args:
        timesteps: Frames of a sample; by default those of a whole recording.
        frame_steps: So many steps become one frame, 1 to 255.
        counts: What an element of such a frame is: its number of spikes, or whether there was one.
        start: First frame of a sample.
        windows: A recording is cut into so many parts of equal length, a divisor of 256, which are shown side by side:
            an element is a taxel in a part, part after part, and a sample is as long as one part. What happened when is
            then where it happened, as an input that knows the whole recording may have it.
    """

    name = "braille"
    summary = "857 tactile recordings of 7 Braille letters, 12 taxels, 256 steps of 5 ms: 685 train, 172 test"
    source = ORIGIN
    classes = 7
    length = STEPS

    def __init__(
        self,
        timesteps: int | None = None,
        frame_steps: int = 1,
        counts: Counts = "counts",
        start: int = 0,
        windows: int = 1,
    ) -> None:
        if not 1 <= frame_steps <= 255:
            raise ValueError(f"frame_steps is {frame_steps}; it must be 1 to 255")
        if windows < 1 or STEPS % windows:
            raise ValueError(f"windows is {windows}; it must be a divisor of {STEPS}")
        self.window = STEPS // windows
        self.sensor = Sensor(windows, 1, TAXELS, flat=True)
        super().__init__(
            timesteps=-(-self.window // frame_steps) if timesteps is None else timesteps,
            frame_ms=frame_steps * STEP_US / 1000,
            counts=counts,
            bits=frame_steps.bit_length(),
            start=start,
        )

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the recordings of a split, in its order.

        Raises:
            DataError: The archive is missing or damaged.
        """
        path = _file(self, FILE7, folders)
        try:
            packed, y = read_arrays(path, ("x", "y"))
            if packed.dtype != np.uint8 or packed.shape[1:] != (STEPS, (TAXELS + 7) // 8):
                raise RecordingError(f"its 'x' is {packed.dtype} {packed.shape}; it must be uint8 (n, {STEPS}, 2)")
            labels = checked_labels(y, len(packed), self.classes)
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error
        for place, number in enumerate(stratified(labels, split, "spikequant braille split 1").tolist()):
            step, taxel = np.nonzero(np.unpackbits(packed[number], axis=-1)[:, :TAXELS])
            events = _events(step % self.window * STEP_US, taxel, step // self.window)
            yield Sample((place,), int(labels[number]), events, path)


class Braille27(EventSet):
    """All 27 letters (Space and A to Z) of the Braille set, encoded at threshold 10: about 41 events a recording.

    An element of a frame is a taxel's first or second list of events (presumably ON and OFF): 24 in all, the first
    list's twelve taxels first. The split is made as that of ``braille``, with the key ``spikequant braille27 split 1``.
    """

    name = "braille27"
    summary = "5,400 tactile recordings of 27 Braille letters, 12 taxels, ON and OFF: 4,320 train, 1,080 test"
    source = ORIGIN
    classes = 27
    sensor = Sensor(2, 1, TAXELS, flat=True)
    length = 265
    frame_default_ms = STEP_US / 1000

    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the recordings of a split, in its order.

        Raises:
            DataError: The archive is missing or damaged.
        """
        path = _file(self, FILE27, folders)
        try:
            sample, taxel, channel, y = read_arrays(path, ("sample", "taxel", "channel", "y"), axes=1)
            (seconds,) = read_arrays(path, ("t",), kinds="f", axes=1)
            labels = checked_labels(y, len(y), self.classes)
            rows = {len(row) for row in (sample, taxel, channel, seconds)}
            if len(rows) > 1 or (len(sample) and not 0 <= sample.min() <= sample.max() < len(y)):
                raise RecordingError("its 'sample' does not number its recordings, or its rows differ in length")
            times = whole_microseconds(seconds, np.rint, "its 't' holds times")
        except RecordingError as error:
            raise damaged(self, path, str(error)) from error
        order = np.argsort(sample, kind="stable")
        ends = np.searchsorted(sample[order], np.arange(len(y) + 1))
        for place, number in enumerate(stratified(labels, split, "spikequant braille27 split 1").tolist()):
            mine = order[ends[number] : ends[number + 1]]
            events = _events(times[mine], taxel[mine], channel[mine])
            yield Sample((place,), int(labels[number]), events, path)


def _events(t: NDArray[np.int64], taxel: NDArray[np.integer], channel: NDArray[np.integer]) -> Events:
    return Events.of(t, taxel, np.zeros(len(t), np.int64), channel)


def _file(dataset: Dataset, name: str, folders: tuple[Path, ...]) -> Path:
    """Return the archive; both Braille sets may lie in a folder ``braille``."""
    for place in dict.fromkeys((*places(dataset.name, folders), *places("braille", folders))):
        if found := held(place, [(name,)]):
            return found[0]
    raise missing(dataset, name, folders)
