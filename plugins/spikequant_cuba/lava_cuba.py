"""The four kinds for an interpreter that has NumPy and nothing else.

Written from docs/cuba.md and not from the nodes' own step, so that one checks the other: roundings are divisions
with a rest, registers are intervals, and ``stochastic`` compares how many of the 2**53 possible draws round up.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
DRAWS = 1 << 53


class Quotient:
    """A division by a power of two with the node's rounding.

    Args:
        fields: The node's fields.
        tensor: The name of its random numbers.
        shape: Of the layer.
    """

    def __init__(self, fields: dict[str, Any], tensor: str, shape: tuple[int, ...]) -> None:
        self.rule = str(fields["rounding"])
        digest = int.from_bytes(hashlib.blake2b(tensor.encode(), digest_size=8).digest(), "little")
        self.root = mixed(mixed(int(fields["seed"]) & WORD) ^ digest)
        counters = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        self.counters = counters.reshape(shape)

    def of(self, value: Ints, bits: int, t: int) -> Ints:
        """Return ``value / 2**bits``, rounded."""
        parts = 1 << bits
        whole, rest = np.divmod(value, parts)
        if self.rule == "nearest":
            return whole + (2 * rest >= parts)
        if self.rule == "toward_zero":
            return whole + ((whole < 0) & (rest > 0))
        if self.rule == "stochastic":
            return whole + (self.draws(t) < rest * (DRAWS // parts))
        return whole

    def draws(self, t: int) -> Ints:
        """Return the numbers of timestep ``t``, 0 to 2**53 - 1 for each neuron: SplitMix64 over a counter."""
        z = self.counters + np.uint64(mixed((self.root + GOLDEN * (t + 1)) & WORD))
        for shift, factor in MIX:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        numbers: Ints = ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.int64)
        return numbers


class Register:
    """A register of so many bits with the node's overflow rule."""

    def __init__(self, bits: int, overflow: str) -> None:
        self.size, self.wraps = 1 << bits, overflow == "wrap"
        self.bottom = -(self.size // 2) + (overflow == "symmetric")
        self.top = self.size // 2 - 1

    def keep(self, value: Ints) -> tuple[Ints, Ints]:
        """Return what is kept of ``value``, and 1 where that is something else."""
        if self.wraps:
            kept = np.mod(value - self.bottom, self.size) + self.bottom
        else:
            kept = np.where(value < self.bottom, self.bottom, np.where(value > self.top, self.top, value))
        return kept, (kept != value).astype(np.int64)


class Neurons:
    """A layer: with theta among its fields it spikes, with i_bits it has a synaptic current.

    Args:
        fields: The node's fields as its NIR metadata names them.
        shape: Shape of the layer.
    """

    def __init__(self, fields: dict[str, Any], shape: tuple[int, ...]) -> None:
        self.shape, self.fields = shape, fields
        self.bits, self.input_shift = int(fields["decay_bits"]), int(fields["input_shift"])
        self.quotients = {tensor: Quotient(fields, tensor, shape) for tensor in "VIxi"}
        self.v_register = Register(int(fields["u_bits"]), str(fields["overflow"]))
        self.decay = self.constant("decay")
        self.bias = self.constant("bias") if fields.get("bias") is not None else np.zeros(shape, np.int64)
        self.v_min = self.constant("v_min") if fields.get("v_min") is not None else None
        self.synaptic, self.spiking = "i_bits" in fields, "theta" in fields
        if self.synaptic:
            self.i_register = Register(int(fields["i_bits"]), str(fields["overflow"]))
            self.i_decay, self.i_shift = self.constant("i_decay"), int(fields["i_shift"])
            self.old_current = str(fields["order"]) == "potential_first"
        if self.spiking:
            self.theta, self.reset_value = self.constant("theta"), self.constant("reset_value")
            self.rule, self.late = str(fields["reset"]), int(fields["reset_delay"]) == 1
            self.most = int(fields["most_spikes"])
        self.reset()

    def constant(self, name: str) -> Ints:
        """Return a constant of every neuron: given once, per channel or per neuron."""
        value = np.asarray(self.fields[name], dtype=np.int64)
        if value.ndim == 1 and value.size > 1:
            value = value.reshape(-1, *[1] * (len(self.shape) - 1))
        return np.broadcast_to(value, self.shape)

    def reset(self) -> None:
        """Start a new sample: nothing is stored."""
        self.v = np.zeros(self.shape, np.int64)
        self.i = np.zeros(self.shape, np.int64)

    def step(self, x: Ints, t: int) -> tuple[Ints, dict[str, Ints]]:
        """Advance one timestep; return what is emitted, and the state with where overflow acted."""
        drive, state = self.on_grid(x, self.input_shift, "x", t), {}
        i_overflowed = np.zeros(self.shape, np.int64)
        if self.synaptic:
            before = self.i
            kept = self.quotients["I"].of(before * self.i_decay, self.bits, t)
            self.i, i_overflowed = self.i_register.keep(kept + drive)
            drive = self.on_grid(before if self.old_current else self.i, self.i_shift, "i", t)
            state["current"] = self.i
        h = self.quotients["V"].of(self.v * self.decay, self.bits, t) + drive + self.bias
        spikes = None
        if self.spiking:
            if self.late:
                h = self.after(h, self.spikes_of(self.v))
            spikes = self.spikes_of(h)
            if not self.late:
                h = self.after(h, spikes)
        if self.v_min is not None:
            h = np.where(h < self.v_min, self.v_min, h)
        self.v, v_overflowed = self.v_register.keep(h)
        state.update(potential=self.v, overflowed=v_overflowed | i_overflowed)
        return (self.v if spikes is None else spikes), state

    def on_grid(self, value: Ints, shift: int, tensor: str, t: int) -> Ints:
        """Return ``value * 2**shift``."""
        return value * (1 << shift) if shift >= 0 else self.quotients[tensor].of(value, -shift, t)

    def spikes_of(self, potential: Ints) -> Ints:
        """Return how many spikes a potential makes."""
        if self.most == 1:
            return np.where(potential < self.theta, 0, 1)
        spikes = np.zeros(self.shape, np.int64)
        for count in range(1, self.most + 1):
            reached = potential >= count * self.theta
            if not reached.any():
                break
            spikes[reached] = count
        return spikes

    def after(self, h: Ints, spikes: Ints) -> Ints:
        """Return what so many spikes leave of H."""
        if self.rule == "subtract":
            return h - spikes * self.theta
        return np.where(spikes > 0, self.reset_value if self.rule == "value" else 0, h)


def mixed(z: int) -> int:
    """Return the output function of SplitMix64."""
    for shift, factor in MIX:
        z = ((z ^ (z >> shift)) * factor) & WORD
    return z ^ (z >> 31)
