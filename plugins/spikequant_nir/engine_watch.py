"""What a run of a network shows: every state for a comparison, or ranges, rates and samples of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from spikequant import Observation

SAMPLES = 100_000
"""Values of a quantity kept for its histogram."""


@dataclass(eq=False)
class Keeper:
    """Keeps what layers of neurons put out, and their states.

    Args:
        names: The layer of the graph behind each name that the engine reports.
        graded: Layers that put out their potential: no spikes.
        cuba: Layers with a current.
    """

    names: Mapping[str, str]
    graded: frozenset[str]
    cuba: frozenset[str]
    spikes: dict[str, list[Tensor]] = field(default_factory=dict)
    states: dict[str, list[Tensor]] = field(default_factory=dict)

    def __call__(self, reported: str, t: int, out: Tensor, state: Sequence[Tensor]) -> None:
        """Take one step of one layer."""
        name = self.names[reported]
        if name not in self.graded:
            self.spikes.setdefault(name, []).append(out)
        self.states.setdefault(name, []).append(state[0])
        if name in self.cuba:
            self.states.setdefault(f"{name}.current", []).append(state[1])


@dataclass(eq=False)
class Observer:
    """Keeps ranges, firing rates and a sample of values.

    Args:
        graded: As of :class:`Keeper`.
        cuba: Likewise.
        every: One step in so many gives values for the histograms.
    """

    graded: frozenset[str]
    cuba: frozenset[str]
    every: int = 1
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    values: dict[str, list[Tensor]] = field(default_factory=dict)
    counts: dict[str, Tensor] = field(default_factory=dict)
    raster: dict[str, list[Tensor]] = field(default_factory=dict)
    samples: int = 0
    first: bool = True

    def __call__(self, name: str, t: int, out: Tensor, state: Sequence[Tensor]) -> None:
        """Take one step of one layer."""
        self._saw("V", t, state[0])
        if name in self.cuba:
            self._saw("I", t, state[1])
        if name not in self.graded:
            summed = out.flatten(1).sum(0).double()
            self.counts[name] = self.counts[name] + summed if name in self.counts else summed
            if self.first:
                self.raster.setdefault(name, []).append(out[0].flatten().clamp(max=255).to(torch.uint8))

    def next_batch(self, samples: int) -> None:
        """Take note that a batch of so many samples is over; the raster shows the first sample of all."""
        self.samples += samples
        self.first = False

    def _saw(self, quantity: str, t: int, value: Tensor) -> None:
        low, high = (float(end) for end in value.aminmax())
        before = self.ranges.get(quantity, (low, high))
        self.ranges[quantity] = min(before[0], low), max(before[1], high)
        if t % self.every == 0:
            self.values.setdefault(quantity, []).append(thinned(value.flatten(), 1000))

    def observation(self, weights: Tensor) -> Observation:
        """Return what was seen, and the range of ``weights``."""
        values = {name: thinned(torch.cat(parts)) for name, parts in self.values.items()}
        ranges = {"w": (float(weights.min()), float(weights.max())), **self.ranges}
        return Observation(
            ranges,
            {name: value.double().cpu().numpy() for name, value in {"w": thinned(weights), **values}.items()},
            {name: (total / max(self.samples, 1)).cpu().numpy() for name, total in self.counts.items()},
            {name: np.stack([row.cpu().numpy() for row in rows]) for name, rows in self.raster.items()},
        )


def thinned(values: Tensor, most: int = SAMPLES) -> Tensor:
    """Return at most about ``most`` of the values, evenly spaced."""
    return values[:: max(1, len(values) // most)]
