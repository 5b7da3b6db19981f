"""The excitatory neurons of the unsupervised network of Diehl and Cook as a node of the integer program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.formats import QFormat
from spikequant.program import IntArray, Operation, Shape, SpikingNode
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.node_bounds import conductance_limits, current_limits
from spikequant_stdp.node_checks import check_fields, check_thresholds
from spikequant_stdp.node_operations import node_operations
from spikequant_stdp.node_rounding import CHANCE_BITS, fitted, rounded

Flags = NDArray[np.bool_]


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
class DiehlCook(SpikingNode):
    r"""Leaky integrate-and-fire toward a resting potential, with a threshold of its own for each neuron.

    One timestep, Q being one rounding to V's grid followed by the overflow rule:

    .. math::
        V \leftarrow Q\big(\tfrac{m}{2^{k}} (V - V_{rest}) + V_{rest} + [R \le 0]\, I\big), \quad
        R \leftarrow \max(R - 1, 0), \quad C = [V \ge V_{th}]

    and where C: ``V = reset`` and ``R = refractory``. With ``one_spike`` only the lowest index among C
    puts out a spike; all of C are reset. R counts the steps without input that are left.

    The input is ``I = x * 2**-x_frac_bits``, or with a conductance synapse

    .. math::
        g \leftarrow Q_g\big(\tfrac{m_g}{2^{k}} g + e\, 2^{-x\_frac\_bits}\big), \quad
        I = g\,(E - V)\,2^{-shift} - inhibition \cdot n

    where V is that before the step, g that after its own, and e and n (excitation and number of inhibitors)
    come packed in x as :class:`Conductance` says: a node has one input, NIR has nothing that joins two, and
    an integer keeps both apart exactly.

    Source: Diehl and Cook 2015 in the timing of BindsNET 0.3.4; Q-SpiNN, Fig. 3, for what is quantized.

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

    Raises:
        ProgramError: A field is out of its domain, or rest or reset is no value of V's format.
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
    kind: ClassVar[str] = "diehl_cook"
    implementations: ClassVar[Mapping[str, Path]] = {"lava": Path(__file__).with_name("lava_diehl_cook.py")}

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "u_bits", self.fmt.width)

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

    def pre_reset_limits(self, low: int, high: int) -> tuple[int, int]:
        """Bounds of H in units of ``2**-fine_bits``.

        Raises:
            ProgramError: The formats together need more than 63 bits, or the excitation reaches ``count_bit``.
        """
        return conductance_limits(self, self.synapse, low, high) if self.synapse else current_limits(self, low, high)

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """What one neuron computes in a timestep; see :mod:`spikequant_stdp.node_operations`."""
        return node_operations(self, x_bits)

    def initial(self, batch: int, shape: Shape) -> tuple[IntArray, ...]:
        """Return the state before the first timestep: V at rest, nothing else.

        Raises:
            ProgramError: ``vth`` fits neither the layer nor its neurons.
        """
        check_thresholds(self, shape)
        zero = np.zeros((batch, *shape), np.int64)
        at_rest = np.full_like(zero, self.rest << self.fmt.frac_bits)
        return (at_rest, zero, zero.copy()) if self.synapse else (at_rest, zero)

    def advance(
        self, x: IntArray, state: tuple[IntArray, ...], t: int
    ) -> tuple[IntArray, tuple[IntArray, ...], IntArray]:
        """Advance one timestep.

        Args:
            x: Input, int64 ``(batch, *shape)``, in units of ``2**-x_frac_bits``.
            state: ``variables`` of the timestep before, each like ``x``.
            t: The timestep, which keys the random numbers of SR.

        Returns:
            Spikes in {0, 1}, the new state, and 1 where overflow changed V (or g), before any reset.

        >>> node = DiehlCook("n", fmt=QFormat(7, 1), vth=np.array([-104, -128]), vth_frac_bits=1, x_frac_bits=1)
        >>> state = node.initial(1, (2,))
        >>> spikes, (v, r), over = node.advance(np.array([[26, 3]]), state, 0)
        >>> spikes.tolist(), v.tolist(), r.tolist(), over.tolist()
        ([[1, 0]], [[-130, -130]], [[5, 5]], [[0, 0]])
        """
        v, waits = state[:2]
        inputs, conductances, clipped = self._input(x, state, t)
        leaked = (v - (self.rest << self.fmt.frac_bits)) * self.decay << (self.fine_bits - self._leak_bits)
        h = leaked + (self.rest << self.fine_bits) + np.where(waits <= 0, inputs, 0)
        codes = rounded(h, self.fine_bits - self.fmt.frac_bits, self.rounding, self._chances("V", t, x))
        kept = fitted(codes, self.fmt, self.overflow)
        crossed = self._crossed(kept)
        spikes = crossed & (np.cumsum(crossed.reshape(len(x), -1), axis=1).reshape(x.shape) == 1)
        state = (
            np.where(crossed, self.reset << self.fmt.frac_bits, kept),
            np.where(crossed, self.refractory, np.maximum(waits - 1, 0)),
            *conductances,
        )
        fires = spikes if self.one_spike else crossed
        return fires.astype(np.int64), state, ((kept != codes) | clipped).astype(np.int64)

    @property
    def _leak_bits(self) -> int:
        return self.fmt.frac_bits + self.decay_shift

    def _input(self, x: IntArray, state: tuple[IntArray, ...], t: int) -> tuple[IntArray, tuple[IntArray, ...], Flags]:
        """Return I in units of ``2**-fine_bits``, the new g where there is one, and where overflow changed it."""
        if self.synapse is None:
            return x << (self.fine_bits - self.x_frac_bits), (), np.zeros(x.shape, np.bool_)
        cell, v = self.synapse, state[0]
        inhibitors = -((x + (1 << cell.count_bit >> 1)) >> cell.count_bit)
        excitation = x + (inhibitors << cell.count_bit)
        decayed = state[2] * cell.decay << (self.fine_bits_g - cell.fmt.frac_bits - self.decay_shift)
        summed = decayed + (excitation << (self.fine_bits_g - self.x_frac_bits))
        codes = rounded(summed, self.fine_bits_g - cell.fmt.frac_bits, self.rounding, self._chances("g", t, x))
        g = fitted(codes, cell.fmt, self.overflow)
        pull = g * ((cell.e_exc << self.fmt.frac_bits) - v)
        pull = pull << (self.fine_bits - self.fmt.frac_bits - cell.fmt.frac_bits - cell.shift)
        return pull - (inhibitors * cell.inhibition << self.fine_bits), (g,), g != codes

    def _crossed(self, v: IntArray) -> Flags:
        """Compare codes of two grids on the finer one."""
        finer = max(self.fmt.frac_bits, self.vth_frac_bits)
        potential, threshold = v << (finer - self.fmt.frac_bits), self.vth << (finer - self.vth_frac_bits)
        reached: Flags = potential >= threshold
        return reached

    def _chances(self, tensor: str, t: int, x: IntArray) -> IntArray | None:
        """Return SR's uniform numbers of the neurons in units of ``2**-53``."""
        if self.rounding is not Rounding.SR:
            return None
        neurons = np.arange(math.prod(x.shape[1:]), dtype=np.int64).reshape(x.shape[1:])
        return (uniforms(RandomKey(self.seed, tensor, t), neurons) * 2.0**CHANCE_BITS).astype(np.int64)
