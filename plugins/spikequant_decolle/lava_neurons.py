"""DECOLLE's neurons for an interpreter that has NumPy and nothing else.

Written from the specification and not from the node's own step, so that one checks the other: sums are put
together in parts of one lattice, roundings are divisions with a rest, and SR compares how many of the 2**53
possible draws round up. The register is that of ``lava_trace.py``: each of these files travels alone.
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


class Register:
    """A fixed-point register: value = code / one, with one rounding and one overflow rule.

    Args:
        fields: The node's fields.
        tensor: ``V`` or ``R``: its letter in the fields of its format, and the name of its random numbers.
        size: How many elements it has.
    """

    def __init__(self, fields: dict[str, Any], tensor: str, size: int) -> None:
        whole, frac = (int(fields[f"{tensor.lower()}_{part}_bits"]) for part in ("int", "frac"))
        self.one = 1 << frac
        self.top = (1 << (whole + frac)) - 1
        self.bottom = -self.top - 1 if fields[f"{tensor.lower()}_signed"] else 0
        self.rounding, self.wraps = str(fields["rounding"]), str(fields["overflow"]) == "wrap"
        digest = int.from_bytes(hashlib.blake2b(tensor.encode(), digest_size=8).digest(), "little")
        self.root = mixed(mixed(int(fields["seed"]) & WORD) ^ digest)
        self.counters = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(GOLDEN)

    def code(self, value: Ints, unit: int, t: int) -> tuple[Ints, Ints]:
        """Return the codes of ``value / unit``, ``unit`` a multiple of ``one``, and 1 where overflow changed one."""
        step = unit // self.one
        codes, rest = np.divmod(value, step)
        if self.rounding == "RN":
            codes = codes + (rest >= step - rest)
        elif self.rounding == "SR":
            ups = rest * (DRAWS // step) if step <= DRAWS else -(-rest // (step // DRAWS))
            codes = codes + (self.draws(t).reshape(value.shape) < ups)
        if self.wraps:
            kept = np.mod(codes - self.bottom, self.top - self.bottom + 1) + self.bottom
        else:
            kept = np.minimum(np.maximum(codes, self.bottom), self.top)
        return kept, (kept != codes).astype(np.int64)

    def draws(self, t: int) -> Ints:
        """Return the numbers of timestep ``t``, 0 to 2**53 - 1 for each element: SplitMix64 over a counter."""
        z = self.counters + np.uint64(mixed((self.root + GOLDEN * (t + 1)) & WORD))
        for shift, factor in MIX:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        numbers: Ints = ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.int64)
        return numbers


class Neurons:
    """A layer of neurons with a refractory trace R.

    Args:
        fields: The node's fields as its NIR metadata names them.
        shape: Shape of the layer.
    """

    def __init__(self, fields: dict[str, Any], shape: tuple[int, ...]) -> None:
        self.shape = shape
        size = int(np.prod(shape))
        self.v, self.r = Register(fields, "V", size), Register(fields, "R", size)
        self.gamma, self.r_gain, self.rho = (int(fields[key]) for key in ("gamma", "r_gain", "rho"))
        shifts = (int(fields[key]) for key in ("gamma_shift", "rho_shift", "x_frac_bits"))
        self.gamma_unit, self.rho_unit, self.x_unit = (1 << shift for shift in shifts)
        vth = np.asarray(fields["vth"], dtype=np.int64)
        axes = [1] * len(shape) if vth.size == 1 else [-1] + [1] * (len(shape) - 1) if vth.ndim == 1 else shape
        self.threshold = vth.reshape(axes)
        self.reset()

    def reset(self) -> None:
        """Start a new sample: nobody is refractory."""
        self.r_codes = np.zeros(self.shape, np.int64)

    def step(self, x: Ints, t: int) -> tuple[Ints, dict[str, Ints]]:
        """Advance one timestep; return the spikes, and V and the new R with where overflow acted."""
        unit = max(self.x_unit, self.rho_unit * self.r.one, self.v.one)
        refractory = self.r_codes * (unit // (self.rho_unit * self.r.one) * self.rho)
        potential, v_over = self.v.code(x * (unit // self.x_unit) - refractory, unit, t)
        spikes = np.where(potential < self.threshold, 0, 1)
        kept = self.r_codes * self.gamma + spikes * (self.r.one * self.r_gain)
        self.r_codes, r_over = self.r.code(kept, self.r.one * self.gamma_unit, t)
        return spikes, {"potential": potential, "refractory": self.r_codes, "overflowed": v_over | r_over}


def mixed(z: int) -> int:
    """Return the output function of SplitMix64."""
    for shift, factor in MIX:
        z = ((z ^ (z >> shift)) * factor) & WORD
    return z ^ (z >> 31)
