"""The input traces P and Q of a DECOLLE layer as a graded node of the integer program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikequant.fixed_point import chances_of, fitted, rounded
from spikequant.formats import QFormat
from spikequant.program import IntArray, Operation, SpikingNode, State
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.node_checks import Limits, check_decay, check_formats, check_reach, check_rules
from spikequant_decolle.node_operations import kept, scaled, width


@dataclass(frozen=True, eq=False, kw_only=True)
class DecolleTrace(SpikingNode):
    r"""Membrane trace P and synaptic trace Q of each input of a layer; P is put out.

    One timestep, :math:`Q_X` being one rounding to X's grid followed by the overflow rule, x the input (spikes or
    counts), and both lines seeing the state of the timestep before:

    .. math::
        P \leftarrow Q_P\big((m_\alpha P + k_P Q)\,2^{-a}\big), \quad
        Q \leftarrow Q_Q\big((m_\beta Q + k_Q x)\,2^{-b}\big)

    Source: Q-SpiNN, Eq. 2, after DECOLLE (Kaiser, Mostafa and Neftci 2020).

    Note:
        Q-SpiNN prints ``Q[n+1] = beta Q[n] + S[n]``. Here the index of S is moved by one: what arrives at a timestep
        is in Q after it, so that what the node puts out is what it stores.

    Attributes:
        p_fmt, q_fmt: Formats of P and Q; ``u_bits`` is P's width.
        alpha, alpha_shift: :math:`m_\alpha` and a: P decays by ``alpha / 2**alpha_shift``.
        beta, beta_shift: :math:`m_\beta` and b, of Q.
        p_gain, q_gain: :math:`k_P` in units of ``2**-alpha_shift`` and :math:`k_Q` of ``2**-beta_shift``.
        rounding: ``TR``, ``RN`` (half up) or ``SR``; see :class:`spikequant.rounding.Rounding`.
        overflow: ``saturate`` or ``wrap``.
        seed: Of SR: P draws from ``RandomKey(seed, "P", t)``, Q from ``RandomKey(seed, "Q", t)``, the element being
            the input's flat index, equal for all samples.

    Raises:
        ProgramError: A field is out of its domain.
    """

    kind: ClassVar[str] = "decolle_trace"
    variables: ClassVar[tuple[str, ...]] = ("potential", "synaptic")
    graded: ClassVar[bool] = True
    implementations: ClassVar[Mapping[str, Path]] = {"lava": Path(__file__).with_name("lava_trace.py")}

    u_bits: int = field(init=False, default=0)
    p_fmt: QFormat
    q_fmt: QFormat
    alpha: int
    alpha_shift: int
    beta: int
    beta_shift: int
    p_gain: int
    q_gain: int
    rounding: Rounding = Rounding.RN
    overflow: Overflow = Overflow.SATURATE
    seed: int = 0

    def __post_init__(self) -> None:
        check_formats(self, p_fmt=self.p_fmt, q_fmt=self.q_fmt)
        check_rules(self, self)
        check_decay(self, "alpha", self.alpha, self.alpha_shift, "p_gain", self.p_gain)
        check_decay(self, "beta", self.beta, self.beta_shift, "q_gain", self.q_gain)
        object.__setattr__(self, "u_bits", self.p_fmt.width)

    @property
    def potential_limits(self) -> Limits:
        """The code range of P's format."""
        return self.p_fmt.code_range

    @property
    def state_limits(self) -> tuple[Limits, ...]:
        """The code ranges of both formats."""
        return self.p_fmt.code_range, self.q_fmt.code_range

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Widths of both formats."""
        return self.p_fmt.width, self.q_fmt.width

    @property
    def dropped_bits(self) -> tuple[int, int]:
        """Bits that P's rounding and Q's drop from their exact sums."""
        return max(self.q_fmt.frac_bits - self.p_fmt.frac_bits, 0) + self.alpha_shift, self.beta_shift

    @property
    def _up(self) -> tuple[int, int]:
        """By how many bits P and Q are shifted up to meet on the finer grid of the two."""
        finer = max(self.p_fmt.frac_bits, self.q_fmt.frac_bits)
        return finer - self.p_fmt.frac_bits, finer - self.q_fmt.frac_bits

    def sum_limits(self, low: int, high: int) -> tuple[Limits, Limits]:
        """Return the bounds of P's and Q's sums before their rounding, for an input in ``[low, high]``."""
        (p_low, p_high), (q_low, q_high) = self.state_limits
        p_factor, q_factor = self.alpha << self._up[0], self.p_gain << self._up[1]
        gain = self.q_gain << self.q_fmt.frac_bits
        p = p_low * p_factor + q_low * q_factor, p_high * p_factor + q_high * q_factor
        return p, (q_low * self.beta + min(low, 0) * gain, q_high * self.beta + max(high, 0) * gain)

    def pre_reset_limits(self, low: int, high: int) -> Limits:
        """Bounds of both sums together.

        Raises:
            ProgramError: One leaves 63 bits.
        """
        p, q = self.sum_limits(low, high)
        check_reach(self, "P", p, f"P {self.p_fmt} and Q {self.q_fmt}")
        check_reach(self, "Q", q, f"Q {self.q_fmt} and an input of {low}..{high}")
        return min(p[0], q[0]), max(p[1], q[1])

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """What one input computes in a timestep; see :mod:`spikequant_decolle.node_operations`."""
        top = (1 << x_bits) - 1
        p, q = self.sum_limits(-top, top)
        return (
            *scaled(self.p_fmt.width, self.alpha, self.alpha_shift),
            *scaled(self.q_fmt.width, self.p_gain, self.alpha_shift),
            *kept(self.rounding, width(p), self.p_fmt),
            *scaled(self.q_fmt.width, self.beta, self.beta_shift),
            *scaled(x_bits, self.q_gain, self.beta_shift),
            *kept(self.rounding, width(q), self.q_fmt),
        )

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """Advance one timestep.

        Args:
            x: Spikes or counts, int64 ``(batch, *shape)``.
            state: P and Q of the timestep before, each like ``x``.
            t: The timestep, which keys the random numbers of SR.

        Returns:
            P, then P and Q, and 1 where overflow changed one of them.

        >>> half = {"alpha": 1, "alpha_shift": 1, "beta": 1, "beta_shift": 1, "p_gain": 1, "q_gain": 1}
        >>> node = DecolleTrace("n", p_fmt=QFormat(1, 2), q_fmt=QFormat(1, 2), **half)
        >>> before = np.array([[5, 0, 7]]), np.array([[3, 4, 0]])
        >>> emitted, state, over = node.advance(np.array([[1, 0, 9]]), before, 0)
        >>> [part.tolist() for part in (emitted, *state, over)]
        [[[4, 2, 4]], [[4, 2, 4]], [[4, 2, 7]], [[0, 0, 1]]]
        """
        p, q = state
        p_sum = p * (self.alpha << self._up[0]) + q * (self.p_gain << self._up[1])
        q_sum = q * self.beta + x * (self.q_gain << self.q_fmt.frac_bits)
        p_bits, q_bits = self.dropped_bits
        p_codes = rounded(p_sum, p_bits, self.rounding, self._chances("P", t, x))
        q_codes = rounded(q_sum, q_bits, self.rounding, self._chances("Q", t, x))
        p_kept, q_kept = fitted(p_codes, self.p_fmt, self.overflow), fitted(q_codes, self.q_fmt, self.overflow)
        overflowed = (p_kept != p_codes) | (q_kept != q_codes)
        return p_kept, (p_kept, q_kept), overflowed.astype(np.int64)

    def _chances(self, variable: str, t: int, x: IntArray) -> IntArray | None:
        return chances_of(self.rounding, self.seed, variable, t, x.shape[1:])
