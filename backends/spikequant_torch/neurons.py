"""Spiking nodes in torch: LIF in int32 where its bounds allow, plugin neurons through their own NumPy code."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from spikequant.errors import BackendError
from spikequant.program import IntArray, Leak, Lif, Program, SpikingNode
from spikequant_torch.exact import int_dtype, lif_bound

State = tuple[Tensor, ...]
"""One tensor ``(batch, *shape)`` for each state variable of a spiking node."""


class Neurons(ABC):
    """One spiking node; holds no state between calls."""

    dtype: torch.dtype

    @abstractmethod
    def step(self, x: Tensor, state: State, t: int) -> tuple[Tensor, State, Tensor | None]:
        """Advance one timestep.

        Args:
            x: Input of whole numbers ``(batch, *shape)``, any number type.
            state: As :meth:`start` or the last call returned it; may be overwritten.
            t: The timestep.

        Returns:
            Its spikes (of a graded node the new potential) as numbers or, where they are 0 or 1, as a bool mask;
            the new state; and where overflow acted as a bool mask (``None``: it cannot act).
        """

    @abstractmethod
    def start(self, x: Tensor) -> State:
        """Return the state before the first timestep, for an input like ``x``."""


def neurons(program: Program, node: SpikingNode, device: torch.device) -> Neurons:
    """Return the executor of ``node``: fast for exactly ``lif``, else the node's own code."""
    if type(node) is Lif:
        return LifNeurons(program, node, device)
    return SteppedNeurons(node)


class LifNeurons(Neurons):
    """The ``lif`` node of the semantics."""

    def __init__(self, program: Program, node: Lif, device: torch.device) -> None:
        dtype = int_dtype(lif_bound(program, node))
        if dtype is None:
            raise BackendError(f"node '{node.name}' (lif): one step reaches beyond int64; use fewer bits")
        self.node, self.dtype = node, dtype
        ndim = len(program.shapes[node.name])
        self.theta = self._constant(node.theta, ndim, device)
        self.bias = None if node.bias is None else self._constant(node.bias, ndim, device)

    def _constant(self, value: IntArray, ndim: int, device: torch.device) -> Tensor:
        """Shape a scalar, per-channel or per-neuron constant so that it broadcasts over ``(batch, *shape)``."""
        spread = value.reshape((-1,) + (1,) * (ndim - 1)) if value.ndim == 1 else value
        return torch.tensor(spread, dtype=self.dtype, device=device)

    def start(self, x: Tensor) -> State:
        """Return zeros, laid out in memory like ``x``."""
        return (torch.zeros_like(x, dtype=self.dtype),)

    def step(self, x: Tensor, state: State, t: int) -> tuple[Tensor, State, Tensor | None]:
        """See :meth:`Neurons.step`."""
        node, (u,) = self.node, state
        h = leaked(u, node.leak) if node.order == "leak_on_read" else u
        h = h.add_(x.to(self.dtype))
        if self.bias is not None:
            h = h.add_(self.bias)
        fires = h >= self.theta
        if node.reset.kind == "subtract":
            kept = h.sub_(fires * self.theta)
        else:
            kept = h.mul_(~fires)  # ten times faster than masked_fill_ and where
            if node.reset.kind == "value":
                kept = kept.add_(fires * node.reset.value)
        if node.order == "leak_on_store":
            kept = leaked(kept, node.leak)
        stored = self._stored(kept)
        return fires, (stored,), stored != kept

    def _stored(self, kept: Tensor) -> Tensor:
        low, high = self.node.potential_limits
        if self.node.overflow == "wrap":
            return kept.sub(low).bitwise_and_(high - low).add_(low)
        return kept.clamp(low, high)


def leaked(value: Tensor, leak: Leak) -> Tensor:
    """Return ``leak(value)``; ``value`` may be overwritten."""
    if leak.kind == "none":
        return value
    if leak.kind == "multiply":
        value = value.mul_(leak.multiplier)
    if leak.shift == 0:
        return value
    if leak.rounding == "floor":
        return value.bitwise_right_shift_(leak.shift)
    if leak.rounding == "nearest":
        return value.add_(1 << (leak.shift - 1)).bitwise_right_shift_(leak.shift)
    return torch.where(value < 0, -((-value) >> leak.shift), value >> leak.shift)


class SteppedNeurons(Neurons):
    """A plugin's neuron, advanced by its normative NumPy code: exact, and as slow as the plugin is."""

    dtype = torch.int64

    def __init__(self, node: SpikingNode) -> None:
        self.node = node

    def start(self, x: Tensor) -> State:
        """Return the node's own initial state."""
        state = self.node.initial(x.shape[0], tuple(x.shape[1:]))
        return tuple(_tensor(array, x.device) for array in state)

    def step(self, x: Tensor, state: State, t: int) -> tuple[Tensor, State, Tensor | None]:
        """See :meth:`Neurons.step`."""
        spikes, stored, overflow = self.node.advance(_array(x), tuple(_array(values) for values in state), t)
        emitted = np.asarray(spikes).astype(np.int64 if self.node.graded else np.uint8)
        acted = torch.from_numpy(np.asarray(overflow) != 0).to(x.device)
        return torch.from_numpy(emitted).to(x.device), tuple(_tensor(array, x.device) for array in stored), acted


def _array(value: Tensor) -> IntArray:
    return np.ascontiguousarray(value.to("cpu", torch.int64).numpy())


def _tensor(array: IntArray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(array, np.int64)).to(device)
