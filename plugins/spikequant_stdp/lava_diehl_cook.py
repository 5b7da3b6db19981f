"""Diehl-Cook neurons for an interpreter that has NumPy and nothing else.

Written from the specification and not from the node's own step, so that one checks the other: the potential
is kept as its distance to rest, H is put together in parts of one lattice, and roundings are divisions.
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


class Register:
    """A fixed-point register: value = code / 2**frac, with one rounding and one overflow rule.

    Args:
        fields: The neuron's fields.
        prefix: ``v`` or ``g``, before the fields of its format.
    """

    def __init__(self, fields: dict[str, Any], prefix: str) -> None:
        whole, frac = int(fields[f"{prefix}_int_bits"]), int(fields[f"{prefix}_frac_bits"])
        self.one = 1 << frac
        self.top = (1 << (whole + frac)) - 1
        self.bottom = -self.top - 1 if fields[f"{prefix}_signed"] else 0
        self.rounding = str(fields["rounding"])
        self.wraps = str(fields["overflow"]) == "wrap"
        self.seed = int(fields["seed"])
        self.tensor = prefix.upper() if prefix == "v" else prefix

    def code(self, value: Ints, unit: int, t: int) -> tuple[Ints, Ints]:
        """Return the codes of ``value / unit``, ``unit`` a multiple of ``one``, and 1 where overflow changed one."""
        codes, rest = np.divmod(value, unit // self.one)
        if self.rounding == "RN":
            codes = codes + (2 * rest >= unit // self.one)
        elif self.rounding == "SR":
            chance = uniform(self.seed, self.tensor, t, value.size).reshape(value.shape)
            codes = codes + (chance < rest / (unit // self.one))
        if self.wraps:
            kept = np.mod(codes - self.bottom, self.top - self.bottom + 1) + self.bottom
        else:
            kept = np.minimum(np.maximum(codes, self.bottom), self.top)
        return kept, (kept != codes).astype(np.int64)


class Neurons:
    """A population of Diehl-Cook neurons.

    Args:
        fields: The node's fields as its NIR metadata names them.
        shape: Shape of the population.
    """

    def __init__(self, fields: dict[str, Any], shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.rest, self.reset_to = int(fields["rest"]), int(fields["reset"])
        self.refractory, self.one_spike = int(fields["refractory"]), bool(fields["one_spike"])
        self.decay, self.decay_unit = int(fields["decay"]), 1 << int(fields["decay_shift"])
        self.x_unit = 1 << int(fields["x_frac_bits"])
        self.threshold = np.broadcast_to(_squeezed(fields["vth"]), shape)
        self.threshold_unit = 1 << int(fields["vth_frac_bits"])
        self.v = Register(fields, "v")
        self.with_g = str(fields["synapse"]) == "conductance"
        if self.with_g:
            self.g = Register(fields, "g")
            self.g_decay, self.e_exc = int(fields["g_decay"]), int(fields["e_exc"])
            self.g_unit, self.inhibition = 1 << int(fields["g_shift"]), int(fields["inhibition"])
            self.count_unit = 1 << int(fields["count_bit"])
        self.reset()

    def reset(self) -> None:
        """Start a new sample: all at rest."""
        self.above_rest = np.zeros(self.shape, np.int64)
        self.waiting = np.zeros(self.shape, np.int64)
        self.conductance = np.zeros(self.shape, np.int64)
        self.clipped = np.zeros(self.shape, np.int64)

    def step(self, x: Ints, t: int) -> tuple[Ints, dict[str, Ints]]:
        """Advance one timestep; return the spikes, and the state as stored with where overflow acted."""
        rest = self.rest * self.v.one
        unit = self.v.one * max(self.decay_unit, self.g.one * self.g_unit if self.with_g else 1)
        if not self.with_g:
            unit = max(unit, self.x_unit)
        arriving = self._conducted(x, t, unit) if self.with_g else x * (unit // self.x_unit)
        h = self.above_rest * (unit // self.v.one // self.decay_unit * self.decay)
        h = h + np.where(self.waiting > 0, 0, arriving) + self.rest * unit
        potential, overflowed = self.v.code(h, unit, t)
        common = max(self.v.one, self.threshold_unit)
        reached = potential * (common // self.v.one) >= self.threshold * (common // self.threshold_unit)
        potential[reached] = self.reset_to * self.v.one
        self.waiting = np.where(self.waiting > 0, self.waiting - 1, 0)
        self.waiting[reached] = self.refractory
        self.above_rest = potential - rest
        spikes = np.zeros(self.shape, np.int64)
        if self.one_spike:
            spikes.flat[np.flatnonzero(reached)[:1]] = 1
        else:
            spikes[reached] = 1
        state = {"potential": potential, "refractory": self.waiting.copy()}
        if self.with_g:
            state["conductance"] = self.conductance.copy()
            overflowed = overflowed | self.clipped
        return spikes, state | {"overflowed": overflowed}

    def _conducted(self, x: Ints, t: int, unit: int) -> Ints:
        """Return what synapses and inhibitors add to the potential, in parts of ``1 / unit``; renew g."""
        excitation = np.mod(x + self.count_unit // 2, self.count_unit) - self.count_unit // 2
        inhibitors = (excitation - x) // self.count_unit
        g_unit = max(self.g.one * self.decay_unit, self.x_unit)
        kept = self.conductance * (g_unit // (self.g.one * self.decay_unit) * self.g_decay)
        self.conductance, self.clipped = self.g.code(kept + excitation * (g_unit // self.x_unit), g_unit, t)
        force = (self.e_exc - self.rest) * self.v.one - self.above_rest
        pulled = self.conductance * force * (unit // (self.g.one * self.v.one * self.g_unit))
        return pulled - inhibitors * (self.inhibition * unit)


def uniform(seed: int, tensor: str, draw: int, count: int) -> NDArray[np.float64]:
    """Return number 0 to ``count - 1`` in [0, 1) of the stream (seed, tensor, draw): SplitMix64 over a counter."""
    start = _mixed(seed & WORD)
    start = _mixed(start ^ int.from_bytes(hashlib.blake2b(tensor.encode(), digest_size=8).digest(), "little"))
    start = _mixed((start + GOLDEN * (draw + 1)) & WORD)
    numbers = [_mixed((start + GOLDEN * (i + 1)) & WORD) >> 11 for i in range(count)]
    return np.array(numbers, dtype=np.float64) / float(1 << 53)


def _mixed(z: int) -> int:
    for shift, factor in MIX:
        z = ((z ^ (z >> shift)) * factor) & WORD
    return z ^ (z >> 31)


def _squeezed(values: Any) -> Ints:
    """Return a constant without the axis that a scalar gets in metadata."""
    array = np.asarray(values, dtype=np.int64)
    return array.reshape(()) if array.size == 1 else array
