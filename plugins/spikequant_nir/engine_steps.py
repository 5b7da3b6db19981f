"""One timestep of the program's neurons in integers: the same as their normative NumPy code, in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from spikequant.program import IntArray, Leak, Lif
from spikequant_cuba import Cell, CubaLi, CubaLif, FixedLif
from spikequant_nir.engine import State


def constant(value: IntArray, dtype: torch.dtype, device: torch.device, ndim: int) -> Tensor:
    """Shape a constant so that it broadcasts over ``(batch, *shape)``, ``shape`` having ``ndim`` axes."""
    spread = value.reshape((-1,) + (1,) * (ndim - 1)) if value.ndim == 1 else value
    return torch.tensor(spread, dtype=dtype, device=device)


def divided(value: Tensor, shift: int, rule: str) -> Tensor:
    """Divide by ``2**shift`` with one rounding.

    >>> [divided(torch.tensor([-3, -1, 1, 3]), 1, rule).tolist() for rule in ("floor", "nearest", "toward_zero")]
    [[-2, -1, 0, 1], [-1, 0, 1, 2], [-1, 0, 0, 1]]
    """
    if shift == 0:
        return value
    if rule == "floor":
        return value >> shift
    if rule == "nearest":
        return (value + (1 << (shift - 1))) >> shift
    return torch.where(value < 0, -((-value) >> shift), value >> shift)


def kept_by(value: Tensor, limits: tuple[int, int], overflow: str) -> Tensor:
    """Return what a register of ``limits`` keeps of ``value``."""
    low, high = limits
    if overflow == "wrap":
        return ((value - low) & (high - low)) + low
    return value.clamp(low, high)


class FixedSteps:
    """A node of ``spikequant_cuba``; source: its ``advance``.

    Args:
        node: Not ``stochastic``.
        dtype: Integers that hold every number of a step.
        device: Where it runs.
        ndim: Axes of the layer's shape.
    """

    def __init__(self, node: Cell, dtype: torch.dtype, device: torch.device, ndim: int) -> None:
        def shaped(value: IntArray | None) -> Tensor | None:
            return None if value is None else constant(value, dtype, device, ndim)

        self.node = node
        whole = 1 << node.decay_bits
        self.decay = None if (node.decay == whole).all() else constant(node.decay, dtype, device, ndim)
        self.bias, self.v_min = shaped(node.bias), shaped(node.v_min)
        self.synapse = node if isinstance(node, (CubaLif, CubaLi)) else None
        self.i_decay = None
        if self.synapse is not None and not (self.synapse.i_decay == whole).all():
            self.i_decay = shaped(self.synapse.i_decay)
        self.firing = node if isinstance(node, (FixedLif, CubaLif)) else None
        if self.firing is not None:
            self.theta = constant(self.firing.theta, dtype, device, ndim)
            self.reset_value = constant(self.firing.reset_value, dtype, device, ndim)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See :class:`spikequant_nir.engine_whole_neurons.Steps`."""
        node, v, currents = self.node, state[0], []
        y = self._moved(x, node.input_shift)
        if self.synapse is not None:
            total = self._decayed(state[1], self.i_decay) + y
            kept_i = kept_by(total, self.synapse.current_limits, node.overflow)
            seen = state[1] if self.synapse.order == "potential_first" else kept_i
            y, currents = self._moved(seen, self.synapse.i_shift), [kept_i]
        h = self._decayed(v, self.decay) + y
        if self.bias is not None:
            h = h + self.bias
        if self.firing is None:
            stored = self._stored(h)
            return stored, [stored, *currents]
        if self.firing.reset_delay:
            h = self._after(h, self._spikes_of(v))
            return self._spikes_of(h), [self._stored(h), *currents]
        n = self._spikes_of(h)
        return n, [self._stored(self._after(h, n)), *currents]

    def _decayed(self, value: Tensor, factor: Tensor | None) -> Tensor:
        return value if factor is None else divided(value * factor, self.node.decay_bits, self.node.rounding)

    def _moved(self, value: Tensor, shift: int) -> Tensor:
        return value << shift if shift > 0 else divided(value, -shift, self.node.rounding)

    def _spikes_of(self, potential: Tensor) -> Tensor:
        most = 1 if self.firing is None else self.firing.most_spikes
        if most == 1:
            return (potential >= self.theta).to(potential.dtype)
        return torch.div(potential, self.theta, rounding_mode="floor").clamp_(0, most)

    def _after(self, h: Tensor, n: Tensor) -> Tensor:
        reset = "zero" if self.firing is None else self.firing.reset
        if reset == "subtract":
            return h - n * self.theta
        if reset == "zero":
            return h * (n == 0)
        return torch.where(n > 0, self.reset_value, h)

    def _stored(self, kept: Tensor) -> Tensor:
        bounded = kept if self.v_min is None else torch.maximum(kept, self.v_min)
        return kept_by(bounded, self.node.potential_limits, self.node.overflow)


class LifSteps:
    """The core's ``lif``; source: its ``step``."""

    def __init__(self, node: Lif, dtype: torch.dtype, device: torch.device, ndim: int) -> None:
        self.node, self.theta = node, constant(node.theta, dtype, device, ndim)
        self.bias = None if node.bias is None else constant(node.bias, dtype, device, ndim)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See :class:`spikequant_nir.engine_whole_neurons.Steps`."""
        node, u = self.node, state[0]
        h = x + (_leaked(u, node.leak) if node.order == "leak_on_read" else u)
        if self.bias is not None:
            h = h + self.bias
        fires = h >= self.theta
        if node.reset.kind == "subtract":
            kept = h - fires * self.theta
        else:
            kept = h * ~fires + (fires * node.reset.value if node.reset.kind == "value" else 0)
        if node.order == "leak_on_store":
            kept = _leaked(kept, node.leak)
        return fires.to(h.dtype), [kept_by(kept, node.potential_limits, node.overflow)]


def _leaked(value: Tensor, leak: Leak) -> Tensor:
    if leak.kind == "none":
        return value
    product = value * leak.multiplier if leak.kind == "multiply" else value
    return divided(product, leak.shift, leak.rounding)
