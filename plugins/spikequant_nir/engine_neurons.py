"""Neurons in floats over time, differentiable by a surrogate gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.gradients import straight_through
from spikequant_nir.dynamics import Cell
from spikequant_nir.engine import State


class _Fired(Function):
    """Spikes of potentials; the gradient is a triangle as wide as the threshold around each spike's own threshold."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, spikes: Tensor, threshold: Tensor, most: int) -> Tensor:
        ctx.save_for_backward(h, threshold)
        ctx.most = most
        return spikes.to(h.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        h, threshold = ctx.saved_tensors
        width = threshold.abs().clamp_min(1e-6)
        ratio = h / width - threshold.sign()
        if ctx.most > 1:  # between the first threshold and the last the triangles overlap to a constant
            ratio = ratio - ratio.clamp(0.0, ctx.most - 1.0)
        return grads[0] * (1.0 - ratio.abs()).clamp_min(0.0) / width, None, None, None


def fired(h: Tensor, spikes: Tensor, threshold: Tensor, most: int) -> Tensor:
    """Return ``spikes`` as numbers like ``h``, with a surrogate gradient to ``h``."""
    if not h.requires_grad:
        return spikes.to(h.dtype)
    result: Tensor = _Fired.apply(h, spikes, threshold, most)  # type: ignore[no-untyped-call]
    return result


@dataclass(frozen=True)
class Steps:
    """The numbers that one state variable may have while all else is floats.

    Attributes:
        lsb: Size of one code.
        limits: Smallest and largest code; values beyond saturate.
        rule: ``floor``, ``nearest`` (half up), ``toward_zero`` or ``stochastic``.
        key: Of ``stochastic``: seed and name of the variable; numbers are keyed by timestep and neuron too.
    """

    lsb: float
    limits: tuple[int, int]
    rule: str = "nearest"
    key: tuple[int, str] = (0, "V")

    def codes(self, ratio: Tensor, t: int) -> Tensor:
        """Return ``ratio`` of timestep ``t`` rounded to whole numbers."""
        if self.rule == "toward_zero":
            return torch.trunc(ratio)
        below = torch.floor(ratio)
        if self.rule == "stochastic":
            elements = torch.arange(math.prod(ratio.shape[1:]), device=ratio.device).reshape(ratio.shape[1:])
            return below + (uniforms(RandomKey(*self.key, t), elements) < (ratio - below).double())
        return below if self.rule == "floor" else torch.floor(ratio + 0.5)


@dataclass(frozen=True)
class Grid:
    """The numbers that potentials and currents may have while all else is floats; ``None`` for any."""

    v: Steps | None = None
    i: Steps | None = None


def on_grid(value: Tensor, steps: Steps | None, t: int) -> Tensor:
    """Return ``value`` of timestep ``t`` rounded and saturated, its gradient unchanged."""
    if steps is None:
        return value
    return straight_through(value, steps.codes(value.detach() / steps.lsb, t).clamp(*steps.limits) * steps.lsb)


class FloatNeurons:
    """One layer of neurons in float32.

    Args:
        cell: Its factors.
        device: Where it runs.
        grid: Of the states, where they have one.
    """

    def __init__(self, cell: Cell, device: torch.device, grid: Grid | None = None) -> None:
        def single(value: Tensor) -> Tensor:
            return value.to(device, torch.float32)

        self.cell, self.grid, rules = cell, grid or Grid(), cell.rules
        self.no_leak = bool((cell.decay == 1).all())
        self.plain = bool((cell.gain == 1).all() and (cell.offset == 0).all())
        self.decay, self.gain, self.offset = single(cell.decay), single(cell.gain), single(cell.offset)
        self.i_decay = None if cell.i_decay is None else single(cell.i_decay)
        self.threshold = None if cell.threshold is None else single(cell.threshold)
        self.v_reset = single(cell.v_reset)
        self.to_zero = rules.reset == "zero" or not bool(cell.v_reset.any())
        self.delayed = rules.reset_delay == 1 and self.threshold is not None
        self.offset_apart = self.i_decay is not None and bool(cell.offset.any())

    def start(self, x: Tensor) -> State:
        """Return zeros: the potential, the current if any, and under a delayed reset the spikes of the step before."""
        count = 1 + (self.i_decay is not None) + self.delayed
        return [torch.zeros_like(x) for _ in range(count)]

    def driven(self, x: Tensor) -> Tensor:
        """Return what inputs ``(steps, batch, *shape)`` add to the state they enter."""
        if self.plain:
            return x
        driven = x * self.gain
        return driven if self.i_decay is not None else driven + self.offset

    def step(self, driven: Tensor, state: State, t: int) -> tuple[Tensor, State]:
        """Advance one timestep.

        Returns:
            Spikes, or the potential of neurons that put it out; and the new state.
        """
        v, y = state[0], driven
        current = []
        if self.i_decay is not None:
            new = on_grid(torch.addcmul(driven, state[1], self.i_decay), self.grid.i, t)
            y = state[1] if self.cell.rules.current == "old" else new
            y = y + self.offset if self.offset_apart else y
            current = [new]
        h = v + y if self.no_leak else torch.addcmul(y, v, self.decay)
        if self.threshold is None:
            h = self._bounded(h, t)
            return h, [h, *current]
        if self.delayed:
            h = self._reset(h, state[-1])
        n = self._spikes(h)
        kept = self._bounded(h if self.delayed else self._reset(h, n), t)
        return n, [kept, *current, *([n] if self.delayed else [])]

    def _spikes(self, h: Tensor) -> Tensor:
        threshold, rules = self.threshold, self.cell.rules
        if threshold is None:
            raise RuntimeError("neurons without a threshold do not spike")
        seen = h.detach()
        if rules.most_spikes == 1:
            spikes = seen > threshold if rules.fire == ">" else seen >= threshold
        else:
            ratio = seen / threshold
            spikes = torch.floor(ratio) if rules.fire == ">=" else torch.ceil(ratio) - 1
            spikes = spikes.clamp_(0, rules.most_spikes)
        return fired(h, spikes, threshold, rules.most_spikes)

    def _reset(self, h: Tensor, n: Tensor) -> Tensor:
        if self.cell.rules.reset == "subtract" and self.threshold is not None:
            return torch.addcmul(h, n, self.threshold, value=-1)
        if self.to_zero and self.cell.rules.most_spikes == 1:
            return h - h * n.detach()
        return torch.where(n.detach() > 0, self.v_reset, h)

    def _bounded(self, v: Tensor, t: int) -> Tensor:
        v_min = self.cell.rules.v_min
        kept = v if v_min is None else v.clamp_min(v_min)
        return on_grid(kept, self.grid.v, t)
