"""The contract of a network architecture: from the shape of a sample to a model."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from spikequant.errors import ContractError
from spikequant.layers import (
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    Layer,
    PoolOrLayer,
    PoolSumLayer,
    ReadoutLayer,
    ResidualLayer,
)
from spikequant.model import InputCoding, Model, NeuronFactory, SpikingModel
from spikequant.program import Shape

__all__ = [
    "ConvLayer",
    "DenseLayer",
    "FlattenLayer",
    "Layer",
    "Network",
    "PoolOrLayer",
    "PoolSumLayer",
    "ReadoutLayer",
    "ResidualLayer",
]


class Network(ABC):
    """A family of architectures; options are keyword arguments of the constructor, with defaults.

    A chain of layers, residual blocks among them, writes :meth:`layers`; anything else builds its own
    :class:`~spikequant.Model` in :meth:`model`.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return the layers for samples of ``shape`` and a number of classes; the last is a readout."""
        raise ContractError(f"network '{self.name}' is no chain of layers; write layers(), or model() for another kind")

    def model(self, neuron: NeuronFactory, coding: InputCoding, classes: int, timesteps: int, *, seed: int) -> Model:
        """Return a model in floats; by default the chain of :meth:`layers`.

        Args:
            neuron: Makes the neurons, one call per layer.
            coding: What the model is fed.
            classes: Number of classes.
            timesteps: Number of steps T of one inference.
            seed: Key of everything random that stays with the model. Starting weights may also be drawn from
                torch's generator, which is set from it.

        Raises:
            UsageError: The neuron or the shape does not go with this network.
        """
        return SpikingModel(self.layers(coding.shape, classes), neuron, coding, timesteps)
