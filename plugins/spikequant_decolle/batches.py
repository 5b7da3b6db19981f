"""Which recordings an epoch shows, which part of each, and where in the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant import EventFrames, Split


@dataclass(frozen=True)
class Batch:
    """Frames float32 ``(timesteps, batch, *shape)``, images with channels last in memory; labels ``(batch,)``."""

    x: Tensor
    y: Tensor


def batches(
    data: Split,
    size: int,
    random: np.random.Generator,
    device: torch.device,
    *,
    crop_steps: int | None = None,
    shift: int = 0,
) -> Iterator[Batch]:
    """Yield every recording once, in an order that ``random`` draws.

    Args:
        data: Recordings.
        size: Of a batch; the last one may be smaller.
        random: Draws the order first, then starts and shifts, batch by batch.
        device: Where tensors are made.
        crop_steps: Timesteps to show, from a random start anywhere in the whole recording; ``None`` for the
            sample as it is.
        shift: Largest random shift of images in pixels, in each direction and for each recording; zeros come in.
    """
    order = random.permutation(len(data))
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        frames = data.x[chosen] if crop_steps is None else _crops(data.x, chosen, crop_steps, random)
        if shift:
            frames = _shifted(frames, random.integers(-shift, shift + 1, (len(chosen), 2)))
        yield Batch(as_steps(frames, device), torch.from_numpy(data.y[chosen]).to(device))


def as_steps(frames: NDArray[np.integer], device: torch.device) -> Tensor:
    """Return samples ``(batch, timesteps, *shape)`` as floats, timesteps first, images with channels last in memory."""
    x = torch.as_tensor(frames, device=device)
    if x.dim() != 5:
        return x.transpose(0, 1).contiguous().float()
    return x.permute(1, 0, 3, 4, 2).contiguous().float().permute(0, 1, 4, 2, 3)


def _crops(
    x: NDArray[np.integer] | EventFrames, chosen: NDArray[np.int64], steps: int, random: np.random.Generator
) -> NDArray[np.integer]:
    if isinstance(x, EventFrames):
        room = np.maximum(x.steps_of(chosen) - steps, 0)
        return x.crops(chosen, random.integers(0, room + 1), steps)
    starts = random.integers(0, max(x.shape[1] - steps, 0) + 1, len(chosen))
    return np.stack([x[sample, start : start + steps] for sample, start in zip(chosen, starts, strict=True)])


def _shifted(frames: NDArray[np.integer], by: NDArray[np.int64]) -> NDArray[np.integer]:
    """Shift the images of each sample by whole pixels, zeros coming in."""
    height, width = frames.shape[-2:]
    moved = np.zeros_like(frames)
    within = np.clip(by, (-height, -width), (height, width))  # a shift beyond the frame leaves nothing of it
    for sample, (dy, dx) in enumerate(within.tolist()):
        to = np.s_[..., max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
        of = np.s_[..., max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
        moved[sample][to] = frames[sample][of]
    return moved
