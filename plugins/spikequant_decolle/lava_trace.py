"""Traces P and Q for an interpreter that has NumPy and nothing else.

Written from the specification and not from the node's own step, so that one checks the other: sums are put
together in parts of one lattice, roundings are divisions with a rest, and SR compares how many of the 2**53
possible draws round up.
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
        tensor: ``P`` or ``Q``: its letter in the fields of its format, and the name of its random numbers.
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
    """The two traces of every input of a layer; P is put out.

    Args:
        fields: The node's fields as its NIR metadata names them.
        shape: Shape of the input.
    """

    def __init__(self, fields: dict[str, Any], shape: tuple[int, ...]) -> None:
        self.shape = shape
        size = int(np.prod(shape))
        self.p, self.q = Register(fields, "P", size), Register(fields, "Q", size)
        self.alpha, self.p_gain, self.alpha_unit = (int(fields[key]) for key in ("alpha", "p_gain", "alpha_shift"))
        self.beta, self.q_gain, self.beta_unit = (int(fields[key]) for key in ("beta", "q_gain", "beta_shift"))
        self.alpha_unit, self.beta_unit = 1 << self.alpha_unit, 1 << self.beta_unit
        self.reset()

    def reset(self) -> None:
        """Start a new sample: no trace of anything."""
        self.p_codes = np.zeros(self.shape, np.int64)
        self.q_codes = np.zeros(self.shape, np.int64)

    def step(self, x: Ints, t: int) -> tuple[Ints, dict[str, Ints]]:
        """Advance one timestep; return P, and both traces with where overflow acted."""
        finest = max(self.p.one, self.q.one)
        p_part, q_part = finest // self.p.one * self.alpha, finest // self.q.one * self.p_gain
        p_sum = self.p_codes * p_part + self.q_codes * q_part
        q_sum = self.q_codes * self.beta + x * (self.q.one * self.q_gain)
        self.p_codes, p_over = self.p.code(p_sum, finest * self.alpha_unit, t)
        self.q_codes, q_over = self.q.code(q_sum, self.q.one * self.beta_unit, t)
        state = {"potential": self.p_codes, "synaptic": self.q_codes, "overflowed": p_over | q_over}
        return self.p_codes, state


def mixed(z: int) -> int:
    """Return the output function of SplitMix64."""
    for shift, factor in MIX:
        z = ((z ^ (z >> shift)) * factor) & WORD
    return z ^ (z >> 31)
