"""The excitatory neurons of the unsupervised network of Diehl and Cook as a node of the integer program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikequant.fixed_point import chances_of, fitted, rounded
from spikequant.program import IntArray, Operation, Shape
from spikequant_stdp.node_bounds import conductance_limits, current_limits
from spikequant_stdp.node_checks import check_fields, check_thresholds
from spikequant_stdp.node_operations import node_operations
from spikequant_stdp.node_rules import DiehlCookRules

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DiehlCook(DiehlCookRules):
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

    Fields and state: :class:`~spikequant_stdp.node_rules.DiehlCookRules`.

    Raises:
        ProgramError: A field is out of its domain, or rest or reset is no value of V's format.
    """

    kind: ClassVar[str] = "diehl_cook"
    implementations: ClassVar[Mapping[str, Path]] = {"lava": Path(__file__).with_name("lava_diehl_cook.py")}

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "u_bits", self.fmt.width)

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

        >>> from spikequant import QFormat
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
        return chances_of(self.rounding, self.seed, tensor, t, x.shape[1:])
