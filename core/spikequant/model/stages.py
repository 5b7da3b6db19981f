"""From layer descriptions to named stages with weights and neurons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikequant.errors import UsageError
from spikequant.layers import ConvLayer, DenseLayer, FlattenLayer, Layer, PoolSumLayer, ReadoutLayer
from spikequant.model.model import InputCoding, NeuronFactory
from spikequant.model.weighted_layer import WeightedLayer
from spikequant.neuron import SteppedNeuron
from spikequant.program import Shape
from spikequant.program.shapes import window_count

FLOAT32_BITS = 21
"""Widest potential that float32 layers add to their sums, see ``weighted_layer.py``."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of a model: a layer's description, its node names, and its parts."""

    layer: Layer
    name: str
    shape: Shape
    weights: WeightedLayer | None = None
    neuron: SteppedNeuron | None = None
    neuron_name: str = ""


def make_stages(layers: tuple[Layer, ...], neuron: NeuronFactory, coding: InputCoding) -> tuple[Stage, ...]:
    """Walk the layers with the shape, scale and peak of the value between them, and name each node."""
    shape, x_scale, peak = coding.shape, 1.0 / coding.peak, (1 << coding.bits) - 1
    seen: dict[str, int] = {}

    def named(kind: str) -> str:
        seen[kind] = seen.get(kind, 0) + 1
        return f"{kind}{seen[kind]}"

    stages = []
    for layer in layers:
        if isinstance(layer, (DenseLayer, ConvLayer)):
            name, weights, shape = _weights(layer, named, shape, x_scale, peak)
            stages.append(Stage(layer, name, shape, weights, _stepped(neuron), named("lif")))
            x_scale, peak = 1.0, 1
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
