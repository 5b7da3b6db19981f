"""Candidates of one inference call, grouped by equal weights, whose sums they share."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spikequant.counter_rng import RandomKey
from spikequant_stdp.engine.contract import Candidate
from spikequant_stdp.engine.native_job import FormatsStruct, GroupStruct, Job, chance_bits, formats_struct
from spikequant_stdp.engine.parameters import Formats, Parameters, State
from spikequant_stdp.engine.quantize import quantized_theta, quantized_weights
from spikequant_stdp.engine.sums import FLOAT32_EXACT

Chances = Callable[[Job, int, int], NDArray[np.float32]]
_Key = tuple[float | None, bytes]


class Groups:
    """What ``stdp_infer`` reads.

    Attributes:
        order: Index of each candidate, in the order of the groups.
    """

    def __init__(self, p: Parameters, candidates: Sequence[Candidate], job: Job, chances: Chances) -> None:
        """``chances(job, key, bits)`` makes the random numbers of stochastic rounding."""
        self._job, self._chances = job, chances
        self._tables: dict[tuple[int, int], NDArray[np.float32]] = {}
        members = _members(candidates)
        self.order = [index for indices in members.values() for index in indices]
        potentials = np.stack([_firing(p, *candidates[index]) for index in self.order])
        self._potentials = job.padded_rows(potentials, np.inf)
        self._formats = (FormatsStruct * len(candidates))(*(self._struct(p, candidates[i][0]) for i in self.order))
        self._structs = (GroupStruct * len(members))()
        for struct, ((step, _), indices) in zip(self._structs, members.items(), strict=True):
            w = quantized_weights(*_weights(candidates[indices[0]]))
            struct.w = job.keep(job.padded_rows(w))
            struct.is_wide = step is not None and _largest_sum(w, step) >= FLOAT32_EXACT
            struct.candidates = len(indices)

    def __len__(self) -> int:
        return len(self._structs)

    def counting_into(self, counts: NDArray[np.int32]) -> ctypes.Array[GroupStruct]:
        """Return the groups, with ``counts`` of shape ``(candidates, n, neurons)`` to write to, in ``order``."""
        first = 0
        for struct in self._structs:
            struct.formats = ctypes.addressof(self._formats) + first * ctypes.sizeof(FormatsStruct)
            struct.potential = self._potentials[first:].ctypes.data
            struct.counts = counts[first:].ctypes.data
            first += struct.candidates
        return self._structs

    def _struct(self, p: Parameters, formats: Formats) -> FormatsStruct:
        struct = formats_struct(p, formats)
        bits = chance_bits(formats)
        if bits is not None:
            which = (RandomKey(formats.seed, "V").root, bits)
            if which not in self._tables:
                self._tables[which] = self._chances(self._job, *which)
            struct.chance = self._tables[which].ctypes.data
        return struct


def _members(candidates: Sequence[Candidate]) -> dict[_Key, list[int]]:
    groups: dict[_Key, list[int]] = {}
    for index, (formats, state) in enumerate(candidates):
        key = (formats.w.step if formats.w else None, quantized_weights(formats, state.w).tobytes())
        groups.setdefault(key, []).append(index)
    return groups


def _weights(candidate: Candidate) -> tuple[Formats, NDArray[np.float32]]:
    return candidate[0], candidate[1].w


def _largest_sum(w: NDArray[np.float32], step: float) -> float:
    return float((np.abs(w, dtype=np.float64).sum(axis=0) / step).max())


def _firing(p: Parameters, formats: Formats, state: State) -> NDArray[np.float64]:
    """Potential at which each neuron fires: a float32 sum, or exact where thresholds are quantized."""
    theta = quantized_theta(p, formats, state.theta)
    return (theta + theta.dtype.type(p.threshold)).astype(np.float64)
