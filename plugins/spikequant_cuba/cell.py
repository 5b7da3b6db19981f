"""What the four kinds share: a potential that decays, takes its input on its own grid, and fits a register."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from spikequant.program import IntArray, Operation, Shape, SpikingNode, State
from spikequant.program.arithmetic import per_neuron
from spikequant.program.field_checks import check_integer
from spikequant.program.nodes import FloatArray, OverflowRule
from spikequant_cuba.checks import (
    CONSTANT,
    INT64,
    MOST_DECAY_BITS,
    MOST_SHIFT,
    check_constant,
    check_lsb,
    check_reach,
    check_shape,
    check_word,
)
from spikequant_cuba.grid import (
    RULES,
    Limits,
    Rule,
    chances,
    decayed,
    decayed_limits,
    kept_by,
    moved,
    moved_limits,
    register_limits,
)
from spikequant_cuba.operations import moving, scaling, width

OVERFLOWS = ("symmetric", "saturate", "wrap")


class Driven(NamedTuple):
    """What enters the potential at a timestep, the further state variables, and where their overflow acted."""

    value: IntArray
    state: State = ()
    overflowed: IntArray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell(SpikingNode):
    """Shared fields; constants are one for all neurons ``()``, per channel ``(channels,)`` or per neuron.

    Attributes:
        decay: V keeps ``decay / 2**decay_bits`` of itself at each timestep; ``2**decay_bits`` is no leak.
        decay_bits: 0 to 24, of all decays of the node.
        rounding: Of every product and every move to a coarser grid: ``floor``, ``nearest`` (half up),
            ``toward_zero`` or ``stochastic``.
        seed: Of ``stochastic``: a variable draws from ``RandomKey(seed, tensor, t)``, the element being the neuron's
            flat index, equal for all samples; the tensors are ``V`` and ``I`` (decays), ``x`` and ``i`` (moves).
        overflow: ``saturate``, ``symmetric`` (``[-s, s]``, s = 2**(bits-1) - 1) or ``wrap``, of every register.
        input_shift: The input is multiplied by ``2**input_shift``, -32 to 32, rounded where that is negative.
        bias: Added to H at every timestep, in V's grid; or none.
        v_min: What is stored is at least this; or none.
        lsb: Real size of one unit of V, scalar or per channel (for reading back only).
    """

    decay: IntArray
    decay_bits: int = 12
    rounding: Rule = "floor"
    seed: int = 0
    overflow: OverflowRule = "saturate"
    input_shift: int = 0
    bias: IntArray | None = None
    v_min: IntArray | None = None
    lsb: FloatArray = field(default_factory=lambda: np.ones(()))

    def __post_init__(self) -> None:
        check_integer(self, "u_bits", self.u_bits, 2, 32)
        check_integer(self, "decay_bits", self.decay_bits, 0, MOST_DECAY_BITS)
        check_constant(self, "decay", self.decay, 0, 1 << self.decay_bits)
        check_word(self, "rounding", self.rounding, RULES)
        check_integer(self, "seed", self.seed, *INT64)
        check_word(self, "overflow", self.overflow, OVERFLOWS)
        check_integer(self, "input_shift", self.input_shift, -MOST_SHIFT, MOST_SHIFT)
        check_constant(self, "bias", self.bias, -CONSTANT)
        check_constant(self, "v_min", self.v_min, -CONSTANT, self.potential_limits[1])
        check_lsb(self, self.lsb)

    @property
    def potential_limits(self) -> Limits:
        """``[-s, s]`` for ``symmetric``, else the two's complement range of ``u_bits``."""
        return register_limits(self.u_bits, self.overflow)

    @property
    def constants(self) -> dict[str, IntArray | None]:
        """The constants that must fit the neurons, by field."""
        return {"decay": self.decay, "bias": self.bias, "v_min": self.v_min}

    def initial(self, batch: int, shape: Shape) -> State:
        """Return the state before the first timestep: zero.

        Raises:
            ProgramError: A constant fits neither the layer, nor its channels, nor its neurons.
        """
        for name, value in self.constants.items():
            check_shape(self, name, value, shape)
        return super().initial(batch, shape)

    def pre_reset_limits(self, low: int, high: int) -> Limits:
        """Bounds of H when the input lies in ``[low, high]``.

        Raises:
            ProgramError: A sum within the step leaves 63 bits.
        """
        y = self._driven_limits((low, high))
        kept = decayed_limits(self.potential_limits, self.decay, self.decay_bits, self.rounding)
        bias = (0, 0) if self.bias is None else (int(self.bias.min()), int(self.bias.max()))
        h = y[0] + min(kept[0], 0) + bias[0], y[1] + max(kept[1], 0) + bias[1]
        check_reach(self, "H", self._reset_limits(h), (low, high))
        return h

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """What one neuron computes in a timestep; see :mod:`spikequant_cuba.operations`."""
        top = (1 << x_bits) - 1
        h = width(self.pre_reset_limits(-top, top))
        adds = 1 + (self.bias is not None)
        floor = () if self.v_min is None else (Operation("compare", h),)
        return (
            *self._drive_operations(x_bits),
            *scaling(self.u_bits, self.decay, self.decay_bits, self.rounding),
            Operation("add", h, adds),
            *self._fire_operations(h),
            *floor,
            Operation("register", self.u_bits),
        )

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """Advance one timestep as docs/cuba.md says.

        Args:
            x: Input of the neurons, int64 ``(batch, *shape)``.
            state: V, then I where the kind has one; each like ``x``.
            t: The timestep, which keys the random numbers of ``stochastic``.

        Returns:
            Spikes, 0 to ``most_spikes``, or of a graded kind the new V; the new state; and 1 where overflow
            changed V or I.
        """
        v = state[0]
        driven = self._driven(x, state, t)
        h = self._decayed(v, self.decay, "V", t) + driven.value
        if self.bias is not None:
            h += per_neuron(self.bias, x.ndim)
        spikes, kept = self._fired(h, v)
        if self.v_min is not None:
            kept = np.maximum(kept, per_neuron(self.v_min, x.ndim))
        stored = kept_by(kept, self.potential_limits, self.overflow)
        overflowed = (stored != kept).astype(np.int64)
        if driven.overflowed is not None:
            overflowed |= driven.overflowed
        return (stored if spikes is None else spikes), (stored, *driven.state), overflowed

    def _driven(self, x: IntArray, state: State, t: int) -> Driven:
        """Return what enters V: the input on V's grid."""
        return Driven(self._moved(x, self.input_shift, "x", t))

    def _driven_limits(self, x: Limits) -> Limits:
        """Return the bounds of what enters V."""
        return moved_limits(x, self.input_shift, self.rounding)

    def _drive_operations(self, x_bits: int) -> tuple[Operation, ...]:
        """Return what bringing the input to V takes."""
        return moving(x_bits, self.input_shift, self.rounding)

    def _fired(self, h: IntArray, v: IntArray) -> tuple[IntArray | None, IntArray]:
        """Return the spikes, none of a graded kind, and what they leave of H; ``h`` may be overwritten."""
        return None, h

    def _reset_limits(self, h: Limits) -> Limits:
        """Return the bounds of H and of everything made from it before it is stored."""
        return h

    def _fire_operations(self, h_bits: int) -> tuple[Operation, ...]:
        """Return what firing and resetting take."""
        return ()

    def _decayed(self, value: IntArray, factor: IntArray, tensor: str, t: int) -> IntArray:
        drawn = chances(self.rounding, self.seed, tensor, t, value.shape[1:])
        return decayed(value, per_neuron(factor, value.ndim), self.decay_bits, self.rounding, drawn)

    def _moved(self, value: IntArray, shift: int, tensor: str, t: int) -> IntArray:
        if shift >= 0:
            return moved(value, shift, self.rounding)
        return moved(value, shift, self.rounding, chances(self.rounding, self.seed, tensor, t, value.shape[1:]))
