"""What the event data sets share: their options, and from recordings to frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from spikequant import Dataset, EventFrames, Split
from spikequant.data_folders import damaged
from spikequant.dataset import SplitName
from spikequant_events.recordings import Events, RecordingError, Sensor, Values

Counts = Literal["counts", "binary"]
MICROSECONDS = 1000
MOST_FRAMES = np.iinfo(np.uint32).max


class Sample(NamedTuple):
    """One labelled recording: its place in the split's order, and the file that it comes from."""

    order: tuple[int | str, ...]
    label: int
    events: Events
    path: Path


class EventSet(Dataset):
    """A set of recordings, cut into frames.

    Args:
        timesteps: Frames of a sample; the recipe's, and the set's own default without a recipe.
        frame_ms: Duration of a frame, a whole number of microseconds.
        counts: ``counts``: an element is its number of events, at most ``2**bits - 1``; ``binary``: whether
            there was one.
        bits: Width of a count, 1 to 8.
        downsample: So many pixels in a row and in a column become one, with all their events.
        size: Side of a frame instead, where it does not divide the sensor's.
        start: First frame of a sample, counted from the recording's beginning.
        whole: Each recording is divided into ``timesteps`` frames of equal length, from its first event to its last;
            ``frame_ms`` is then what such a frame is taken to last.

    Attributes:
        sensor: What its events are.
        length: Default of ``timesteps``.
        frame_default_ms: Default of ``frame_ms``.
        pooled_by: Default of ``downsample``.
    """

    frames = True
    peak = 1
    sensor: Sensor
    length: ClassVar[int]
    frame_default_ms: ClassVar[float] = 1.0
    pooled_by: ClassVar[int] = 1

    def __init__(
        self,
        timesteps: int | None = None,
        *,
        frame_ms: float | None = None,
        counts: Counts = "counts",
        bits: int = 8,
        downsample: int | None = None,
        size: int | None = None,
        start: int = 0,
        whole: bool = False,
    ) -> None:
        self.timesteps = self.length if timesteps is None else timesteps
        self.frame_us = _microseconds(self.frame_default_ms if frame_ms is None else frame_ms)
        self.start, self.whole = start, whole
        if whole and start:
            raise ValueError(
                f"start is {start} and whole is true; whole recordings have no other frames, so set it to 0"
            )
        for option, value, least in (("timesteps", self.timesteps, 1), ("start", start, 0)):
            if value < least:
                raise ValueError(f"{option} is {value}; it must be at least {least}")
        if not 1 <= bits <= 8:
            raise ValueError(f"bits is {bits}; it must be 1 to 8")
        if downsample is None and size is None:
            downsample = self.pooled_by
        self.pooling = self.sensor.pooled(downsample, size)
        self.shape = self.pooling.frame
        self.bits = 1 if counts == "binary" else bits
        self.frame_s = self.frame_us / 1e6

    @abstractmethod
    def samples(self, split: SplitName, folders: tuple[Path, ...]) -> Iterator[Sample]:
        """Yield the recordings of one split, in any order.

        Raises:
            DataError: A file is missing or damaged.
        """

    def load(self, split: SplitName, folders: tuple[Path, ...]) -> Split:
        """Return one split, whose ``x`` are :class:`~spikequant.EventFrames`.

        Raises:
            DataError: A file is missing or damaged, or an event lies beyond the sensor.
        """
        labels: list[int] = []
        keys: list[tuple[int | str, ...]] = []

        def placed() -> Iterator[tuple[Values, Values]]:
            for sample in self.samples(split, folders):
                labels.append(sample.label)
                keys.append(sample.order)
                try:
                    self._check_last(sample.events)
                    yield self._times(sample.events.t), self.pooling.site(sample.events)
                except RecordingError as error:
                    raise damaged(self, sample.path, str(error)) from error

        x = EventFrames.of(
            placed(),
            self.shape,
            timesteps=self.timesteps,
            frame_us=self.frame_us,
            start=self.start,
            most=(1 << self.bits) - 1,
        )
        order = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
        return Split(x.select(order), np.array(labels, np.int64)[order])

    def _times(self, t: Values) -> Values:
        """Return times whose frames are those that events are to be in."""
        if not self.whole or not len(t):
            return t
        times = t.astype(np.int64)
        first, last = int(times.min()), int(times.max())
        return (times - first) * self.timesteps // (last - first + 1) * self.frame_us

    def _check_last(self, events: Events) -> None:
        last = int(events.t.max(initial=0))
        if last // self.frame_us >= MOST_FRAMES:
            raise RecordingError(
                f"it has an event at {last} us, in frame {last // self.frame_us}; frames are counted to"
                f" {MOST_FRAMES - 1}, so give a longer frame if the time is right"
            )


def _microseconds(milliseconds: float) -> int:
    """Return a duration in microseconds.

    Raises:
        ValueError: It is not a whole number of them, or none.
    """
    found = round(milliseconds * MICROSECONDS)
    if found < 1 or abs(found - milliseconds * MICROSECONDS) > 1e-6:
        raise ValueError(f"frame_ms is {milliseconds}; it must be a whole number of microseconds, such as 1 or 0.25")
    return found
