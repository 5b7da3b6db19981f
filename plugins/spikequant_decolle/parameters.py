"""Constants of the neurons, and the format of each of their variables."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant import QFormat
from spikequant.errors import UsageError
from spikequant.format_choice import format_of_constant
from spikequant.rounding import Overflow, Rounding


@dataclass(frozen=True)
class Constants:
    r"""Decays of the three traces and the weight of the refractory one.

    Source: Kaiser, Mostafa and Neftci 2020; Q-SpiNN, Eq. 2.

    Args:
        alpha: Decay of P per timestep, :math:`e^{-\Delta t / \tau_{mem}}`.
        beta: Decay of Q, :math:`e^{-\Delta t / \tau_{syn}}`.
        gamma: Decay of R, :math:`e^{-\Delta t / \tau_{ref}}`.
        rho: What R takes from the potential.
        normalised: What enters a trace is multiplied by one minus its decay; else by 1, as in Q-SpiNN's Eq. 2.

    Raises:
        UsageError: A decay is outside [0, 1), or ``rho`` is negative or above 127.
    """

    alpha: float = 0.97
    beta: float = 0.92
    gamma: float = 0.65
    rho: float = 1.0
    normalised: bool = True

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1")
        if not 0 <= self.rho <= 127:
            raise UsageError(f"rho is {self.rho}; it must be between 0 and 127")

    def gain(self, decay: float) -> float:
        """Return what multiplies the input of a trace that decays by ``decay``."""
        return 1.0 - decay if self.normalised else 1.0

    @property
    def on_grid(self) -> Constants:
        """The constants as a program stores them: 8 bits each, the format of each from its value.

        A decay below 1 stays below 1.

        >>> Constants().on_grid
        Constants(alpha=0.96875, beta=0.921875, gamma=0.65625, rho=1.0, normalised=True)
        """
        decays = (_decay_code(value) for value in (self.alpha, self.beta, self.gamma))
        alpha, beta, gamma, rho = (code / (1 << shift) for code, shift in (*decays, code_of(self.rho)))
        return Constants(alpha, beta, gamma, rho, self.normalised)


def code_of(value: float) -> tuple[int, int]:
    """Return a constant as ``m`` and ``k`` of ``m / 2**k``, to the nearest value of its 8-bit format.

    Source: Q-SpiNN, Section III-B: the format of a constant follows from its value.

    >>> code_of(0.97), code_of(1.0)
    ((62, 6), (64, 6))
    """
    fmt = format_of_constant(value)
    return int(value / fmt.step + 0.5), fmt.frac_bits


def _decay_code(value: float) -> tuple[int, int]:
    code, shift = code_of(value)
    return min(code, (1 << shift) - 1), shift


@dataclass(frozen=True)
class Formats:
    """The format of each variable; ``None`` is FP32.

    Attributes:
        w: Of the weights.
        P: Of the membrane trace.
        Q: Of the synaptic trace.
        R: Of the refractory state.
        V: Of the potential and its thresholds.
        rounding: Of P, Q, R and V.
        overflow: Likewise.
        seed: Of stochastic rounding, in the first layer; each further layer has the next.
    """

    w: QFormat | None = None
    P: QFormat | None = None
    Q: QFormat | None = None
    R: QFormat | None = None
    V: QFormat | None = None
    rounding: Rounding = Rounding.RN
    overflow: Overflow = Overflow.SATURATE
    seed: int = 0

    @property
    def quantizes_state(self) -> bool:
        """Whether any state variable has a format: the constants then have theirs too."""
        return any((self.P, self.Q, self.R, self.V))

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is FP32."""
        return tuple(name for name in ("w", "P", "Q", "R", "V") if getattr(self, name) is None)
