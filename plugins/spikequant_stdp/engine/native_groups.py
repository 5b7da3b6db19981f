"""Candidates of one inference call, grouped by equal weights, whose sums they share."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spikequant.counter_rng import RandomKey
from spikequant_stdp.engine.contract import Candidate
from spikequant_stdp.engine.native_job import FormatsStruct, GroupStruct, Job, formats_struct
from spikequant_stdp.engine.parameters import Formats, Parameters, State
from spikequant_stdp.engine.quantize import quantized_theta, quantized_weights
from spikequant_stdp.engine.sums import FLOAT32_EXACT

Chances = Callable[[Job, int, int], NDArray[np.float32]]
CANDIDATES_A_CALL = 96
Weights = tuple[NDArray[np.float32], float | None]


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
        self.order = [index for _, indices in members for index in indices]
        potentials = np.stack([_firing(p, *candidates[index]) for index in self.order])
        self._potentials = job.padded_rows(potentials, np.inf)
        self._formats = (FormatsStruct * len(candidates))(*(self._struct(p, candidates[i][0]) for i in self.order))
        structs = [struct for weights, indices in members for struct in self._shared(*weights, len(indices))]
        self._structs = (GroupStruct * len(structs))(*structs)

    def calls(self, counts: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
        """Yield address and number of the groups of each call; no call has candidates whose state leaves the cache.

        Args:
            counts: To write to, shape ``(candidates, n, neurons)``, in ``order``.
        """
        first = start = begun = 0
        for number, struct in enumerate(self._structs):
            struct.formats = ctypes.addressof(self._formats) + first * ctypes.sizeof(FormatsStruct)
            struct.potential = self._potentials[first:].ctypes.data
            struct.counts = counts[first:].ctypes.data
            if first + struct.candidates - begun > CANDIDATES_A_CALL:
                yield ctypes.addressof(self._structs[start]), number - start
                start, begun = number, first
            first += struct.candidates
        yield ctypes.addressof(self._structs[start]), len(self._structs) - start

    def _shared(self, w: NDArray[np.float32], step: float | None, candidates: int) -> Iterator[GroupStruct]:
        """Yield groups of some candidates that have the same weights."""
        rows = self._job.keep(self._job.padded_rows(w))
        is_wide = step is not None and _largest_sum(w, step) >= FLOAT32_EXACT
        for first in range(0, candidates, CANDIDATES_A_CALL):
            yield GroupStruct(w=rows, is_wide=is_wide, candidates=min(CANDIDATES_A_CALL, candidates - first))

    def _struct(self, p: Parameters, formats: Formats) -> FormatsStruct:
        struct = formats_struct(p, formats)
        if struct.chance_bits:
            which = (RandomKey(formats.seed, "V").root, struct.chance_bits)
            if which not in self._tables:
                self._tables[which] = self._chances(self._job, *which)
            struct.chance = self._tables[which].ctypes.data
        return struct


def _members(candidates: Sequence[Candidate]) -> list[tuple[Weights, list[int]]]:
    """Return each different set of weights as it is used, the step of its grid, and the candidates that have it."""
    groups: dict[tuple[float | None, bytes], tuple[Weights, list[int]]] = {}
    rounded: dict[tuple[object, ...], tuple[float | None, bytes]] = {}
    for index, (formats, state) in enumerate(candidates):
        how = (id(state.w), formats.w, formats.rounding, formats.overflow, formats.seed)
        if how not in rounded:
            w, step = quantized_weights(formats, state.w), formats.w.step if formats.w else None
            rounded[how] = (step, w.tobytes())
            groups.setdefault(rounded[how], ((w, step), []))
        groups[rounded[how]][1].append(index)
    return list(groups.values())


def _largest_sum(w: NDArray[np.float32], step: float) -> float:
    return float(np.abs(w, dtype=np.float64).sum(axis=0).max()) / step


def _firing(p: Parameters, formats: Formats, state: State) -> NDArray[np.float64]:
    """Potential at which each neuron fires: a float32 sum, or exact where thresholds are quantized."""
    theta = quantized_theta(p, formats, state.theta)
    potential = theta + theta.dtype.type(p.threshold)
    return np.asarray(potential, dtype=np.float64)
