"""All timesteps of a trainable LIF layer in one autograd function: the same integers, a third of the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from spikequant.program import Leak, Reset
from spikequant.program.nodes import LeakOrder, OverflowRule


@dataclass(frozen=True)
class Rules:
    """The rules of a ``lif`` node that its trainable twin follows."""

    v_th: float
    bits: int
    leak: Leak
    order: LeakOrder
    reset: Reset
    overflow: OverflowRule

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest stored potential."""
        top = float((1 << (self.bits - 1)) - 1)
        return (-top, top) if self.overflow == "symmetric" else (-top - 1, top)

    def leaked(self, u: Tensor) -> Tensor:
        """Return ``leak(u)`` in whole numbers; exact: a shift divides by a power of two, a product takes float64."""
        if self.leak.kind == "none":
            return u
        real = (u.double() if self.leak.kind == "multiply" else u) * self.leak.factor
        if self.leak.rounding == "floor":
            return torch.floor(real).to(u.dtype)
        return (torch.trunc(real) if self.leak.rounding == "toward_zero" else torch.floor(real + 0.5)).to(u.dtype)

    def overflowed(self, u: Tensor) -> Tensor:
        """Return what the register keeps of ``u``."""
        low, high = self.limits
        if self.overflow != "wrap":
            return u.clamp(low, high)
        return (torch.remainder(u.double() - low, high - low + 1) + low).to(u.dtype)

    def after_spike(self, h: Tensor, s: Tensor, theta: Tensor) -> Tensor:
        """Return the potential after reset."""
        if self.reset.kind == "subtract":
            return torch.addcmul(h, s, theta, value=-1)
        kept = h - h * s
        return kept + s * float(self.reset.value) if self.reset.kind == "value" else kept

    def near_threshold(self, h: Tensor, lsb: Tensor) -> Tensor:
        """Return the triangular surrogate derivative at the real potential ``h * lsb``."""
        return (h * (lsb / self.v_th)).sub_(1.0).abs_().neg_().add_(1.0).clamp_min_(0.0).div_(self.v_th)


class LifSteps(Function):
    """Forward: :meth:`spikequant.lif_neuron.LifNeuron.integer_step` over all timesteps. Backward: its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, lsb: Tensor, theta: Tensor, timesteps: int, rules: Rules) -> Tensor:
        """Return spikes ``(timesteps, batch, *shape)`` for ``x`` of as many timesteps, or of one for all."""
        before = x.new_empty((timesteps, *x.shape[1:]))
        spikes = torch.empty_like(before)
        on_read = rules.order == "leak_on_read"
        u = torch.zeros_like(before[0])
        for t in range(timesteps):
            h = torch.add(x[t if len(x) > 1 else 0], rules.leaked(u) if on_read else u, out=before[t])
            s = spikes[t].copy_(h >= theta)
            kept = rules.after_spike(h, s, theta)
            u = rules.overflowed(kept if on_read else rules.leaked(kept))
        ctx.save_for_backward(before, spikes, lsb, theta)
        ctx.rules, ctx.static = rules, len(x) == 1 and timesteps > 1
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Return the gradients of ``x`` and ``lsb``, walking back through time."""
        before, spikes, lsb, theta = ctx.saved_tensors
        rules: Rules = ctx.rules
        near = rules.near_threshold(before, lsb).mul_(grads[0])
        to_lsb = (near * before).sum_to_size((1, *lsb.shape))[0]
        to_h = near.mul_(lsb)
        later = torch.zeros_like(before[0])
        for t in range(len(before) - 1, -1, -1):
            to_h[t] += _through_reset(rules, before[t], spikes[t], theta, later)
            later = to_h[t] * rules.leak.factor if rules.order == "leak_on_read" else to_h[t]
        return (to_h.sum(0, keepdim=True) if ctx.static else to_h), to_lsb, None, None, None


def _through_reset(rules: Rules, h: Tensor, s: Tensor, theta: Tensor, later: Tensor) -> Tensor:
    """Carry the gradient of the stored potential back to ``h``: overflow, leak on store, reset."""
    grad = later
    stores = rules.after_spike(h, s, theta)
    if rules.order == "leak_on_store":
        stores, grad = rules.leaked(stores), grad * rules.leak.factor
    if rules.overflow != "wrap":
        low, high = rules.limits
        grad = grad * ((stores >= low) & (stores <= high))
    return grad if rules.reset.kind == "subtract" else grad - grad * s
