"""From layer descriptions to named stages with weights and neurons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikequant.errors import UsageError
from spikequant.layers import ConvLayer, DenseLayer, FlattenLayer, Layer, PoolSumLayer, ReadoutLayer, ResidualLayer
from spikequant.model.model import InputCoding, NeuronFactory
from spikequant.model.residual import IdentityLayer, ProjectedLayer
from spikequant.model.weighted_layer import WeightedLayer
from spikequant.neuron import SteppedNeuron
from spikequant.program import Shape
from spikequant.program.shapes import window_count

FLOAT32_BITS = 21
"""Widest potential that float32 layers add to their sums, see ``weighted_layer.py``."""


@dataclass(frozen=True)
class Joint:
    """Names of the nodes that bring a shortcut and add it."""

    shortcut: str
    add: str


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of a model: a layer's description, its node names, and its parts.

    A residual block is two: the first ``opens`` it, its input being the block's, and the second has the ``joint``.
    """

    layer: Layer
    name: str
    shape: Shape
    weights: WeightedLayer | None = None
    neuron: SteppedNeuron | None = None
    neuron_name: str = ""
    opens: bool = False
    joint: Joint | None = None


def make_stages(layers: tuple[Layer, ...], neuron: NeuronFactory, coding: InputCoding) -> tuple[Stage, ...]:
    """Walk the layers with the shape, scale and peak of the value between them, and name each node."""
    shape, x_scale, peak = coding.shape, 1.0 / coding.peak, (1 << coding.bits) - 1
    seen: dict[str, int] = {}

    def named(kind: str) -> str:
        seen[kind] = seen.get(kind, 0) + 1
        return f"{kind}{seen[kind]}"

    stages: list[Stage] = []
    for layer in layers:
        if isinstance(layer, (DenseLayer, ConvLayer)):
            name, weights, shape = _weights(layer, named, shape, x_scale, peak)
            stages.append(Stage(layer, name, shape, weights, _stepped(neuron), named("lif")))
            x_scale, peak = 1.0, 1
        elif isinstance(layer, ResidualLayer):
            if (x_scale, peak) != (1.0, 1):
                raise UsageError(
                    f"a residual block follows values up to {peak}; it takes spikes, so put neurons before it"
                )
            stages.extend(_block(layer, named, shape, neuron))
            shape = stages[-1].shape
        elif isinstance(layer, ReadoutLayer):
            dense = DenseLayer(layer.classes)
            name, weights, shape = _weights(dense, named, shape, x_scale, peak)
            stages.append(Stage(layer, name, shape, weights))
        elif isinstance(layer, FlattenLayer):
            shape = (int(np.prod(shape)),)
            stages.append(Stage(layer, named("flatten"), shape))
        else:
            area = layer.kernel**2 if isinstance(layer, PoolSumLayer) else 1
            x_scale, peak = x_scale / area, peak * area
            shape = (shape[0], shape[1] // layer.kernel, shape[2] // layer.kernel)
            stages.append(Stage(layer, named("pool"), shape))
    return tuple(stages)


def _block(
    layer: ResidualLayer, named: Callable[[str], str], shape: Shape, neuron: NeuronFactory
) -> tuple[Stage, Stage]:
    """Return both halves of a residual block over spikes of ``shape``."""
    first = ConvLayer(layer.channels, stride=layer.stride, batch_norm=True)
    name, weights, inner = _weights(first, named, shape, 1.0, 1)
    opening = Stage(first, name, inner, weights, _stepped(neuron), named("lif"), opens=True)
    stays = inner == shape
    joined = (
        IdentityLayer(layer.channels) if stays else ProjectedLayer(inner[0], shape[0], layer.channels, layer.stride)
    )
    joint = Joint(named("shortcut"), named("add"))
    return opening, Stage(layer, named("conv"), inner, joined, _stepped(neuron), named("lif"), joint=joint)


def _stepped(make: NeuronFactory) -> SteppedNeuron:
    neuron = make()
    if not isinstance(neuron, SteppedNeuron):
        raise UsageError(
            f"neuron '{neuron.name}' cannot stand in a chain of layers; choose another neuron, or the network it is for"
        )
    return neuron


def _weights(
    layer: DenseLayer | ConvLayer, named: Callable[[str], str], shape: Shape, x_scale: float, peak: int
) -> tuple[str, WeightedLayer, Shape]:
    if isinstance(layer, DenseLayer):
        if len(shape) != 1:
            raise UsageError(f"a dense layer follows a value of shape {shape}; put a FlattenLayer before it")
        weights = WeightedLayer(
            (layer.features, shape[0]), x_scale=x_scale, peak=peak, batch_norm=layer.batch_norm, bias=True
        )
        return named("fc"), weights, (layer.features,)
    if len(shape) != 3:
        raise UsageError(f"a conv layer follows a value of shape {shape}; it needs (channels, height, width)")
    weights = WeightedLayer(
        (layer.channels, shape[0], layer.kernel, layer.kernel),
        x_scale=x_scale,
        peak=peak,
        batch_norm=layer.batch_norm,
        bias=True,
        stride=layer.stride,
        padding=layer.padding,
    )
    height, width = (window_count(size, layer.kernel, layer.stride, layer.padding) for size in shape[1:])
    return named("conv"), weights, (layer.channels, height, width)
