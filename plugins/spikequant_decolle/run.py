"""All timesteps of a batch through the layers, the sums of many timesteps at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikequant_decolle.dynamics import Dynamics, LayerState

MOST_VALUES = 1 << 24
"""Values of one layer in memory at a time: 64 MB of float32."""


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
    p = torch.empty(s.shape, dtype=state.p.dtype, device=s.device)
    q = torch.empty_like(p) if watch else None
    for k in range(len(s)):
        p[k] = layer.trace(state, s[k], start + k)
        if q is not None:
            q[k] = state.q
    v = layer.drive(p.flatten(0, 1)).reshape(*s.shape[:2], *layer.layer.out_shape)
    spikes = torch.empty(v.shape, dtype=torch.float32, device=s.device)
    r = torch.empty_like(v) if watch else None
    for k in range(len(s)):
        _, spikes[k] = layer.fire(state, v[k], start + k)
        if r is not None:
            r[k] = state.r
    if watch and q is not None and r is not None:
        watch(Seen(layer.index, start, p, q, v, r, spikes))
    return layer.layer.pooled(spikes.flatten(0, 1)).reshape(*s.shape[:2], *layer.layer.pooled_shape)


def _steps_at_once(layers: Sequence[Dynamics], batch: int) -> int:
    largest = max(math.prod(shape) for d in layers for shape in (d.layer.in_shape, d.layer.out_shape))
    return max(MOST_VALUES // (largest * batch), 1)
