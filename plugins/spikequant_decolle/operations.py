"""The elementwise work of a training step as torch operations: any device, any precision, any format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant_decolle.dynamics import Dynamics, LayerState
from spikequant_decolle.surrogate import Surrogate

EPS = 1e-8
"""Added to a gradient's magnitude by Adamax."""


@dataclass(frozen=True, eq=False)
class Fired:
    """What the neurons of a layer did in one timestep, after pooling.

    Attributes:
        d: Largest potential of each window minus the threshold, ``(batch, *pooled_shape)``.
        s: Spikes in {0, 1}, likewise.
        at: Which neuron of its window gave it; ``None`` without pooling. Only the operations that made it can read it.
    """

    d: Tensor
    s: Tensor
    at: Tensor | None


class Operations(Protocol):
    """What a training step consists of, besides weighted sums."""

    def trace(self, dynamics: Dynamics, state: LayerState, s: Tensor, t: int) -> Tensor:
        """Advance the traces; see :meth:`~spikequant_decolle.dynamics.Dynamics.trace`."""

    def fire(self, dynamics: Dynamics, state: LayerState, drive: Tensor, t: int) -> Fired:
        """Advance the neurons, and pool; may overwrite ``drive``."""

    def slope_(self, g: Tensor, d: Tensor, surrogate: Surrogate) -> Tensor:
        """Multiply ``g`` by the surrogate's slope at ``d`` in place."""

    def unpool(self, g: Tensor, fired: Fired, dynamics: Dynamics) -> Tensor:
        """Return the gradient of all potentials of a layer, given that of the pooled ones."""

    def adamax_(self, w: Tensor, u: Tensor, g: Tensor, m: Tensor, rate: float, beta: float) -> None:
        """Change ``w`` and the maxima ``u`` in place; all of one shape and order in memory."""


class TorchOperations:
    """Operations of torch, on the devices it has."""

    def trace(self, dynamics: Dynamics, state: LayerState, s: Tensor, t: int) -> Tensor:
        """Advance the traces."""
        return dynamics.trace(state, s, t)

    def fire(self, dynamics: Dynamics, state: LayerState, drive: Tensor, t: int) -> Fired:
        """Advance the neurons; the spike of a window is that of its largest potential."""
        v, _ = dynamics.fire(state, drive, t)
        at, pool = None, dynamics.layer.plan.pool
        if pool > 1:
            v, at = F.max_pool2d(v, pool, return_indices=True)
        return Fired(v - dynamics.v_th, (v >= dynamics.v_th).float(), at)

    def slope_(self, g: Tensor, d: Tensor, surrogate: Surrogate) -> Tensor:
        """Multiply ``g`` by the slope."""
        return surrogate.times_(g, d)

    def unpool(self, g: Tensor, fired: Fired, dynamics: Dynamics) -> Tensor:
        """Send each window's gradient to the neuron with the largest potential, the first of equals."""
        if fired.at is None:
            return g
        shape = dynamics.layer.out_shape
        flat = g.new_zeros((len(g), shape[0], shape[1] * shape[2]))
        flat.scatter_(2, fired.at.flatten(2), g.flatten(2))
        return flat.reshape(len(g), *shape).contiguous(memory_format=torch.channels_last)

    def adamax_(self, w: Tensor, u: Tensor, g: Tensor, m: Tensor, rate: float, beta: float) -> None:
        """Change weights and maxima."""
        u.mul_(beta).copy_(u.maximum(g.abs().add_(EPS)))
        w.sub_((m / u).mul_(rate))
