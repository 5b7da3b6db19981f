"""The leaky integrate-and-fire node and its integer step: obvious first, fast never."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from spikequant.program.arithmetic import leaked, overflowed, per_neuron
from spikequant.program.nodes import (
    FloatArray,
    IntArray,
    Leak,
    LeakOrder,
    Operation,
    OverflowRule,
    Reset,
)
from spikequant.program.spiking import SpikingNode


@dataclass(frozen=True, eq=False)
class Lif(SpikingNode):
    """Leaky integrate-and-fire: ``H = X + bias + leak(U); S = [H >= theta]; U = overflow(reset(H))``.

    Attributes:
        theta: Threshold; scalar, one per channel ``(channels,)``, or one per neuron.
        leak: See :class:`Leak`.
        order: ``leak_on_read``: the stored U has not leaked yet (MINT, Algorithm 1);
            ``leak_on_store``: leak, then overflow, then store, and ``H = X + bias + U``.
        reset: See :class:`Reset`.
        overflow: ``symmetric`` saturates to ``[-s, s]``, s = 2**(u_bits-1) - 1 (MINT);
            ``saturate`` to two's complement; ``wrap`` modulo ``2**u_bits``.
        bias: Added to H at every timestep; shaped like ``theta``; or none.
        lsb: Real size of one unit of U, scalar or per channel (for reading back only).
    """

    theta: IntArray = field(default_factory=lambda: np.ones((), np.int64))
    leak: Leak = Leak.by_shift(1)  # noqa: RUF009 - frozen and shared on purpose
    order: LeakOrder = "leak_on_read"
    reset: Reset = Reset()  # noqa: RUF009
    overflow: OverflowRule = "symmetric"
    bias: IntArray | None = None
    lsb: FloatArray = field(default_factory=lambda: np.ones(()))
    kind: ClassVar[str] = "lif"

    @property
    def potential_limits(self) -> tuple[int, int]:
        """``[-s, s]`` for ``symmetric``, else the two's complement range of ``u_bits``."""
        top = (1 << (self.u_bits - 1)) - 1
        return (-top, top) if self.overflow == "symmetric" else (-top - 1, top)

    def pre_reset_limits(self, low: int, high: int) -> tuple[int, int]:
        """Bounds of ``H`` when the input lies in ``[low, high]``: leak of the stored limits and bias added."""
        stored = np.array([*self.potential_limits, 0], dtype=np.int64)
        seen = leaked(stored, self.leak) if self.order == "leak_on_read" else stored
        low, high = low + int(seen.min()), high + int(seen.max())
        if self.bias is not None:
            low, high = low + int(self.bias.min()), high + int(self.bias.max())
        return low, high

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """One leak, one add (two with a bias), one compare, one register write; subtracting theta is one add more."""
        adds = 1 + (self.bias is not None) + (self.reset.kind == "subtract")
        leak = {
            "none": (),
            "shift": (Operation("shift", self.u_bits),),
            "multiply": (Operation("multiply", self.u_bits),),
        }
        return (
            *leak[self.leak.kind],
            Operation("add", x_bits, adds),
            Operation("compare", x_bits),
            Operation("register", self.u_bits),
        )

    def step(self, x: IntArray, u: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        r"""Advance integer leaky integrate-and-fire neurons by one timestep.

        .. math::
            H = X + b + leak(U), \quad S = [H \ge \theta], \quad U = overflow(S\,?\,reset(H) : H)

        With ``order = leak_on_store`` the leak acts between reset and overflow instead of on reading.

        Source: MINT, Algorithm 1 (Eqs. 6 and 9), generalised as docs/semantics.md says.

        Args:
            x: Accumulated input, int64 ``(batch, *shape)``, in codes.
            u: Stored potential of the previous timestep, like ``x``.

        Returns:
            Spikes, the new stored potential, and 1 where overflow changed it; all like ``x``.

        >>> node = Lif("n", u_bits=4, theta=np.array(5))
        >>> [a.tolist() for a in node.step(np.array([[3, 3, -1, -9]]), np.array([[4, 2, -1, -6]]))]
        [[[1, 0, 0, 0]], [[0, 4, -2, -7]], [[0, 0, 0, 1]]]
        """
        theta = per_neuron(self.theta, x.ndim)
        h = x + (leaked(u, self.leak) if self.order == "leak_on_read" else u)
        if self.bias is not None:
            h = h + per_neuron(self.bias, x.ndim)
        fires = h >= theta
        after = {"zero": np.zeros_like(h), "subtract": h - theta, "value": np.full_like(h, self.reset.value)}
        kept = np.where(fires, after[self.reset.kind], h)
        if self.order == "leak_on_store":
            kept = leaked(kept, self.leak)
        stored = overflowed(kept, self.u_bits, self.overflow)
        return fires.astype(np.int64), stored, (stored != kept).astype(np.int64)
