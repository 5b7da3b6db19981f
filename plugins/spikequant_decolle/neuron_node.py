"""The neurons of a DECOLLE layer, with their refractory state, as a node of the integer program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikequant.fixed_point import chances_of, fitted, rounded
from spikequant.formats import QFormat
from spikequant.program import IntArray, Operation, Shape, SpikingNode, State
from spikequant.program.field_checks import check_integer, field_error
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.node_checks import (
    MOST_DECAY_SHIFT,
    MOST_FRACTION,
    MOST_RHO,
    Limits,
    check_decay,
    check_formats,
    check_reach,
    check_rules,
    check_threshold_shape,
    check_thresholds,
)
from spikequant_decolle.node_operations import kept, scaled, width


@dataclass(frozen=True, eq=False, kw_only=True)
class DecolleNeurons(SpikingNode):
    r"""Neurons whose potential is a weighted sum of traces, less a refractory state R that grows with each spike.

    One timestep, :math:`Q_X` being one rounding to X's grid followed by the overflow rule, and x the weighted sum of
    the layer's traces P:

    .. math::
        V = Q_V\big(x\,2^{-x\_frac\_bits} - m_\rho R\,2^{-c}\big), \quad
        S = [V \ge V_{th}], \quad
        R \leftarrow Q_R\big((m_\gamma R + k_R S)\,2^{-d}\big)

    V is not carried on: it is stored to be seen. A spike at t lowers V from t + 1 on.

    Source: Q-SpiNN, Eq. 2, after DECOLLE (Kaiser, Mostafa and Neftci 2020).

    Attributes:
        v_fmt, r_fmt: Formats of V and R; ``u_bits`` is V's width.
        gamma, gamma_shift: :math:`m_\gamma` and d: R decays by ``gamma / 2**gamma_shift``.
        r_gain: :math:`k_R` in units of ``2**-gamma_shift``.
        rho, rho_shift: :math:`m_\rho` and c: R acts by ``rho / 2**rho_shift``.
        x_frac_bits: One unit of x is ``2**-x_frac_bits``: fraction bits of the weights plus those of P.
        vth: Thresholds as codes of V's format: one, one per channel ``(channels,)``, or one per neuron.
        rounding: ``TR``, ``RN`` (half up) or ``SR``; see :class:`spikequant.rounding.Rounding`.
        overflow: ``saturate`` or ``wrap``.
        seed: Of SR: V draws from ``RandomKey(seed, "V", t)``, R from ``RandomKey(seed, "R", t)``, the element being
            the neuron's flat index, equal for all samples.

    Raises:
        ProgramError: A field is out of its domain.
    """

    kind: ClassVar[str] = "decolle"
    variables: ClassVar[tuple[str, ...]] = ("potential", "refractory")
    implementations: ClassVar[Mapping[str, Path]] = {"lava": Path(__file__).with_name("lava_neurons.py")}

    u_bits: int = field(init=False, default=0)
    v_fmt: QFormat
    r_fmt: QFormat
    gamma: int
    gamma_shift: int
    r_gain: int
    rho: int
    rho_shift: int
    x_frac_bits: int
    vth: IntArray
    rounding: Rounding = Rounding.RN
    overflow: Overflow = Overflow.SATURATE
    seed: int = 0

    def __post_init__(self) -> None:
        check_formats(self, v_fmt=self.v_fmt, r_fmt=self.r_fmt)
        check_rules(self, self)
        check_decay(self, "gamma", self.gamma, self.gamma_shift, "r_gain", self.r_gain)
        check_integer(self, "rho_shift", self.rho_shift, 0, MOST_DECAY_SHIFT)
        check_integer(self, "rho", self.rho, 0, MOST_RHO)
        check_integer(self, "x_frac_bits", self.x_frac_bits, 0, MOST_FRACTION)
        check_thresholds(self, self.vth, self.v_fmt)
        if self.dropped_bits > MOST_FRACTION:
            raise field_error(self, "rho_shift", self.rho_shift, f"at most {MOST_FRACTION} bits finer than V")
        object.__setattr__(self, "u_bits", self.v_fmt.width)

    @property
    def potential_limits(self) -> Limits:
        """The code range of V's format."""
        return self.v_fmt.code_range

    @property
    def state_limits(self) -> tuple[Limits, ...]:
        """The code ranges of both formats."""
        return self.v_fmt.code_range, self.r_fmt.code_range

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Widths of both formats."""
        return self.v_fmt.width, self.r_fmt.width

    @property
    def fine_bits(self) -> int:
        """V before its rounding is a whole number of ``2**-fine_bits``."""
        return max(self.v_fmt.frac_bits, self.x_frac_bits, self.r_fmt.frac_bits + self.rho_shift)

    @property
    def dropped_bits(self) -> int:
        """Bits that V's rounding drops from its exact sum; R's drops ``gamma_shift``."""
        return self.fine_bits - self.v_fmt.frac_bits

    @property
    def _pull(self) -> int:
        """What one code of R takes from V, in units of ``2**-fine_bits``."""
        return self.rho << (self.fine_bits - self.r_fmt.frac_bits - self.rho_shift)

    def sum_limits(self, low: int, high: int) -> tuple[Limits, Limits]:
        """Return the bounds of V's and R's sums before their rounding, for an input in ``[low, high]``."""
        r_low, r_high = self.r_fmt.code_range
        up = self.fine_bits - self.x_frac_bits
        v = (min(low, 0) << up) - r_high * self._pull, (max(high, 0) << up) - r_low * self._pull
        return v, (r_low * self.gamma, r_high * self.gamma + (self.r_gain << self.r_fmt.frac_bits))

    def pre_reset_limits(self, low: int, high: int) -> Limits:
        """Bounds of both sums together.

        Raises:
            ProgramError: One leaves 63 bits.
        """
        v, r = self.sum_limits(low, high)
        given = f"an input of {low}..{high} with {self.x_frac_bits} fraction bits"
        check_reach(self, "V", v, f"V {self.v_fmt}, R {self.r_fmt} and {given}")
        check_reach(self, "R", r, f"R {self.r_fmt}")
        return min(v[0], r[0]), max(v[1], r[1])

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """What one neuron computes in a timestep; see :mod:`spikequant_decolle.node_operations`."""
        top = (1 << x_bits) - 1
        v, r = self.sum_limits(-top, top)
        return (
            *scaled(self.r_fmt.width, self.rho, self.rho_shift),
            *kept(self.rounding, width(v), self.v_fmt),
            Operation("compare", self.v_fmt.width),
            *scaled(self.r_fmt.width, self.gamma, self.gamma_shift),
            *kept(self.rounding, width(r), self.r_fmt),
        )

    def initial(self, batch: int, shape: Shape) -> State:
        """Return the state before the first timestep: zero.

        Raises:
            ProgramError: ``vth`` fits neither the layer, nor its channels, nor its neurons.
        """
        check_threshold_shape(self, self.vth, shape)
        return super().initial(batch, shape)

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """Advance one timestep.

        Args:
            x: Weighted sums of traces, int64 ``(batch, *shape)``, in units of ``2**-x_frac_bits``.
            state: V and R, each like ``x``; R is that which the timestep before left.
            t: The timestep, which keys the random numbers of SR.

        Returns:
            Spikes in {0, 1}, then V and the new R, and 1 where overflow changed one of them.

        >>> fields = {"gamma": 1, "gamma_shift": 1, "r_gain": 2, "rho": 3, "rho_shift": 1, "x_frac_bits": 4}
        >>> node = DecolleNeurons("n", v_fmt=QFormat(1, 2), r_fmt=QFormat(1, 1), vth=np.array(2), **fields)
        >>> before = np.zeros((1, 3), np.int64), np.array([[0, 1, 2]])
        >>> spikes, state, over = node.advance(np.array([[9, 6, 20]]), before, 0)
        >>> [part.tolist() for part in (spikes, *state, over)]
        [[[1, 0, 0]], [[2, -1, -1]], [[2, 1, 1]], [[0, 0, 0]]]
        """
        r = state[1]
        chances = [chances_of(self.rounding, self.seed, name, t, x.shape[1:]) for name in ("V", "R")]
        v_sum = (x << (self.fine_bits - self.x_frac_bits)) - r * self._pull
        v_codes = rounded(v_sum, self.dropped_bits, self.rounding, chances[0])
        v = fitted(v_codes, self.v_fmt, self.overflow)
        fires = (v >= self._thresholds(x.ndim)).astype(np.int64)
        r_sum = r * self.gamma + fires * (self.r_gain << self.r_fmt.frac_bits)
        r_codes = rounded(r_sum, self.gamma_shift, self.rounding, chances[1])
        after = fitted(r_codes, self.r_fmt, self.overflow)
        return fires, (v, after), ((v != v_codes) | (after != r_codes)).astype(np.int64)

    def _thresholds(self, ndim: int) -> IntArray:
        """Shape ``vth`` so that it broadcasts over ``(batch, *shape)``."""
        return self.vth.reshape((-1,) + (1,) * (ndim - 2)) if self.vth.ndim == 1 else self.vth
