"""One recording as it comes from a file, and its place in the frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.integer[Any]]


LATEST_US = 1 << 62
"""No time is that late: sums and differences of times stay within int64."""


class RecordingError(ValueError):
    """A recording cannot be used; the text says why, and the caller adds the file's name."""


@dataclass(frozen=True, eq=False)
class Events:
    """Events of one recording, one element each.

    Attributes:
        t: Time in microseconds.
        x: Column, from 0.
        y: Row, from 0.
        p: Channel; of a camera the polarity, 0 or 1.
    """

    t: Values
    x: Values
    y: Values
    p: Values

    @classmethod
    def of(cls, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> Events:
        """Return the events as int64.

        Raises:
            RecordingError: The rows differ in length, or are not whole numbers.
        """
        rows = [np.asarray(row) for row in (t, x, y, p)]
        if len({row.shape for row in rows}) > 1 or rows[0].ndim != 1:
            raise RecordingError(f"its t, x, y, p have the shapes {[row.shape for row in rows]}; they must be equal")
        if any(row.dtype.kind not in "iub" for row in rows):
            raise RecordingError(f"its t, x, y, p are {[str(row.dtype) for row in rows]}; they must be integers")
        if any(row.dtype == np.uint64 and row.max(initial=0) >= LATEST_US for row in rows):
            raise RecordingError(f"its t, x, y, p go up to {max(row.max() for row in rows)}; they must be below 2**62")
        return cls(*(row.astype(np.int64) for row in rows))

    def from_the_first(self) -> Events:
        """Return the events with times counted from the first one: of a clock that ran before."""
        return Events(self.t - self.t.min(), self.x, self.y, self.p) if len(self.t) else self


def whole_microseconds(seconds: ArrayLike, whole: Callable[[Any], Any], what: str) -> NDArray[np.int64]:
    """Return a row of times in microseconds.

    Args:
        seconds: One number each.
        whole: What makes a number of microseconds whole: ``np.rint`` or ``np.floor``.
        what: Begins the error, as ``its 't' holds times``.

    Raises:
        RecordingError: They are no row of numbers, or one is not finite or too large.
    """
    try:
        given = np.asarray(seconds, np.float64)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{what} that are no numbers") from error
    if given.ndim != 1:
        raise RecordingError(f"{what} of shape {given.shape}; they must be a row")
    if not (np.abs(given) < LATEST_US / 1e6).all():
        raise RecordingError(f"{what} that are not finite, or 2**62 us and more")
    found: NDArray[np.int64] = whole(given * 1e6).astype(np.int64)
    return found


@dataclass(frozen=True)
class Sensor:
    """What a sensor's events are, and how its pixels are pooled.

    Attributes:
        channels: Number of channels, of a camera 2 polarities.
        height: Rows.
        width: Columns.
        flat: A frame has one axis (channels, rows and columns in this order) instead of three.
    """

    channels: int
    height: int
    width: int
    flat: bool = False

    def pooled(self, downsample: int | None, size: int | None) -> Pooling:
        """Return how pixels map to elements of a frame.

        Args:
            downsample: So many pixels in a row and in a column become one: ``x // downsample``.
            size: Columns (and rows, where there is more than one) of a frame: ``x * size // width``.

        Raises:
            ValueError: Both are given, or one is out of its range.
        """
        least = min(side for side in (self.height, self.width) if side > 1)
        if downsample is not None and size is not None:
            raise ValueError("downsample and size are two ways to say one thing; give one of them")
        if size is not None:
            if not 1 <= size <= least:
                raise ValueError(f"size is {size}; it must be 1 to {least}")
            return Pooling(self, 1 if self.height == 1 else size, size, None)
        factor = 1 if downsample is None else downsample
        if not 1 <= factor <= least:
            raise ValueError(f"downsample is {factor}; it must be 1 to {least}")
        return Pooling(self, -(-self.height // factor), -(-self.width // factor), factor)


@dataclass(frozen=True)
class Pooling:
    """From pixels of a sensor to elements of a frame; the events of all pixels of an element are its events."""

    sensor: Sensor
    height: int
    width: int
    factor: int | None

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of one frame."""
        shape = (self.sensor.channels, self.height, self.width)
        return (int(np.prod(shape)),) if self.sensor.flat else shape

    def site(self, events: Events) -> Values:
        """Return the flat index of each event's element.

        Raises:
            RecordingError: An event lies beyond the sensor, or before time 0.
        """
        sensor = self.sensor
        limits = {"x": sensor.width, "y": sensor.height, "p": sensor.channels}
        for name, limit in limits.items():
            values: Values = getattr(events, name)
            if len(values) and not 0 <= int(values.min()) <= int(values.max()) < limit:
                raise RecordingError(
                    f"it has events at {name} = {values.min()}..{values.max()}; the sensor has 0..{limit - 1}"
                )
        if len(events.t) and int(events.t.min()) < 0:
            raise RecordingError(f"it has an event at {events.t.min()} us; times count from 0")
        return (events.p * self.height + self._pool(events.y, sensor.height, self.height)) * self.width + self._pool(
            events.x, sensor.width, self.width
        )

    def _pool(self, values: Values, pixels: int, elements: int) -> Values:
        return values // self.factor if self.factor is not None else values * elements // pixels
