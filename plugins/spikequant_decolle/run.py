"""All timesteps of a batch through the layers, the sums of many timesteps at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikequant_decolle.dynamics import Dynamics, LayerState

MOST_VALUES = 1 << 20
"""Values of one layer at a time: 4 MB of float32, which stay in the cache between the operations."""
_IMAGES = (0, 1, 3, 4, 2)


@dataclass(frozen=True, eq=False)
class Seen:
    """What one layer did in consecutive timesteps, all ``(steps, batch, *shape)``.

    Attributes:
        layer: Index of the layer.
        start: The first timestep.
        p: Membrane traces, as used.
        q: Synaptic traces, as stored.
        v: Potentials.
        r: Refractory states, as stored for the next timestep.
        s: Spikes before pooling.
    """

    layer: int
    start: int
    p: Tensor
    q: Tensor
    v: Tensor
    r: Tensor
    s: Tensor


Watch = Callable[[Seen], None]


def run(
    layers: Sequence[Dynamics], x: Tensor, states: Sequence[LayerState], *, start: int = 0, watch: Watch | None = None
) -> Tensor:
    """Advance ``states`` over consecutive timesteps and return the last layer's pooled spikes.

    The weighted sums of as many timesteps as fit in memory are one operation; only the recurrences go step by step.

    Args:
        layers: Of the network.
        x: Spikes or counts ``(steps, batch, *shape)``.
        states: Of the timestep before; changed in place.
        start: The first timestep's number.
        watch: Is given what each layer did, a part at a time.

    Returns:
        Spikes in {0, 1}, ``(steps, batch, features)``.
    """
    steps = _steps_at_once(layers, x.shape[1])
    parts = []
    for first in range(0, len(x), steps):
        s = x[first : first + steps]
        for layer, state in zip(layers, states, strict=True):
            s = _advance(layer, state, s.reshape(*s.shape[:2], *layer.layer.in_shape), start + first, watch)
        parts.append(s.flatten(2))
    return torch.cat(parts)


def _advance(layer: Dynamics, state: LayerState, s: Tensor, start: int, watch: Watch | None) -> Tensor:
    p = _empty(s.shape, state.p)
    state.p, state.q = _laid_out(state.p), _laid_out(state.q)
    state.r = _laid_out(state.r)
    q = torch.empty_like(p) if watch else None
    for k in range(len(s)):
        p[k] = layer.trace(state, s[k], start + k)
        if q is not None:
            q[k] = state.q
    v = layer.drive(p.flatten(0, 1)).reshape(*s.shape[:2], *layer.layer.out_shape)
    spikes = _empty(v.shape, v, torch.float32)
    r = torch.empty_like(v) if watch else None
    for k in range(len(s)):
        _, spikes[k] = layer.fire(state, v[k], start + k)
        if r is not None:
            r[k] = state.r
    if watch and q is not None and r is not None:
        watch(Seen(layer.index, start, p, q, v, r, spikes))
    return layer.layer.pooled(spikes.flatten(0, 1)).reshape(*s.shape[:2], *layer.layer.pooled_shape)


def _empty(shape: torch.Size, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return ``(steps, batch, *shape)`` with the dtype of ``like``, channels of images last: pooling is faster so."""
    made = like.new_empty([shape[k] for k in _IMAGES] if len(shape) == 5 else shape, dtype=dtype)
    return made.permute(0, 1, 4, 2, 3) if len(shape) == 5 else made


def _laid_out(x: Tensor) -> Tensor:
    """Return ``(batch, *shape)``, channels of images last in memory."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _steps_at_once(layers: Sequence[Dynamics], batch: int) -> int:
    largest = max(math.prod(shape) for d in layers for shape in (d.layer.in_shape, d.layer.out_shape))
    return max(MOST_VALUES // (largest * batch), 1)
