"""The trainable twin of the ``lif`` node: a base for neuron plugins whose rules are its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from spikequant.errors import PluginError
from spikequant.formats import Format, IntFormat, QFormat
from spikequant.gradients import spike, straight_through
from spikequant.lif_training import LifSteps, Rules
from spikequant.neuron import SteppedNeuron, Variable
from spikequant.program import Leak, Lif, Reset, Shape, SpikingNode
from spikequant.program.nodes import LeakOrder, OverflowRule
from spikequant.rounding import Rounding

THETA_LIMIT = (1 << 23) - 1
"""Where a threshold stops in float32: no potential of a float32 layer reaches it, see ``model/weighted_layer.py``."""
WIDE_THETA_LIMIT = (1 << 47) - 1
"""Where a threshold stops in float64."""


def integer_threshold(v_th: float, lsb: Tensor, *, strict: bool) -> Tensor:
    """Return the integer threshold that ``H >= theta`` needs, in float64 arithmetic.

    A strict real threshold ``h > v_th`` becomes ``floor(v_th / lsb) + 1``, ``h >= v_th`` becomes
    ``ceil(v_th / lsb)``; they differ only where ``v_th / lsb`` is whole. In
    float32 it stops at 2**23 - 1, which no potential of such a layer reaches; layers whose sums are wider
    have their ``lsb`` in float64, and so their theta.

    >>> integer_threshold(1.0, torch.tensor([0.25, 0.3]), strict=True).tolist()
    [5.0, 4.0]
    >>> integer_threshold(1.0, torch.tensor([0.25, 0.3]), strict=False).tolist()
    [4.0, 4.0]
    """
    ratio = v_th / lsb.detach().to(torch.float64)
    theta = torch.floor(ratio) + 1 if strict else torch.ceil(ratio)
    limit = WIDE_THETA_LIMIT if lsb.dtype == torch.float64 else THETA_LIMIT
    return theta.clamp(-limit, limit).to(lsb.dtype)


def _smooth(exact: Callable[[Tensor], Tensor], value: Tensor, smooth: Tensor) -> Tensor:
    """Return ``exact(value)`` with the gradient of ``smooth``."""
    return straight_through(smooth, exact(value.detach()))


class LifNeuron(SteppedNeuron):
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

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return the width of the stored potential that a format has.

        The potential counts in units of its layer's sums, which the weights' format decides: U lies on the
        lattice of w, and ``Qi.f`` gives only the width here. So w and U form one axis of an exploration: give
        both the same f.
        """
        if isinstance(fmt, IntFormat) or (isinstance(fmt, QFormat) and fmt.signed):
            return {"bits": fmt.width}
        raise PluginError(
            f"neuron '{cls.name}' cannot give '{name}' the format {fmt}; it takes INTn, or a signed format like Q1.6"
        )

    def float_step(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in real numbers: same rules, no rounding, no overflow."""
        one = torch.ones((), dtype=x.dtype, device=x.device)
        threshold = one * self.v_th
        if self.strict:
            threshold = torch.nextafter(threshold, torch.full_like(threshold, torch.inf))
        on_read = self.order == "leak_on_read"
        h = x + (u * self.leak.factor if on_read else u)
        s = spike(h, one, threshold, self.v_th)
        kept = self._rules.after_spike(h, s.detach(), threshold)
        return s, kept if on_read else kept * self.leak.factor

    def integer_step(self, x: Tensor, u: Tensor, lsb: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in whole numbers carried as floats (exact below 2**24 in float32)."""
        rules, theta = self._rules, integer_threshold(self.v_th, lsb, strict=self.strict)
        on_read = self.order == "leak_on_read"
        h = x + (_smooth(rules.leaked, u, u * self.leak.factor) if on_read else u)
        s = spike(h, lsb, theta, self.v_th)
        kept = rules.after_spike(h, s.detach(), theta)
        if not on_read:
            kept = _smooth(rules.leaked, kept, kept * self.leak.factor)
        return s, _smooth(rules.overflowed, kept, kept if self.overflow == "wrap" else rules.overflowed(kept))

    def integer_run(self, x: Tensor, lsb: Tensor, timesteps: int) -> Tensor:
        """Advance all timesteps at once: the spikes and gradients of :meth:`integer_step`, faster."""
        if type(self).integer_step is not LifNeuron.integer_step:
            return super().integer_run(x, lsb, timesteps)
        theta = integer_threshold(self.v_th, lsb, strict=self.strict)
        result: Tensor = LifSteps.apply(x, lsb, theta, timesteps, self._rules)  # type: ignore[no-untyped-call]
        return result

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

    @property
    def _rules(self) -> Rules:
        return Rules(self.v_th, self.bits, self.leak, self.order, self.reset, self.overflow)
