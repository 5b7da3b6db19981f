"""The trainable twin of the ``lif`` node: a base for neuron plugins whose rules are its fields."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from spikequant.gradients import spike, straight_through
from spikequant.neuron import Neuron, Variable
from spikequant.program import Leak, Lif, Reset, Shape, SpikingNode
from spikequant.program.nodes import LeakOrder, OverflowRule

THETA_LIMIT = (1 << 23) - 1


def integer_threshold(v_th: float, lsb: Tensor, *, strict: bool) -> Tensor:
    """Return the integer threshold that ``H >= theta`` needs, in float64 arithmetic.

    A strict real threshold ``h > v_th`` becomes ``floor(v_th / lsb) + 1``, ``h >= v_th`` becomes
    ``ceil(v_th / lsb)``; they differ only where ``v_th / lsb`` is whole. Limited to 24 bits signed: a
    threshold beyond is out of reach of the accumulators anyway.

    >>> integer_threshold(1.0, torch.tensor([0.25, 0.3]), strict=True).tolist()
    [5.0, 4.0]
    >>> integer_threshold(1.0, torch.tensor([0.25, 0.3]), strict=False).tolist()
    [4.0, 4.0]
    """
    ratio = v_th / lsb.detach().to(torch.float64)
    theta = torch.floor(ratio) + 1 if strict else torch.ceil(ratio)
    return theta.clamp(-THETA_LIMIT, THETA_LIMIT).to(lsb.dtype)


def _shifted(value: Tensor, leak: Leak) -> Tensor:
    """The leak in whole numbers carried as floats: exact, since a shift is a division by a power of two."""
    real = value * leak.factor
    if leak.rounding == "floor":
        return torch.floor(real)
    return torch.trunc(real) if leak.rounding == "toward_zero" else torch.floor(real + 0.5)


class LifNeuron(Neuron):
    """Leaky integrate-and-fire with every rule of the ``lif`` node as a class attribute.

    Subclass it and set what differs; :meth:`integer_step` equals the node of :meth:`lower` exactly.

    Args:
        bits: Width of the stored potential.
        v_th: Real threshold, positive.
        strict: Fire on ``h > v_th`` (the default, MINT Eq. 2) or on ``h >= v_th``.
    """

    variables: ClassVar[tuple[Variable, ...]] = (Variable("u", "variable"), Variable("theta", "constant"))
    leak: Leak = Leak.by_shift(1)
    order: LeakOrder = "leak_on_read"
    reset: Reset = Reset()
    overflow: OverflowRule = "symmetric"

    def __init__(self, bits: int = 8, v_th: float = 1.0, strict: bool = True) -> None:
        super().__init__(bits)
        if v_th <= 0:
            raise ValueError(f"neuron '{self.name}': v_th is {v_th}; it must be positive")
        self.v_th = v_th
        self.strict = strict

    def float_step(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in real numbers: same rules, no rounding, no overflow."""
        one = torch.ones((), dtype=x.dtype, device=x.device)
        threshold = one * self.v_th
        if self.strict:
            threshold = torch.nextafter(threshold, torch.full_like(threshold, torch.inf))
        on_read = self.order == "leak_on_read"
        h = x + (u * self.leak.factor if on_read else u)
        s = spike(h, one, threshold, self.v_th)
        kept = self._after_spike(h, s.detach(), threshold, self.reset.value * one)
        return s, kept if on_read else kept * self.leak.factor

    def integer_step(self, x: Tensor, u: Tensor, lsb: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in whole numbers carried as floats (exact below 2**24 in float32)."""
        theta = integer_threshold(self.v_th, lsb, strict=self.strict)
        on_read = self.order == "leak_on_read"
        h = x + (self._leaked(u) if on_read else u)
        s = spike(h, lsb, theta, self.v_th)
        kept = self._after_spike(h, s.detach(), theta, torch.full_like(theta, float(self.reset.value)))
        return s, self._overflowed(kept if on_read else self._leaked(kept))

    def lower(self, name: str, lsb: Tensor, shape: Shape) -> SpikingNode:
        """Return the ``lif`` node with this neuron's rules."""
        theta = integer_threshold(self.v_th, lsb, strict=self.strict)
        return Lif(
            name,
            u_bits=self.bits,
            theta=theta.cpu().numpy().astype(np.int64),
            leak=self.leak,
            order=self.order,
            reset=self.reset,
            overflow=self.overflow,
            lsb=lsb.detach().cpu().numpy().astype(np.float64),
        )

    def _after_spike(self, h: Tensor, s: Tensor, theta: Tensor, value: Tensor) -> Tensor:
        if self.reset.kind == "subtract":
            return h - s * theta
        if self.reset.kind == "value":
            return h * (1 - s) + s * value
        return h * (1 - s)

    def _leaked(self, u: Tensor) -> Tensor:
        if self.leak.kind == "none":
            return u
        return straight_through(u * self.leak.factor, _shifted(u.detach(), self.leak))

    def _overflowed(self, u: Tensor) -> Tensor:
        top = float((1 << (self.bits - 1)) - 1)
        if self.overflow == "symmetric":
            return u.clamp(-top, top)
        if self.overflow == "saturate":
            return u.clamp(-top - 1, top)
        return straight_through(u, torch.remainder(u.detach() + top + 1, 2 * (top + 1)) - top - 1)
