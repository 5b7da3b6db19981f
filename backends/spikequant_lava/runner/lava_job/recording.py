"""Arrays that Lava's processes fill while they run: reading a Var costs Lava 8 us a value, this nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np


def reserve(path: Path) -> None:
    """Have the disk keep room for a whole file: on a full one a write to mapped memory would end the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


class Recorder:
    """Rows of some arrays, one per timestep of the run; rows outside the run are dropped.

    A process whose node lags ``lag`` steps sees the first input at step ``lag + 1`` of Lava's clock.
    """

    def __init__(self, folder: Path, rows: int, lag: int, **arrays: tuple[tuple[int, ...], Any]) -> None:
        self._paths = {key: folder / f"{key}.npy" for key in arrays}
        self._rows = rows
        self._lag = lag
        self._open: dict[str, Any] = {}
        folder.mkdir(parents=True)
        for key, (shape, dtype) in arrays.items():
            np.lib.format.open_memmap(self._paths[key], "w+", np.dtype(dtype), (rows, *shape)).flush()
            reserve(self._paths[key])

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._paths)

    def row(self, time_step: int) -> int:
        """Index of the row that belongs to Lava's ``time_step`` (which counts from 1)."""
        return time_step - 1 - self._lag

    def covers(self, time_step: int) -> bool:
        """Whether ``time_step`` belongs to the run."""
        return 0 <= self.row(time_step) < self._rows

    def write(self, time_step: int, **values: Any) -> None:
        """Store one row of each array; values of other names are dropped."""
        if not self.covers(time_step):
            return
        row = self.row(time_step)
        for key, value in values.items():
            if key not in self._paths:
                continue
            if key not in self._open:
                self._open[key] = np.lib.format.open_memmap(self._paths[key], "r+")
            self._open[key][row] = value

    def read(self, key: str) -> Any:
        """Return what was recorded."""
        return np.load(self._paths[key], mmap_mode="r")
