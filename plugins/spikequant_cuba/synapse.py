"""The synaptic current: a second register between the input and the potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from spikequant.program import IntArray, Operation, State
from spikequant.program.field_checks import check_integer
from spikequant_cuba.cell import Cell, Driven
from spikequant_cuba.checks import MOST_SHIFT, check_constant, check_reach, check_word
from spikequant_cuba.grid import Limits, decayed_limits, kept_by, moved_limits, register_limits
from spikequant_cuba.operations import moving, scaling, width

Order = Literal["current_first", "potential_first"]
ORDERS: tuple[Order, ...] = ("current_first", "potential_first")


@dataclass(frozen=True, eq=False, kw_only=True)
class Synapse(Cell):
    """Fields of the kinds with a synaptic current I.

    Attributes:
        i_bits: Width of I.
        i_decay: I keeps ``i_decay / 2**decay_bits`` of itself at each timestep.
        i_shift: What enters V is ``I * 2**i_shift``, -32 to 32, rounded where that is negative.
        order: ``current_first``: V takes the I of this timestep; ``potential_first``: that of the one before.
    """

    variables: ClassVar[tuple[str, ...]] = ("potential", "current")

    i_bits: int
    i_decay: IntArray
    i_shift: int = 0
    order: Order = "current_first"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "i_bits", self.i_bits, 2, 32)
        check_constant(self, "i_decay", self.i_decay, 0, 1 << self.decay_bits)
        check_integer(self, "i_shift", self.i_shift, -MOST_SHIFT, MOST_SHIFT)
        check_word(self, "order", self.order, ORDERS)

    @property
    def current_limits(self) -> Limits:
        """The range of I's register."""
        return register_limits(self.i_bits, self.overflow)

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Widths of V and I."""
        return self.u_bits, self.i_bits

    @property
    def state_limits(self) -> tuple[Limits, ...]:
        """The ranges of V and I."""
        return self.potential_limits, self.current_limits

    @property
    def constants(self) -> dict[str, IntArray | None]:
        """The constants that must fit the neurons, by field."""
        return {**super().constants, "i_decay": self.i_decay}

    def _driven(self, x: IntArray, state: State, t: int) -> Driven:
        current = state[1]
        total = self._decayed(current, self.i_decay, "I", t) + self._moved(x, self.input_shift, "x", t)
        kept = kept_by(total, self.current_limits, self.overflow)
        seen = current if self.order == "potential_first" else kept
        return Driven(self._moved(seen, self.i_shift, "i", t), (kept,), (kept != total).astype(np.int64))

    def _current_sum(self, x: Limits) -> Limits:
        given = moved_limits(x, self.input_shift, self.rounding)
        kept = decayed_limits(self.current_limits, self.i_decay, self.decay_bits, self.rounding)
        return given[0] + min(kept[0], 0), given[1] + max(kept[1], 0)

    def _driven_limits(self, x: Limits) -> Limits:
        check_reach(self, "I", self._current_sum(x), x)
        return moved_limits(self.current_limits, self.i_shift, self.rounding)

    def _drive_operations(self, x_bits: int) -> tuple[Operation, ...]:
        top = (1 << x_bits) - 1
        return (
            *moving(x_bits, self.input_shift, self.rounding),
            *scaling(self.i_bits, self.i_decay, self.decay_bits, self.rounding),
            Operation("add", width(self._current_sum((-top, top)))),
            Operation("register", self.i_bits),
            *moving(self.i_bits, self.i_shift, self.rounding),
        )
