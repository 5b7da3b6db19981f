"""What decides the results of a Diehl-Cook node: its fields, its state variables, the grids of its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spikequant.formats import QFormat
from spikequant.program import IntArray, SpikingNode
from spikequant.rounding import Overflow, Rounding


@dataclass(frozen=True)
class Conductance:
    """What the conductance synapse adds to the node.

    Attributes:
        fmt: Format of g.
        decay: Multiplier of g's decay; the factor is ``decay / 2**decay_shift`` of the node.
        e_exc: Reversal potential, a whole number.
        shift: Scale of the synapse: g acts as ``g * (e_exc - v) * 2**-shift``.
        inhibition: What one inhibitor takes from the potential, a whole number.
        count_bit: Where the number of inhibitors begins in x: ``x = excitation - inhibitors * 2**count_bit``
            with the excitation in ``[-2**(count_bit - 1), 2**(count_bit - 1))``.
    """

    fmt: QFormat = QFormat(11, 4)  # noqa: RUF009 - frozen and shared on purpose
    decay: int = 24109
    e_exc: int = 0
    shift: int = 7
    inhibition: int = 120
    count_bit: int = 20


@dataclass(frozen=True, eq=False)
class DiehlCookRules(SpikingNode):
    """Fields of :class:`~spikequant_stdp.node.DiehlCook`.

    Attributes:
        vth: Thresholds in units of ``2**-vth_frac_bits``; scalar, or one per neuron.
        vth_frac_bits: Fraction bits of the thresholds.
        fmt: Format of V; ``u_bits`` is its width.
        x_frac_bits: One unit of x is ``2**-x_frac_bits``.
        rest, reset: Whole numbers on V's grid.
        refractory: Steps without input after a spike.
        decay: m, 0 to ``2**decay_shift``.
        decay_shift: k.
        rounding: ``TR``, ``RN`` (half up) or ``SR``; see :class:`spikequant.rounding.Rounding`.
        overflow: ``saturate`` or ``wrap``.
        seed: Of SR: V draws from ``RandomKey(seed, "V", t)`` and g from ``RandomKey(seed, "g", t)``, the
            element being the neuron, equal for all samples.
        one_spike: At most one spike per sample and timestep.
        synapse: None for current steps.
    """

    u_bits: int = field(init=False, default=0)
    vth: IntArray = field(default_factory=lambda: np.full((), -52 << 4, np.int64))
    vth_frac_bits: int = 4
    fmt: QFormat = QFormat(11, 4)  # noqa: RUF009
    x_frac_bits: int = 8
    rest: int = -65
    reset: int = -65
    refractory: int = 5
    decay: int = 64884
    decay_shift: int = 16
    rounding: Rounding = Rounding.RN
    overflow: Overflow = Overflow.SATURATE
    seed: int = 0
    one_spike: bool = True
    synapse: Conductance | None = None

    @property
    def variables(self) -> tuple[str, ...]:  # type: ignore[override]  # the synapse decides, not the class
        """Names of the stored state, the potential first."""
        return ("potential", "refractory", "conductance") if self.synapse else ("potential", "refractory")

    @property
    def potential_limits(self) -> tuple[int, int]:
        """The code range of V's format."""
        return self.fmt.code_range

    @property
    def state_limits(self) -> tuple[tuple[int, int], ...]:
        """Smallest and largest value of each variable, both included."""
        return (self.fmt.code_range, (0, self.refractory), *([self.synapse.fmt.code_range] if self.synapse else []))

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Width of each variable; the refractory count is unsigned."""
        bits = (self.fmt.width, max(self.refractory.bit_length(), 1))
        return (*bits, self.synapse.fmt.width) if self.synapse else bits

    @property
    def fine_bits(self) -> int:
        """H, V before its rounding, is a whole number of ``2**-fine_bits``."""
        if self.synapse:
            return self.fmt.frac_bits + max(self.decay_shift, self.synapse.fmt.frac_bits + self.synapse.shift)
        return max(self.fmt.frac_bits + self.decay_shift, self.x_frac_bits)

    @property
    def fine_bits_g(self) -> int:
        """Conductance before its rounding is a whole number of ``2**-fine_bits_g``."""
        return max(self.decay_shift + (self.synapse.fmt.frac_bits if self.synapse else 0), self.x_frac_bits)
