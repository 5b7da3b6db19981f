"""Starting weights and thresholds scaled to the data, layer by layer, as LSUV does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikequant.errors import UsageError
from spikequant_decolle.dynamics import Dynamics
from spikequant_decolle.layer import DecolleLayer
from spikequant_decolle.model import DecolleModel
from spikequant_decolle.parameters import Formats

LOOKS = 8
"""Timesteps of a recording whose potentials count."""


@dataclass(frozen=True)
class Start:
    """What the first epoch starts from.

    Source: Mishkin and Matas 2016 (LSUV): a layer's weights are scaled so that its output has unit variance, before
    the next layer's are.

    Args:
        std: Of the weighted sums of a layer.
        rate: Share of timesteps in which a pooled neuron is to fire: thresholds are so high. Windows are taken for
            independent, and the refractory state for zero, so that the rates found are near it only.

    Raises:
        ValueError: One is outside its range.
    """

    std: float = 1.0
    rate: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"start_std is {self.std}; it must be positive")
        if not 0 < self.rate < 1:
            raise ValueError(f"start_rate is {self.rate}; it must be between 0 and 1")


@torch.no_grad()
def scale_to_data(model: DecolleModel, x: Tensor, start: Start) -> None:
    """Scale weights and set thresholds of all layers in place, in floats, whatever the model's precision is.

    Args:
        model: Its weights are as drawn.
        x: Some recordings ``(timesteps, batch, *shape)``.
        start: The aims.

    Raises:
        UsageError: Nothing reaches a layer.
    """
    looks = _looks(len(x), model.reading.burn_in)
    inputs: Sequence[Tensor] = list(x)
    for index, layer in enumerate(model.layers):
        dynamics = Dynamics(layer, index, model.constants, Formats(), layer.w, 1)
        sums = _sums(dynamics, inputs, looks)
        spread = float(sums.std())
        if not spread > 0:
            raise UsageError(
                f"layer {index + 1} gets no spikes from the first recordings, so its weights cannot be scaled;"
                " look at the data set's frames, give more timesteps (each layer answers one later), or raise"
                " learner.start_rate"
            )
        layer.w.mul_(start.std / spread)
        sums.mul_(start.std / spread)
        quiet = (1.0 - start.rate) ** (1.0 / layer.plan.pool**2)
        layer.v_th.copy_(_quantile(sums, quiet))
        inputs = _spikes(Dynamics(layer, index, model.constants, Formats(), layer.w, 1), inputs)


def _looks(steps: int, burn_in: int) -> set[int]:
    """Return timesteps spread evenly behind ``burn_in``."""
    first = min(burn_in, steps - 1)
    count = min(LOOKS, steps - first)
    return {first + (k * (steps - first)) // count for k in range(count)}


def _sums(dynamics: Dynamics, inputs: Sequence[Tensor], looks: set[int]) -> Tensor:
    """Return weighted sums ``(features, looks * batch * places)``."""
    state = dynamics.start(len(inputs[0]), inputs[0].device)
    found = []
    for t, s in enumerate(inputs):
        p = dynamics.trace(state, _shaped(s, dynamics.layer), t)
        if t in looks:
            found.append(dynamics.drive(p).transpose(0, 1).flatten(1))
    return torch.cat(found, 1)


def _spikes(dynamics: Dynamics, inputs: Sequence[Tensor]) -> list[Tensor]:
    state = dynamics.start(len(inputs[0]), inputs[0].device)
    found = []
    for t, s in enumerate(inputs):
        drive = dynamics.drive(dynamics.trace(state, _shaped(s, dynamics.layer), t))
        found.append(dynamics.layer.pooled(dynamics.fire(state, drive, t)[1]).to(torch.uint8))
    return found


def _shaped(s: Tensor, layer: DecolleLayer) -> Tensor:
    return s.reshape(len(s), *layer.in_shape).float()


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return of each row the value that ``share`` of it do not exceed."""
    count = values.shape[1]
    return values.kthvalue(min(max(round(share * count), 1), count), dim=1).values
