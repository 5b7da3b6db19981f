"""Exact integer dense, convolution and lateral connections.

Like Lava's own, dense and convolution give at step t what they accumulated at step t - 1, unless they
are ``immediate``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Kernel


class Weights(Kernel):
    """Gives the previous step's sums, or this step's if ``immediate``; a subclass says how to accumulate.

    ``weights`` are int64, or float64 where that is exact and faster; ``bias`` is int64, one per neuron or channel.
    """

    def __init__(self, *, weights: Any, bias: Any, input_shape: Any, shape: Any, immediate: bool) -> None:
        self.weights = weights
        self.bias = bias
        self.input_shape = input_shape
        self.shape = shape
        self.early = not immediate
        self.sums = np.zeros(shape, np.int64)

    def ready(self) -> Any:
        """Give the sums of the previous step."""
        return self.sums

    def step(self, x: Any, time_step: int) -> Any:
        """Accumulate."""
        self.sums = self.accumulated(x.astype(self.weights.dtype)).astype(np.int64) + self.bias
        return self.sums

    def accumulated(self, x: Any) -> Any:
        """Weighted sums of ``x`` without bias."""
        raise NotImplementedError


class Dense(Weights):
    """``weights @ x + bias``."""

    def accumulated(self, x: Any) -> Any:
        """One matrix product."""
        return self.weights @ x


class Conv(Weights):
    """Cross-correlation over (width, height, channels); ``weights`` is (kw, kh, out, in / groups)."""

    def __init__(self, *, window: Any, groups: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.window = window
        self.groups = groups

    def accumulated(self, x: Any) -> Any:
        """One matrix product per group and kernel tap over the strided view that the tap sees."""
        (px, py), (sx, sy), (dx, dy) = (self.window[key] for key in ("padding", "stride", "dilation"))
        x = np.pad(x, ((px, px), (py, py), (0, 0)))
        columns, rows, out = self.shape
        kernel_w, kernel_h, _, per_group = self.weights.shape
        acc = np.zeros(self.shape, self.weights.dtype)
        for group in range(self.groups):
            outs = slice(group * out // self.groups, (group + 1) * out // self.groups)
            ins = slice(group * per_group, (group + 1) * per_group)
            for kx in range(kernel_w):
                for ky in range(kernel_h):
                    across = slice(kx * dx, kx * dx + (columns - 1) * sx + 1, sx)
                    down = slice(ky * dy, ky * dy + (rows - 1) * sy + 1, sy)
                    acc[:, :, outs] += x[across, down, ins] @ self.weights[kx, ky, outs].T
        return acc


class Lateral(Kernel):
    """``code * sum(x[m] for m != n)``, in the step in which ``x`` arrives."""

    def __init__(self, *, shape: Any, code: int) -> None:
        self.shape = self.input_shape = shape
        self.code = code

    def step(self, x: Any, time_step: int) -> Any:
        """Weigh."""
        return (np.sum(x) - x) * self.code
