"""Firing and reset: what turns H into spikes, and what they leave of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from spikequant.program import IntArray, Operation
from spikequant.program.arithmetic import per_neuron
from spikequant.program.field_checks import check_integer, field_error
from spikequant_cuba.cell import Cell
from spikequant_cuba.checks import CONSTANT, MOST_SPIKES, check_constant, check_word
from spikequant_cuba.grid import Limits

ResetWord = Literal["zero", "subtract", "value"]
RESETS: tuple[ResetWord, ...] = ("zero", "subtract", "value")


@dataclass(frozen=True, eq=False, kw_only=True)
class Firing(Cell):
    """Fields of the kinds that spike.

    Attributes:
        theta: Threshold, in V's grid.
        reset: What n spikes leave of H: ``zero``, ``subtract`` (``H - n theta``) or ``value``.
        reset_value: Of ``value``; else 0.
        reset_delay: 0: the reset acts on the H that fired; 1: on the next H, told by the V that is stored.
        most_spikes: ``1``: one spike where ``H >= theta``; more: ``floor(H / theta)``, at least 0 and at most so many.
    """

    theta: IntArray = field(default_factory=lambda: np.ones((), np.int64))
    reset: ResetWord = "zero"
    reset_value: IntArray = field(default_factory=lambda: np.zeros((), np.int64))
    reset_delay: int = 0
    most_spikes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "reset_delay", self.reset_delay, 0, 1)
        check_integer(self, "most_spikes", self.most_spikes, 1, MOST_SPIKES)
        check_constant(self, "theta", self.theta, -CONSTANT if self.most_spikes == 1 else 1)
        check_word(self, "reset", self.reset, RESETS)
        check_constant(self, "reset_value", self.reset_value, -CONSTANT)
        if self.reset != "value" and self.reset_value.any():
            raise field_error(self, "reset_value", "other than 0", f"0 where reset is '{self.reset}'")

    @property
    def emitted_limits(self) -> Limits:
        """None to ``most_spikes``."""
        return 0, self.most_spikes

    @property
    def emitted_bits(self) -> int:
        """Width of a count of spikes."""
        return self.most_spikes.bit_length()

    @property
    def constants(self) -> dict[str, IntArray | None]:
        """The constants that must fit the neurons, by field."""
        return {**super().constants, "theta": self.theta, "reset_value": self.reset_value}

    def _spikes_of(self, potential: IntArray) -> IntArray:
        theta = per_neuron(self.theta, potential.ndim)
        if self.most_spikes == 1:
            return (potential >= theta).astype(np.int64)
        whole: IntArray = np.minimum(np.maximum(potential // theta, 0), self.most_spikes)
        return whole

    def _after(self, h: IntArray, n: IntArray) -> IntArray:
        """Return what ``n`` spikes leave of ``h``; may overwrite it."""
        if self.reset == "subtract":
            h -= n * per_neuron(self.theta, h.ndim)
            return h
        if self.reset == "zero":
            h *= n == 0
            return h
        return np.where(n > 0, per_neuron(self.reset_value, h.ndim), h)

    def _fired(self, h: IntArray, v: IntArray) -> tuple[IntArray, IntArray]:
        """Return the spikes of H and what is kept of it, the reset acting now or on account of the stored V."""
        if self.reset_delay:
            h = self._after(h, self._spikes_of(v))
            return self._spikes_of(h), h
        n = self._spikes_of(h)
        return n, self._after(h, n)

    def _reset_limits(self, h: Limits) -> Limits:
        """Bounds of H before and after its reset: a subtraction takes no more than H or V, or adds -theta."""
        if self.reset == "value":
            return min(h[0], int(self.reset_value.min())), max(h[1], int(self.reset_value.max()))
        if self.reset == "zero":
            return min(h[0], 0), max(h[1], 0)
        taken = max(self.potential_limits[1], 0) if self.reset_delay else 0
        return min(h[0] - taken, 0), h[1] + max(-int(self.theta.min()), 0)

    def _fire_operations(self, h_bits: int) -> tuple[Operation, ...]:
        """One compare for each bit of the count, and for each a subtraction of a shifted theta where one is needed."""
        subtracts = self.emitted_bits if self.most_spikes > 1 else int(self.reset == "subtract")
        adds = (Operation("add", h_bits, subtracts),) if subtracts else ()
        return Operation("compare", h_bits, self.emitted_bits), *adds
