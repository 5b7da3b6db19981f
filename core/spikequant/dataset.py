"""The contract of a data set: named splits of labelled samples, as integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import ContractError
from spikequant.event_frames import EventFrames

SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Split:
    """Samples and labels of one split.

    Attributes:
        x: Integers ``(samples, *shape)``: pixels or counts, as stored; for a set of recordings
            :class:`~spikequant.EventFrames`, which give ``(samples, timesteps, *shape)`` for a slice or for indices.
        y: Class of each sample, int64 ``(samples,)``.
    """

    x: NDArray[np.integer] | EventFrames
    y: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ContractError(
                f"a split has {len(self.x)} samples and {len(self.y)} labels; a data set gives one label per sample"
            )

    def __len__(self) -> int:
        return len(self.y)

    def head(self, count: int | None) -> Split:
        """Return the first ``count`` samples; all for ``None``."""
        if count is None:
            return self
        x = self.x.select(slice(count)) if isinstance(self.x, EventFrames) else self.x[:count]
        return Split(x, self.y[:count])


@dataclass(frozen=True)
class RemoteFile:
    """A file that ``spikequant fetch`` downloads: address, checksum (``algorithm:digest``), bytes.

    A size of 0 says that the publisher does not state it: the server's word is taken.
    """

    name: str
    url: str
    checksum: str
    size: int


class Dataset(ABC):
    """A labelled data set, found on disk or embedded in a package.

    Its attributes say what its samples are, so that a network can be built before any file is read. A set may
    take options, as parameters of its constructor: they come from the ``[data]`` table of a recipe, and attributes
    that depend on them are set there. Every parameter needs a default.

    Attributes:
        shape: Shape of one sample, ``(channels, height, width)``; of one frame where samples are frames.
        classes: Number of classes.
        bits: Width of one unsigned value.
        peak: Value that counts as real 1.0 (16 for the digits, 255 for 8-bit images).
        frames: A sample is ``timesteps`` frames, one per step; the constructor takes ``timesteps``, which is the
            recipe's.
        frame_s: Duration of one frame in seconds; ``None`` for samples that are no frames.
        files: What ``fetch`` downloads; empty for an embedded set.
        source: Where its files come from, in words, if ``fetch`` cannot download them.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    shape: tuple[int, ...]
    classes: int
    bits: int = 8
    peak: int = 255
    frames: ClassVar[bool] = False
    frame_s: float | None = None
    files: ClassVar[tuple[RemoteFile, ...]] = ()
    source: ClassVar[str] = ""

    @abstractmethod
    def load(self, split: SplitName, folders: tuple[Path, ...]) -> Split:
        """Return one split.

        Args:
            split: ``train`` or ``test``.
            folders: Where to look, in order; each may hold the files directly or in a folder named
                after the data set.

        Raises:
            DataError: A file is missing (says where it looked, the fetch command and the size) or damaged.
        """
