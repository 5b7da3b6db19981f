"""Real MNIST images for the benchmarks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikequant.data_folders import data_folders
from spikequant.errors import DataError
from spikequant.runs import make_dataset


def images(count: int) -> NDArray[np.uint8]:
    """Return the first MNIST test images, uint8 ``(count, 1, 28, 28)``."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPIKEQUANT_DATA", beside))
    try:
        split = make_dataset("mnist").load("test", data_folders(folder))
    except DataError as error:
        sys.exit(str(error))
    return split.x[:count].astype(np.uint8)
