"""What calibration shows of a run: ranges, a sample of values, firing rates, and one sample's spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikequant import Observation
from spikequant_decolle.layer import DecolleLayer
from spikequant_decolle.names import layer_names
from spikequant_decolle.run import Seen

SHOWN = 4_000
"""Values kept of each variable, layer and part of a run."""
Floats = NDArray[np.floating[Any]]


class Observing:
    """Gathers what :func:`~spikequant_decolle.run.run` shows, without keeping it all."""

    def __init__(self, layers: Sequence[DecolleLayer]) -> None:
        self._layers = layers
        self._ends: dict[str, list[float]] = {name: [] for name in ("P", "Q", "R", "V")}
        self._values: dict[str, list[Floats]] = {name: [] for name in self._ends}
        self._counts: dict[str, Floats] = {}
        self._samples: dict[str, int] = {}
        self._raster: dict[str, list[NDArray[np.uint8]]] = {}
        self._batch = -1

    def next_batch(self) -> None:
        """Say that further samples follow."""
        self._batch += 1

    def __call__(self, seen: Seen) -> None:
        """Take what one layer did in some timesteps."""
        for name, values in (("P", seen.p), ("Q", seen.q), ("R", seen.r), ("V", seen.v)):
            self._ends[name] += [float(values.min()), float(values.max())]
            flat = values.flatten()
            self._values[name].append(flat[:: max(1, flat.numel() // SHOWN)].double().cpu().numpy())
        name = layer_names(seen.layer).neurons
        fires = seen.s.flatten(2)
        self._counts[name] = self._counts.get(name, 0) + fires.sum((0, 1)).double().cpu().numpy()
        if seen.start == 0:
            self._samples[name] = self._samples.get(name, 0) + fires.shape[1]
        if self._batch == 0:
            self._raster.setdefault(name, []).append(fires[:, 0].cpu().numpy().astype(np.uint8))

    def observation(self, weights: Sequence[Tensor]) -> Observation:
        """Return all of it, with the ranges of ``weights`` and of the thresholds, which share V's format."""
        thresholds = [float(end) for layer in self._layers for end in (layer.v_th.min(), layer.v_th.max())]
        ends = {**self._ends, "V": [*self._ends["V"], *thresholds]}
        ranges = {name: (min(values), max(values)) for name, values in ends.items()}
        flat = np.concatenate([w.double().flatten().cpu().numpy() for w in weights])
        values = {"w": flat, **{name: np.concatenate(parts) for name, parts in self._values.items()}}
        return Observation(
            {"w": (float(flat.min()), float(flat.max())), **ranges},
            values,
            {name: counts / self._samples[name] for name, counts in self._counts.items()},
            {name: np.concatenate(parts) for name, parts in self._raster.items()},
        )
