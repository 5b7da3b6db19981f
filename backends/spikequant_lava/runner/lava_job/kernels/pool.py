"""Pooling: the maximum or the sum of the values under a window, in the step in which they arrive."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Kernel

JOINS = {"sum": np.add, "max": np.maximum}


class Pool(Kernel):
    """Joins each window of (width, height, channels) by ``join``, along one axis, then along the other.

    ``window`` holds kernel, stride and padding, the horizontal one first; padding is zero.
    """

    def __init__(self, *, input_shape: Any, shape: Any, window: Any, join: str) -> None:
        self.input_shape = input_shape
        self.shape = shape
        self.window = window
        self.join = JOINS[join]

    def step(self, x: Any, time_step: int) -> Any:
        """Join."""
        (px, py), (sx, sy), (kx, ky) = (self.window[key] for key in ("padding", "stride", "kernel"))
        x = np.pad(x, ((px, px), (py, py), (0, 0)))
        x = self.joined(x, kx, sx, self.shape[0]).swapaxes(0, 1)
        return np.ascontiguousarray(self.joined(x, ky, sy, self.shape[1]).swapaxes(0, 1))

    def joined(self, x: Any, kernel: int, stride: int, windows: int) -> Any:
        """Join ``kernel`` neighbours along the first axis, every ``stride``, ``windows`` times."""
        last = (windows - 1) * stride + 1
        result = x[:last:stride].copy()
        for tap in range(1, kernel):
            self.join(result, x[tap : tap + last : stride], out=result)
        return result
