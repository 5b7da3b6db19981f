"""Recordings of events, kept as events and cut into frames when they are asked for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikequant.errors import DataError, UsageError

Recording = tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]
"""Times in microseconds, and flat indices into the shape of one frame; one of each per event."""
WIDEST = 255
"""Largest count in one element of a frame."""


@dataclass(frozen=True, eq=False, repr=False)
class EventFrames:
    """Samples ``(timesteps, *frame)`` that stand for recordings of events; an array is made of the chosen ones only.

    An event at time t (microseconds from its recording's beginning) belongs to frame ``floor(t / frame_us)``. An
    element of a frame is the number of its events, at most ``most``; with ``most = 1`` it says whether there was one.
    ``x[i]``, ``x[i:j]`` and ``x[indices]`` are frames ``start`` to ``start + timesteps - 1``; what lies before and
    behind them is left out, and a recording that ends earlier goes on with empty frames.

    Attributes:
        frame_of: Frame of each event, in order of time within a recording.
        site_of: Flat index of each event in a frame.
        begins: First event of each recording.
        ends: The event behind its last one.
        frame: Shape of one frame.
        timesteps: Number of frames of a sample, T.
        frame_us: Duration of a frame in microseconds.
        start: First frame of a sample.
        most: Largest value of an element, 1 to 255.
    """

    frame_of: NDArray[np.unsignedinteger[Any]]
    site_of: NDArray[np.unsignedinteger[Any]]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    frame: tuple[int, ...]
    timesteps: int
    frame_us: int
    start: int = 0
    most: int = WIDEST

    @classmethod
    def of(
        cls,
        recordings: Iterable[Recording],
        frame: tuple[int, ...],
        *,
        timesteps: int,
        frame_us: int,
        start: int = 0,
        most: int = WIDEST,
    ) -> EventFrames:
        """Return the frames of ``recordings``, whose events need not be in order.

        Raises:
            DataError: A time is negative, or a site is not in the frame; the message has the recording's number.
            UsageError: A setting is out of its range.
        """
        for name, value, least in (("timesteps", timesteps, 1), ("frame_us", frame_us, 1), ("start", start, 0)):
            if value < least:
                raise UsageError(f"event frames: {name} is {value}; it must be {least} or more")
        if not 1 <= most <= WIDEST:
            raise UsageError(f"event frames: most is {most}; it must be 1 to {WIDEST}")
        size = math.prod(frame)
        times, sites, counts = [], [], []
        for number, (time, site) in enumerate(recordings):
            _check(number, time, site, size, frame)
            index = np.asarray(time) // frame_us
            ordered = not (index[1:] < index[:-1]).any()
            order = slice(None) if ordered else np.argsort(index, kind="stable")
            times.append(index[order].astype(_narrowest(int(index.max(initial=0)))))
            sites.append(site[order].astype(_narrowest(size - 1)))
            counts.append(len(index))
        ends = np.cumsum(counts, dtype=np.int64)
        return cls(_joined(times), _joined(sites), ends - counts, ends, frame, timesteps, frame_us, start, most)

    def __len__(self) -> int:
        return len(self.begins)

    def __repr__(self) -> str:
        shape = ", ".join(map(str, self.shape))
        return f"EventFrames(shape=({shape}), frame_us={self.frame_us}, start={self.start}, most={self.most})"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(samples, timesteps, *frame)``."""
        return (len(self), self.timesteps, *self.frame)

    @property
    def ndim(self) -> int:
        """Number of axes of :attr:`shape`."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Of the arrays that are made: uint8."""
        return np.dtype(np.uint8)

    @property
    def events(self) -> int:
        """Number of events of all recordings, whole."""
        return int((self.ends - self.begins).sum())

    def __getitem__(self, chosen: Any) -> NDArray[np.uint8]:
        """Return the frames of some recordings: one index, a slice, an array of indices or a mask."""
        indices = np.arange(len(self))[chosen]
        made = self.crops(np.atleast_1d(indices), np.full(indices.size, self.start), self.timesteps)
        return made if indices.ndim else made[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        """Refuse to become one array, which may be far larger than the memory.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{self!r} is not made into one array by accident; take the samples you need: x[i:j], or x[:]")

    def select(self, chosen: Any) -> EventFrames:
        """Return some recordings, still as events: a slice, an array of indices or a mask."""
        return replace(self, begins=self.begins[chosen], ends=self.ends[chosen])

    def steps_of(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Return how many frames each whole recording has, from its beginning to its last event; 0 without events."""
        begins, ends = self.begins[np.asarray(indices)], self.ends[np.asarray(indices)]
        if not len(self.frame_of):
            return np.zeros(begins.shape, np.int64)
        last = self.frame_of[np.maximum(ends - 1, 0)].astype(np.int64) + 1
        return np.where(ends > begins, last, 0)

    def crops(self, indices: ArrayLike, starts: ArrayLike, steps: int) -> NDArray[np.uint8]:
        """Return ``(len(indices), steps, *frame)``: of each recording the frames from its start on.

        Args:
            indices: Recordings, each any number of times.
            starts: First frame of each, counted from the recording's beginning (not from :attr:`start`).
            steps: Frames of each; those behind the recording's end are empty.

        Raises:
            UsageError: A start is negative, or there are not as many as indices.
        """
        chosen, first = np.atleast_1d(np.asarray(indices)), np.atleast_1d(np.asarray(starts))
        if chosen.shape != first.shape or (first < 0).any():
            raise UsageError(f"crops of {len(chosen)} recordings need as many starts, 0 or more; got {first.tolist()}")
        size = math.prod(self.frame)
        made = np.zeros((len(chosen), steps * size), np.uint8)
        tally = np.zeros(steps * size, np.uint32)
        for row, index, start in zip(made, chosen.tolist(), first.tolist(), strict=True):
            keys = self._keys(index, start, steps)
            if self.most == 1:
                row[keys] = 1
                continue
            np.add.at(tally, keys, np.uint32(1))
            row[keys] = np.minimum(tally[keys], self.most)
            tally[keys] = 0  # only what was touched: recordings are sparse
        return made.reshape(len(chosen), steps, *self.frame)

    def clipped(self) -> int:
        """Return how many events the samples do not count because their element is at ``most``."""
        lost = 0
        for index in range(len(self)):
            keys = self._keys(index, self.start, self.timesteps)
            lost += int(np.maximum(np.unique(keys, return_counts=True)[1] - self.most, 0).sum())
        return lost

    def digest(self) -> bytes:
        """Return SHA-256 of all that the samples depend on; equal for equal recordings, whatever holds them."""
        found = hashlib.sha256(f"{self.shape} {self.frame_us} {self.start} {self.most}".encode())
        for begin, end in zip(self.begins.tolist(), self.ends.tolist(), strict=True):
            found.update(f"{end - begin}".encode())
            found.update(self.frame_of[begin:end].astype("<u4").data)
            found.update(self.site_of[begin:end].astype("<u4").data)
        return found.digest()

    def _keys(self, index: int, start: int, steps: int) -> NDArray[np.int64]:
        """Return for each event of a crop its flat index in it."""
        begin, end = self.begins[index], self.ends[index]
        frames = self.frame_of[begin:end]
        top = np.iinfo(frames.dtype).max
        low = np.searchsorted(frames, frames.dtype.type(start)) if start <= top else len(frames)
        high = np.searchsorted(frames, frames.dtype.type(start + steps)) if start + steps <= top else len(frames)
        keys = frames[low:high].astype(np.int64)
        keys -= start
        keys *= math.prod(self.frame)
        keys += self.site_of[begin + low : begin + high]
        return keys


def _check(number: int, time: NDArray[Any], site: NDArray[Any], size: int, frame: tuple[int, ...]) -> None:
    if time.ndim != 1 or time.shape != site.shape or time.dtype.kind not in "iu" or site.dtype.kind not in "iu":
        raise DataError(
            f"recording {number} has times {time.shape} and sites {site.shape}; it needs two equal rows of integers"
        )
    if len(time) and int(time.min()) < 0:
        raise DataError(f"recording {number} has an event at {time.min()} us; times count from 0")
    if len(site) and not 0 <= int(site.min()) <= int(site.max()) < size:
        raise DataError(f"recording {number} has events at {site.min()}..{site.max()}; {frame} holds 0..{size - 1}")


def _narrowest(largest: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the dtype that events are kept in; the largest value of a type is never used as a frame.

    >>> _narrowest(65_535), _narrowest(65_534)
    (dtype('uint32'), dtype('uint16'))
    """
    if largest >= np.iinfo(np.uint32).max:
        raise DataError(f"an event lies in frame {largest}; frames are counted to {np.iinfo(np.uint32).max - 1}")
    return np.dtype(np.uint16 if largest < np.iinfo(np.uint16).max else np.uint32)


def _joined(parts: list[NDArray[Any]]) -> NDArray[np.unsignedinteger[Any]]:
    return np.concatenate(parts) if parts else np.zeros(0, np.uint16)
