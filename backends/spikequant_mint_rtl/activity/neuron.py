"""What the processing elements are given, and what their registers then hold, cycle by cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikequant_mint_rtl.activity.functions import Wave
from spikequant_mint_rtl.activity.load import Load

Integers = npt.NDArray[np.int64]
_SCALE_BITS = 32


@dataclass(frozen=True)
class Stimulus:
    """Commands of one row of processing elements; all of them see the same spikes.

    Attributes:
        bits: n, width of weights.
        acc_bits: Width of accumulators.
        spike: Shape (cycles,); the command to add.
        fire: Shape (cycles,); the LIF step.
        weight: Codes; shape (neurons, cycles).
        theta: Threshold in codes of the accumulator.
    """

    bits: int
    acc_bits: int
    spike: Wave
    fire: Wave
    weight: Integers
    theta: int

    @property
    def accumulates(self) -> float:
        """Additions per LIF step."""
        return float(self.spike.sum() / self.fire.sum())


def random_stimulus(bits: int, acc_bits: int, load: Load) -> Stimulus:
    """Return spikes at the load's rate and normal weights of 1/3 of their range, drawn from a fixed seed.

    A timestep has a cycle for each input, or for each spike with ``zero_skip``, and one for the LIF step; theta is the
    root mean square of the sums.
    """
    draw = np.random.default_rng(0)
    top = 2 ** (bits - 1) - 1
    codes = np.clip(np.rint(draw.normal(0, max(top / 3, 0.5), (load.neurons, load.inputs))), -top, top).astype(np.int64)
    spikes = draw.random((load.timesteps, load.inputs)) < load.rate
    sums = spikes.astype(np.int64) @ codes.T
    spike, fire, weight = [], [], []
    for step in spikes:
        shown = np.flatnonzero(step) if load.zero_skip else np.arange(load.inputs)
        spike.append(np.append(step[shown], False))
        fire.append(np.append(np.zeros(len(shown), bool), True))
        weight.append(np.concatenate((codes[:, shown], codes[:, -1:]), axis=1))
    # One cycle more, in which the last step's result appears.
    return Stimulus(
        bits,
        acc_bits,
        np.append(np.concatenate(spike), False),
        np.append(np.concatenate(fire), False),
        np.concatenate((*weight, codes[:, -1:]), axis=1),
        max(1, round(float(np.sqrt(np.mean(sums**2))))),
    )


def mint_waves(stimulus: Stimulus) -> dict[str, Wave]:
    """Return the wave of every input and register of ``paper_mint_pe``; shape (bits, neurons, cycles)."""
    theta = _constant(stimulus, "theta_i", stimulus.theta, stimulus.acc_bits)
    return _waves(stimulus, stimulus.bits, lambda acc: acc, stimulus.theta) | theta


def uq_waves(stimulus: Stimulus) -> dict[str, Wave]:
    """Return the wave of every input and register of ``paper_uq_pe`` with a U of 32 bits.

    The multiplier is an odd number of 31 bits, about 2**31 / 1.4, and the shift the smallest with which H of the
    largest possible sum has 30 bits: the baseline does what MINT does, in finer steps, but its U does not saturate.
    """
    multiplier = 0x5A82_79A5
    inputs = int(stimulus.spike.sum())
    largest = max(1, int(np.abs(stimulus.weight).max()) * inputs)
    shift = max(0, (largest * multiplier).bit_length() - 30)
    theta = stimulus.theta * multiplier >> shift
    return (
        _waves(stimulus, _SCALE_BITS, lambda acc: acc * multiplier >> shift, theta)
        | _constant(stimulus, "theta_i", theta, _SCALE_BITS)
        | _constant(stimulus, "multiplier_i", multiplier, _SCALE_BITS)
        | _constant(stimulus, "shift_i", shift, 6)
    )


def bits_of(numbers: Integers, width: int) -> Wave:
    """Return the two's complement bits, lowest first; shape (width, *shape of the numbers).

    >>> bits_of(np.array([-2]), 3).astype(int).ravel()
    array([0, 1, 1])
    """
    return np.stack([(numbers >> bit & 1).astype(bool) for bit in range(width)])


def _constant(stimulus: Stimulus, signal: str, value: int, width: int) -> dict[str, Wave]:
    return {signal: bits_of(np.full(stimulus.weight.shape, value), width)}


def _waves(
    stimulus: Stimulus, potential_bits: int, scale: Callable[[Integers], Integers], theta: int
) -> dict[str, Wave]:
    """Step the registers: acc adds gated weights; H = scale(acc) + (U >> 1), S = H >= theta, U = clamp(S ? 0 : H)."""
    top = 2 ** (potential_bits - 1) - 1
    shape = stimulus.weight.shape
    acc, potential, fired = (np.zeros(shape, np.int64) for _ in range(3))
    for cycle in range(shape[1] - 1):
        now, after = (slice(None), cycle), (slice(None), cycle + 1)
        if stimulus.fire[cycle]:
            pre_reset = scale(acc[now]) + (potential[now] >> 1)
            fired[after] = pre_reset >= theta
            potential[after] = np.clip(np.where(fired[after], 0, pre_reset), -top, top)
        else:
            acc[after] = acc[now] + (stimulus.weight[now] if stimulus.spike[cycle] else 0)
            potential[after], fired[after] = potential[now], fired[now]
    return {
        "rst_ni": bits_of(np.ones(shape, np.int64), 1),
        "spike_i": bits_of(np.broadcast_to(stimulus.spike, shape).astype(np.int64), 1),
        "lif_valid_i": bits_of(np.broadcast_to(stimulus.fire, shape).astype(np.int64), 1),
        "weight_i": bits_of(stimulus.weight, stimulus.bits),
        "acc_q": bits_of(acc, stimulus.acc_bits),
        "potential_q": bits_of(potential, potential_bits),
        "fired_q": bits_of(fired, 1),
    }
