"""Drift: where, when and how far the integer model of a run parts from its float model, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikequant.dataset import Split
from spikequant.drift_results import Divergence, Drift, LayerDrift, Rates, SpikeDrift, StateDrift
from spikequant.errors import ContractError, UsageError
from spikequant.model import Model, States, as_input
from spikequant.runs import RunFolder, load_data, load_model
from spikequant.runs.exact_torch import exact_torch

Array = NDArray[Any]
SAMPLES = 100
MOST_BYTES = 1 << 28
"""States of both models that are in memory at a time; what is made of them takes a few times as much."""


def drift_of_run(
    folder: RunFolder,
    *,
    samples: int | None = SAMPLES,
    data_dir: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Drift:
    """Compare the float and the integer model of a complete run on its test samples.

    Args:
        folder: The run.
        samples: Only the first ones; all for ``None``.
        data_dir: Where data sets lie.
        progress: Called with samples done and samples in all.

    Raises:
        RunError: The run is not complete, or it trained no float model.
        DataError: The data are not there.
        UsageError: The model does not show its states.
    """
    if folder.recipe().training.float_epochs == 0:
        raise UsageError(f"the run in {folder.path} trained no float model (training.float_epochs is 0); train one")
    models = load_model(folder, precision="float"), load_model(folder, precision="integer")
    _, test = load_data(folder.recipe(), data_dir)
    with exact_torch(threads=1):
        return drift(*models, test.head(samples), progress)


def drift(
    expected: Model, got: Model, data: Split, progress: Callable[[int, int], None] = lambda done, total: None
) -> Drift:
    """Compare two models of one network, the first of which counts as right.

    Args:
        expected: By custom the model in floats.
        got: By custom the model in integers.
        data: Samples and labels; they run in batches whose states fit the memory.
        progress: Called with samples done and samples in all.

    Raises:
        UsageError: There is no sample, or a model does not show its states.
        ContractError: The models' states have different names or shapes.
    """
    if not len(data):
        raise UsageError("there is no sample to compare on; give at least one")
    layers: dict[str, _Layer] = {}
    right, changed, steps, start, size = [0, 0], 0, 0, 0, 1
    while start < len(data):
        stop = min(start + size, len(data))
        x, y = as_input(data.x[start:stop], expected.device), data.y[start:stop]
        states = expected.states(x), got.states(x.to(got.device))
        steps = _add(layers, *states, start)
        size = max(1, min(len(data), MOST_BYTES * (stop - start) // max(1, sum(map(_bytes, states)))))
        classes = expected.predict(x), got.predict(x.to(got.device))
        right = [right[i] + int(np.count_nonzero(classes[i] == y)) for i in (0, 1)]
        changed += int(np.count_nonzero(classes[0] != classes[1]))
        progress(stop, len(data))
        start = stop
    found = tuple(layer.result(name, len(data) * steps) for name, layer in layers.items())
    return Drift(len(data), steps, found, right[0] / len(data), right[1] / len(data), changed)


def earth_movers_distance(a: Array, b: Array, unit: int = 1) -> float:
    """Return the 1-Wasserstein distance of two samples of equal size: the mean distance of values of equal rank.

    Args:
        a: Values; counts as integers are divided only once, so that the result is the float next to it.
        b: As many.
        unit: What values are divided by.

    >>> earth_movers_distance(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0]))
    5.0
    >>> earth_movers_distance(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    0.0
    """
    if a.size != b.size:
        raise UsageError(f"samples have {a.size} and {b.size} values; this distance compares equally many")
    apart = np.abs(np.sort(a, axis=None) - np.sort(b, axis=None))
    return float(apart.sum() / (a.size * unit)) if a.size else 0.0


@dataclass
class _State:
    """Sums over the batches of one state variable."""

    total: float = 0.0
    values: int = 0
    largest: float = 0.0
    relative: float | None = None

    def add(self, a: Array, b: Array, threshold: Array | None) -> None:
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        self.total += float(apart.sum())
        self.values += apart.size
        self.largest = max(self.largest, float(apart.max(initial=0.0)))
        if threshold is not None:
            self.relative = (self.relative or 0.0) + float((apart / np.abs(threshold)).sum())

    def result(self) -> StateDrift:
        values = max(1, self.values)
        relative = None if self.relative is None else self.relative / values
        return StateDrift(self.total / values, self.largest, relative)


@dataclass
class _Layer:
    """Sums over the batches of one layer."""

    compared: int = 0
    differing: int = 0
    first: Divergence | None = None
    fired: list[NDArray[np.int64]] = field(default_factory=list)
    states: dict[str, _State] = field(default_factory=dict)

    def add_spikes(self, a: Array, b: Array, start: int) -> None:
        unequal = a != b
        self.compared += a.size
        self.differing += int(np.count_nonzero(unequal))
        fired = [array.sum(axis=(0, 1), dtype=np.int64).reshape(-1) for array in (a, b)]
        self.fired = [old + new for old, new in zip(self.fired or (0, 0), fired, strict=True)]
        if not unequal.any():
            return
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(unequal)), a.shape))
        if self.first is None or at[0] < self.first.timestep:  # an earlier batch has the lower samples
            self.first = Divergence(at[0], at[1] + start, at[2:], int(a[at]), int(b[at]))

    def result(self, name: str, places: int) -> LayerDrift:
        states = {variable: state.result() for variable, state in self.states.items()}
        if not self.fired:
            return LayerDrift(name, None, states)
        rates = [fired / places for fired in self.fired]
        spikes = SpikeDrift(
            self.compared,
            self.differing,
            int(self.fired[0].sum()),
            int(self.fired[1].sum()),
            self.first,
            earth_movers_distance(self.fired[0], self.fired[1], places),
            Rates.of(rates[0]),
            Rates.of(rates[1]),
        )
        return LayerDrift(name, spikes, states)


def _add(layers: dict[str, _Layer], expected: States, got: States, start: int) -> int:
    """Add a batch whose first sample has the number ``start``; return its timesteps."""
    steps = 0
    for name, a, b in _pairs(expected.spikes, got.spikes):
        layers.setdefault(name, _Layer()).add_spikes(a, b, start)
        steps = len(a)
    for name, a, b in _pairs(expected.potentials, got.potentials):
        node, _, variable = name.partition(".")
        state = layers.setdefault(node, _Layer()).states.setdefault(variable or "potential", _State())
        state.add(a, b, None if variable else _threshold(expected.thresholds.get(node), a.ndim - 2))
        steps = len(a)
    return steps


def _pairs(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> list[tuple[str, Array, Array]]:
    shapes = [{name: tuple(value.shape) for name, value in states.items()} for states in (a, b)]
    if shapes[0] != shapes[1]:
        raise ContractError(f"the two precisions show different states, {shapes[0]} and {shapes[1]}; states() is wrong")
    return [(name, a[name].detach().cpu().numpy(), b[name].detach().cpu().numpy()) for name in a]


def _threshold(value: Tensor | None, axes: int) -> Array | None:
    """Return a threshold that broadcasts over (timesteps, batch, *shape); ``None`` where there is none to divide by."""
    if value is None:
        return None
    array = value.detach().cpu().double().numpy()
    if not (np.isfinite(array).all() and array.all()):
        return None
    return array if array.ndim in (0, axes) else array.reshape(-1, *(1,) * (axes - 1))


def _bytes(states: States) -> int:
    return sum(t.numel() * t.element_size() for group in (states.spikes, states.potentials) for t in group.values())
