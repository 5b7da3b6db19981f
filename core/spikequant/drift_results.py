"""What a comparison of precisions found, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError

METRICS = ("spikes", "emd", "potential", "classes", "accuracy")


@dataclass(frozen=True)
class Divergence:
    """The first spike that differs: lowest timestep, then sample, then element."""

    timestep: int
    sample: int
    element: tuple[int, ...]
    expected: int
    got: int

    def __str__(self) -> str:
        return f"t {self.timestep}, sample {self.sample}, {self.element}: {self.expected} became {self.got}"


@dataclass(frozen=True)
class Rates:
    """Spikes per timestep and sample of a layer's neurons: smallest, quartiles, largest, and their mean."""

    quartiles: tuple[float, ...]
    mean: float

    @classmethod
    def of(cls, rates: NDArray[np.floating[Any]]) -> Rates:
        """Return the summary of one rate per neuron."""
        return cls(tuple(float(q) for q in np.quantile(rates, [0, 0.25, 0.5, 0.75, 1])), float(rates.mean()))


@dataclass(frozen=True)
class SpikeDrift:
    """A layer's spikes in both models.

    Attributes:
        compared: Places: timesteps x samples x neurons.
        differing: Places where the two differ.
        expected: Spikes of the float model.
        got: Spikes of the integer model.
        first: The first difference.
        emd: Earth mover's distance of the distributions of firing rates over neurons, in spikes per timestep.
        rates_expected: Of the float model.
        rates_got: Of the integer model.
    """

    compared: int
    differing: int
    expected: int
    got: int
    first: Divergence | None
    emd: float
    rates_expected: Rates
    rates_got: Rates

    @property
    def share(self) -> float:
        """Share of all places that differ."""
        return self.differing / max(1, self.compared)


@dataclass(frozen=True)
class StateDrift:
    """Distance of a state variable in both models.

    Attributes:
        mean: Mean absolute difference, in real units.
        largest: Largest one.
        relative: The mean as a share of the threshold, where that is known.
    """

    mean: float
    largest: float
    relative: float | None


@dataclass(frozen=True)
class LayerDrift:
    """One layer: its spikes, unless it puts out none, and its state variables by name."""

    name: str
    spikes: SpikeDrift | None
    states: Mapping[str, StateDrift]


@dataclass(frozen=True)
class Drift:
    """Float model against integer model.

    Attributes:
        samples: Compared on.
        timesteps: Of each.
        layers: In the order of the network.
        accuracy_float: Of the float model on these samples.
        accuracy_integer: Of the integer model.
        changed: Samples that the two put into different classes.
    """

    samples: int
    timesteps: int
    layers: tuple[LayerDrift, ...]
    accuracy_float: float
    accuracy_integer: float
    changed: int

    def metric(self, name: str) -> tuple[float, str]:
        """Return one figure of :data:`METRICS` and the layer that has it, the worst; empty for the whole network.

        ``spikes``: largest share of spikes that differ; ``emd``: largest distance of firing rates; ``potential``:
        largest mean distance of potentials, as a share of the threshold; ``classes``: share of samples whose class
        differs; ``accuracy``: loss of accuracy, 0 to 1.

        Raises:
            UsageError: There is no such figure, or no layer has it.
        """
        if name == "classes":
            return self.changed / self.samples, ""
        if name == "accuracy":
            right = (round(accuracy * self.samples) for accuracy in (self.accuracy_float, self.accuracy_integer))
            return max(0, next(right) - next(right)) / self.samples, ""  # 0.96 - 0.95 is above 0.01 in floats
        if name not in METRICS:
            raise UsageError(f"'{name}' is no figure of drift; choose one of {', '.join(METRICS)}")
        found = [(value, layer.name) for layer in self.layers if (value := _figure(layer, name)) is not None]
        if not found:
            raise UsageError(f"no layer of this network has the figure '{name}'; choose another")
        return max(found, key=lambda pair: (math.isnan(pair[0]), pair[0]))

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        layers = [
            {**asdict(layer), "spikes": {**asdict(layer.spikes), "share": layer.spikes.share} if layer.spikes else None}
            for layer in self.layers
        ]
        return {**{key: value for key, value in vars(self).items() if key != "layers"}, "layers": layers}


def _figure(layer: LayerDrift, name: str) -> float | None:
    if name == "potential":
        return layer.states["potential"].relative if "potential" in layer.states else None
    if layer.spikes is None:
        return None
    return layer.spikes.share if name == "spikes" else layer.spikes.emd
