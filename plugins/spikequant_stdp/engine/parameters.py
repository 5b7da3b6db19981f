"""What an engine simulates: constants of the network, formats of its variables, and its state over images.

The dynamics themselves are written in the docstring of :mod:`spikequant_stdp.engine.torch_engine`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.rate_coding import RateCoding
from spikequant.rounding import Overflow, Rounding, from_codes, to_codes

Synapse = Literal["current", "conductance"]
Rule = Literal["pairwise", "weight-dependent"]
WeightMode = Literal["master", "stored"]
THETA_PLUS_FORMAT = QFormat(1, 6)
DECAY_UNIT = 1 << 16
POWERS = 4096
MOST_STEPS = (1 << 16) - 1
LARGEST = 1e38
"""Bound of all constants, which engines hold in float32."""
EXCITATORY_REVERSAL = 0.0
CONDUCTANCE_SCALE = 2.0**-7


@dataclass(frozen=True)
class Parameters:
    """Constants of a Diehl-Cook network with one winner per step.

    Source: Diehl and Cook 2015 as BindsNET 0.3.4 simulates it (``DiehlAndCook2015``), with the constants that
    Q-SpiNN's Table I implies; BindsNET itself resets to -60.

    Attributes:
        inputs: Number of inputs.
        neurons: Number of excitatory neurons.
        timesteps: Steps per image, T.
        dt_ms: Length of a step.
        rest: Resting potential, in mV as all potentials.
        reset: Potential after a spike.
        threshold: Threshold without adaptation: a neuron fires at ``threshold + theta``.
        refractory: Steps after a spike in which a neuron takes no input.
        tau_ms: Time constant of the potential.
        theta_plus: What a spike adds to theta.
        tau_theta_ms: Time constant of theta.
        tau_trace_ms: Time constant of both spike traces.
        inhibition: What a spike takes from all other potentials, two steps later.
        w_max: Largest weight; the smallest is 0.
        norm: Sum of each neuron's weights after every training image.
        eta_pre: Learning rate at a spike of an input.
        eta_post: Learning rate at a spike of a neuron.
        synapse: ``current`` (weights add to the potential) or ``conductance``.
        tau_g_ms: Time constant of the conductance.
        rule: ``pairwise`` or ``weight-dependent`` (Q-SpiNN, Eq. 1).
        mu: Exponent of the weight dependence, 0 to 10.
        coding: How images become spikes.

    Raises:
        UsageError: A value is not one that can be used (a ValueError).
    """

    inputs: int
    neurons: int
    timesteps: int = 250
    dt_ms: float = 1.0
    rest: float = -65.0
    reset: float = -65.0
    threshold: float = -52.0
    refractory: int = 5
    tau_ms: float = 100.0
    theta_plus: float = 0.05
    tau_theta_ms: float = 1e7
    tau_trace_ms: float = 20.0
    inhibition: float = 120.0
    w_max: float = 1.0
    norm: float = 78.4
    eta_pre: float = 1e-4
    eta_post: float = 1e-2
    synapse: Synapse = "current"
    tau_g_ms: float = 1.0
    rule: Rule = "pairwise"
    mu: float = 1.0
    coding: RateCoding = field(default_factory=RateCoding)

    def __post_init__(self) -> None:
        for name in ("inputs", "neurons"):
            _check_whole(name, getattr(self, name), 1)
        _check_whole("timesteps", self.timesteps, 1, MOST_STEPS)
        _check_whole("refractory", self.refractory, 0, MOST_STEPS)
        for name in ("dt_ms", "tau_ms", "tau_theta_ms", "tau_trace_ms", "tau_g_ms", "w_max", "norm"):
            _check_number(name, getattr(self, name), "positive", lambda value: value > 0)
        for name in ("theta_plus", "inhibition", "eta_pre", "eta_post"):
            _check_number(name, getattr(self, name), "at least 0", lambda value: value >= 0)
        for name in ("rest", "reset", "threshold"):
            _check_number(name, getattr(self, name), "finite", math.isfinite)
        _check_number("mu", self.mu, "0 to 10", lambda value: 0 <= value <= 10)
        _check_choice("synapse", self.synapse, get_args(Synapse))
        _check_choice("rule", self.rule, get_args(Rule))
        self._check_powers()
        if not math.isclose(self.coding.dt * 1e3, self.dt_ms):
            raise UsageError(f"dt_ms is {self.dt_ms}, and the coding's dt is {self.coding.dt} s; they must be equal")

    def _check_powers(self) -> None:
        largest = max(self.w_max, self.norm, 1.0)
        if self.rule == "weight-dependent" and self.mu * math.log(largest) > math.log(LARGEST):
            raise UsageError(
                f"mu is {self.mu}, and weights reach {largest:g}, whose power no float32 holds; lower mu, w_max or norm"
            )

    @property
    def decay(self) -> float:
        """Factor of the potential per step, a float32 value, as the next three."""
        return _float32(_decay(self.dt_ms, self.tau_ms))

    @property
    def theta_decay(self) -> float:
        """Factor of theta per step of training where thresholds are FP32; exactly 1 where they are quantized."""
        return _float32(_decay(self.dt_ms, self.tau_theta_ms))

    @property
    def trace_decay(self) -> float:
        """Factor of both traces per step."""
        return _float32(_decay(self.dt_ms, self.tau_trace_ms))

    @property
    def g_decay(self) -> float:
        """Factor of the conductance per step."""
        return _float32(_decay(self.dt_ms, self.tau_g_ms))

    @property
    def decay_code(self) -> int:
        """Factor of a quantized potential per step, in units of 2**-16."""
        return math.floor(_decay(self.dt_ms, self.tau_ms) * DECAY_UNIT + 0.5)

    @property
    def g_decay_code(self) -> int:
        """Factor of a quantized conductance per step, in units of 2**-16."""
        return math.floor(_decay(self.dt_ms, self.tau_g_ms) * DECAY_UNIT + 0.5)

    @property
    def theta_plus_quantized(self) -> float:
        """``theta_plus`` rounded to Q1.6 (nearest): 3/64 for 0.05. What a spike adds to a quantized threshold."""
        codes = to_codes(self.theta_plus, THETA_PLUS_FORMAT, Rounding.RN).codes
        return float(from_codes(codes, THETA_PLUS_FORMAT))

    @property
    def power_table(self) -> NDArray[np.float32]:
        """Powers ``(k / 4096 * w_max) ** mu`` for k = 0..4096, in float64, rounded to float32.

        An engine takes entry ``floor(x / w_max * 4096 + 0.5)``, each operation in float32 and the entry limited
        to 0..4096, as ``x ** mu`` where ``mu`` is none of 0, 1/2, 1 and 2 (which are exact).
        """
        values = [(k / POWERS * self.w_max) ** self.mu for k in range(POWERS + 1)]
        return np.array(values, dtype=np.float64).astype(np.float32)


@dataclass(frozen=True)
class Formats:
    """Format of each variable; None is FP32.

    Attributes:
        w: Weights.
        V: Potential.
        Vth: Threshold, ``threshold + theta``.
        g: Conductance; only with ``synapse="conductance"``, and there whenever V has one.
        rounding: One rule for all.
        overflow: ``saturate`` or ``wrap``, for all.
        weight_mode: What training keeps: float weights that are rounded at each use (``master``), or weights
            on the grid, rounded after each update (``stored``). No matter where w is FP32.
        seed: Seed of stochastic rounding.

    Raises:
        UsageError: A value is not one that can be used (a ValueError).
    """

    w: QFormat | None = None
    V: QFormat | None = None
    Vth: QFormat | None = None
    g: QFormat | None = None
    rounding: Rounding = Rounding.RN
    overflow: Overflow = Overflow.SATURATE
    weight_mode: WeightMode = "master"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("w", "V", "Vth", "g"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, QFormat):
                raise UsageError(f"format of {name} is {value}; it must be a Q format like Q1.6, or None for FP32")
        _check_choice("rounding", self.rounding, tuple(Rounding))
        _check_choice("overflow", self.overflow, tuple(Overflow))
        _check_choice("weight_mode", self.weight_mode, get_args(WeightMode))
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise UsageError(f"seed is {self.seed!r}; it must be a whole number")

    def __str__(self) -> str:
        named = ((name, getattr(self, name)) for name in ("w", "V", "Vth", "g"))
        return " ".join(f"{name}={value or 'FP32'}" for name, value in named)


@dataclass
class State:
    """What training changes.

    Attributes:
        w: Weights, float32 of shape ``(inputs, neurons)``, C order.
        theta: Adaptation of the thresholds, shape ``(neurons,)``: float32, or float64 where Vth is quantized.
        images: Training images seen so far.
    """

    w: NDArray[np.float32]
    theta: NDArray[np.float32] | NDArray[np.float64]
    images: int = 0

    def copy(self) -> State:
        """Return a state that shares nothing with this one."""
        return State(self.w.copy(), self.theta.copy(), self.images)


def _decay(dt_ms: float, tau_ms: float) -> float:
    return math.exp(-dt_ms / tau_ms)


def _float32(value: float) -> float:
    return float(np.float32(value))


def _check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name} is {value!r}; it must be a whole number, at least {least}")
    if most is not None and value > most:
        raise UsageError(f"{name} is {value}; it must be at most {most}")


def _check_number(name: str, value: Any, words: str, good: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not good(value):
        raise UsageError(f"{name} is {value!r}; it must be a finite number{'' if words == 'finite' else ', ' + words}")
    if abs(value) > LARGEST:
        raise UsageError(f"{name} is {value:g}, which no float32 holds; it must be {LARGEST:g} at most in magnitude")


def _check_choice(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}; it must be one of {', '.join(str(choice) for choice in allowed)}")
