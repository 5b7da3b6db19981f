"""Where values come from and how they travel: the input of a run, and the relay."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Kernel


class Source(Kernel):
    """Gives ``frames[(t - 1) // repeat]`` at step t, and zeros after the last frame."""

    input_shape = None

    def __init__(self, frames: Any, repeat: int) -> None:
        self.frames = frames
        self.repeat = repeat
        self.shape = frames.shape[1:]

    def step(self, x: Any, time_step: int) -> Any:
        """Give one frame."""
        index = (time_step - 1) // self.repeat
        return self.frames[index].astype(np.int64) if index < len(self.frames) else np.zeros(self.shape, np.int64)


class Relay(Kernel):
    """Gives at step t what it took at step t - ``depth``.

    With ``masked_every`` = T the last of every T values is zero, the first one being that of step
    ``lag`` + 1: nothing passes from one sample to the next. ``order`` says which element becomes the first,
    second and so on; -1 stands for a zero.
    """

    def __init__(self, *, input_shape: Any, shape: Any, depth: int, order: Any, masked_every: int, lag: int) -> None:
        self.input_shape = input_shape
        self.shape = shape
        self.order = order
        self.masked_every = masked_every
        self.lag = lag
        self.early = depth > 0
        self.waiting = [np.zeros(shape, np.int64) for _ in range(depth)]

    def ready(self) -> Any:
        """Give the value that has waited long enough."""
        return self.waiting.pop(0)

    def step(self, x: Any, time_step: int) -> Any:
        """Take one value and treat it."""
        if self.masked_every and (time_step - self.lag) % self.masked_every == 0:
            x = np.zeros_like(x)
        value = x if self.order is None else np.append(x, 0)[self.order].reshape(self.shape)
        if self.early:
            self.waiting.append(value)
        return value
