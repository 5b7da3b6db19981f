"""MINT's neuron: Algorithm 1, with the choices the paper leaves open as options."""

from __future__ import annotations

from typing import ClassVar, cast

from spikequant import LifNeuron
from spikequant.program import Leak, Reset
from spikequant.program.nodes import LeakOrder, LeakRounding
from spikequant_mint.thresholds import check_threshold


class MintLif(LifNeuron):
    """Integer leaky integrate-and-fire without a multiplier.

    Source: MINT, Algorithm 1 (Eqs. 6 and 9); symmetric saturation of the stored potential from Eq. 10.

    Args:
        bits: Width of the stored potential.
        v_th: Real threshold, 1e-6 to 1e6.
        strict: Fire on ``h > v_th`` (MINT Eq. 2) or on ``h >= v_th``.
        leak_shift: Leak factor ``2**-leak_shift``; 1 is the paper's tau = 1/2, 0 means no leak.
        leak_rounding: ``floor`` (arithmetic shift, the paper's), ``toward_zero`` (Loihi) or ``nearest``.
        order: ``leak_on_read`` (Algorithm 1) or ``leak_on_store`` (the authors' published code).
        reset: ``zero`` (the paper's) or ``subtract``.
    """

    name: ClassVar[str] = "mint-lif"
    summary: ClassVar[str] = "MINT Algorithm 1: shift leak, compare, reset, n-bit saturating potential"

    def __init__(
        self,
        bits: int = 8,
        *,
        v_th: float = 1.0,
        strict: bool = True,
        leak_shift: int = 1,
        leak_rounding: str = "floor",
        order: str = "leak_on_read",
        reset: str = "zero",
    ) -> None:
        super().__init__(bits, v_th, strict)
        check_threshold(self.name, v_th)
        self._check("leak_rounding", leak_rounding, ("floor", "toward_zero", "nearest"))
        self._check("order", order, ("leak_on_read", "leak_on_store"))
        self._check("reset", reset, ("zero", "subtract"))
        if not 0 <= leak_shift <= 15:
            raise ValueError(f"neuron '{self.name}': leak_shift is {leak_shift}; it must be between 0 and 15")
        rounding = cast("LeakRounding", leak_rounding)
        self.leak = Leak.by_shift(leak_shift, rounding) if leak_shift else Leak()
        self.order = cast("LeakOrder", order)
        self.reset = Reset("subtract") if reset == "subtract" else Reset()

    def _check(self, option: str, value: str, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            raise ValueError(f"neuron '{self.name}': {option} is {value!r}; it must be one of {', '.join(allowed)}")
