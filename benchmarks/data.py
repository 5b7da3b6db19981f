"""Real MNIST images for the benchmarks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikequant.data_folders import data_folders
from spikequant.dataset import Split, SplitName
from spikequant.errors import DataError
from spikequant.runs import make_dataset


def folder() -> Path:
    """Return where real data sets lie: ``SPIKEQUANT_DATA``, or beside the repository."""
    return Path(os.environ.get("SPIKEQUANT_DATA", Path(__file__).parents[2] / "shared" / "data"))


def mnist(split: SplitName) -> Split:
    """Return a split of MNIST; the program ends if it is not there."""
    try:
        return make_dataset("mnist").load(split, data_folders(folder()))
    except DataError as error:
        sys.exit(str(error))


def images(count: int) -> NDArray[np.uint8]:
    """Return the first MNIST test images, uint8 ``(count, 1, 28, 28)``."""
    return mnist("test").x[:count].astype(np.uint8)
