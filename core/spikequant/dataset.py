"""The contract of a data set: named splits of labelled samples, as integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Split:
    """Samples and labels of one split.

    Attributes:
        x: Integers ``(samples, *shape)``: pixels or counts, as stored.
        y: Class of each sample, int64 ``(samples,)``.
    """

    x: NDArray[np.integer]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def head(self, count: int | None) -> Split:
        """Return the first ``count`` samples; all for ``None``."""
        return self if count is None else Split(self.x[:count], self.y[:count])


@dataclass(frozen=True)
class RemoteFile:
    """A file that ``spikequant fetch`` downloads: address, checksum (``algorithm:digest``), bytes."""

    name: str
    url: str
    checksum: str
    size: int


class Dataset(ABC):
    """A labelled data set, found on disk or embedded in a package.

    Class attributes say what its samples are, so that a network can be built before any file is read.

    Attributes:
        shape: Shape of one sample, ``(channels, height, width)``.
        classes: Number of classes.
        bits: Width of one unsigned value.
        peak: Value that counts as real 1.0 (16 for the digits, 255 for 8-bit images).
        files: What ``fetch`` downloads; empty for an embedded set.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    shape: ClassVar[tuple[int, ...]]
    classes: ClassVar[int]
    bits: ClassVar[int] = 8
    peak: ClassVar[int] = 255
    files: ClassVar[tuple[RemoteFile, ...]] = ()

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
