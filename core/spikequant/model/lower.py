"""Lower a trained model to an integer program: the same integers that training computed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.layers import FlattenLayer, PoolOrLayer, PoolSumLayer
from spikequant.model.model import InputCoding
from spikequant.model.residual import ProjectedLayer, skip_codes
from spikequant.model.stages import FLOAT32_BITS, Stage
from spikequant.model.weighted_layer import Folded, WeightedLayer
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    IntArray,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Weighted,
)
from spikequant.program.nodes import FloatArray
from spikequant.quantizer import Quantizer


def lower_stages(
    stages: Sequence[Stage],
    coding: InputCoding,
    timesteps: int,
    *,
    dt: float,
    provenance: Mapping[str, Any] | None = None,
) -> Program:
    """Return the program of quantized stages.

    Args:
        stages: Of a model in the integer domain, on the device it was evaluated on.
        coding: What the model is fed.
        timesteps: Number of steps T.
        dt: Real duration of one timestep in seconds.
        provenance: Plain strings and numbers to store with the program.

    Raises:
        UsageError: A layer still computes in floats.
        ProgramError: A constant does not fit the integer semantics.
    """
    graph = _Graph([Input("input", coding.shape, bits=coding.bits)], [])
    for stage in stages:
        _add_stage(graph, stage)
    graph.add(Readout("readout"))
    return Program(tuple(graph.nodes), tuple(graph.edges), timesteps, dt=dt, provenance=dict(provenance or {}))


@dataclass
class _Graph:
    """Nodes and edges so far; each node follows the last one unless told otherwise."""

    nodes: list[Node]
    edges: list[Edge]
    entered: str = ""

    @property
    def last(self) -> str:
        return self.nodes[-1].name

    def add(self, node: Node, *sources: str) -> None:
        self.edges.extend(Edge(source, node.name) for source in sources or (self.last,))
        self.nodes.append(node)


def _add_stage(graph: _Graph, stage: Stage) -> None:
    layer = stage.layer
    if isinstance(layer, FlattenLayer):
        return graph.add(Flatten(stage.name))
    if isinstance(layer, (PoolOrLayer, PoolSumLayer)):
        kind = PoolOr if isinstance(layer, PoolOrLayer) else PoolSum
        size = (layer.kernel, layer.kernel)
        return graph.add(kind(stage.name, kernel=size, stride=size))
    if stage.opens:
        graph.entered = graph.last
    weights = stage.weights
    if weights is None or weights.quantizer is None:
        raise UsageError(f"layer '{stage.name}' has no quantized weights")
    folded = weights.folded()
    graph.add(_weighted(stage.name, weights, weights.quantizer, folded))
    if stage.joint is not None:
        graph.add(_shortcut(stage.joint.shortcut, weights, weights.quantizer, folded), graph.entered)
        graph.add(Add(stage.joint.add), stage.name, stage.joint.shortcut)
    if stage.neuron is not None:
        lsb = folded.lsb.double() if stage.neuron.bits > FLOAT32_BITS else folded.lsb
        graph.add(stage.neuron.lower(stage.neuron_name, lsb, stage.shape))
    return None


def _weighted(name: str, weights: WeightedLayer, quantizer: Quantizer, folded: Folded) -> Weighted:
    bias, common = _integers(folded.bias), _coding(quantizer, folded)
    common["bias"] = bias if bias.any() else None
    kernel = weights.kernels(folded.codes)[0] if isinstance(weights, ProjectedLayer) else folded.codes
    codes = _integers(kernel)
    if codes.ndim == 2:
        return Dense(name, codes, **common)
    square = (weights.stride,) * 2, (weights.padding,) * 2
    return Conv2d(name, codes, stride=square[0], padding=square[1], **common)


def _shortcut(name: str, weights: WeightedLayer, quantizer: Quantizer, folded: Folded) -> Conv2d:
    """Return a block's shortcut: a 1x1 convolution with codes of its own, or one that repeats each channel's spike."""
    if isinstance(weights, ProjectedLayer):
        stride = (weights.skip_stride,) * 2
        codes = _integers(weights.kernels(folded.codes)[1])
        return Conv2d(name, codes, stride=stride, **_coding(quantizer, folded))
    codes = _integers(skip_codes(folded.lsb)).reshape(-1, 1, 1, 1)
    bits, lsb = int(codes.max()).bit_length(), _reals(folded.lsb)
    return Conv2d(name, codes, bits=bits, lsb=lsb, groups=len(codes), signed=False)


def _coding(quantizer: Quantizer, folded: Folded) -> dict[str, Any]:
    """Return width, sign and unit of a layer's codes."""
    fmt = quantizer.fmt
    unsigned = isinstance(fmt, QFormat) and not fmt.signed
    bits = fmt.width if unsigned else quantizer.bits
    return {"bits": bits, "signed": not unsigned, "lsb": _reals(folded.lsb)}


def _reals(values: Tensor) -> FloatArray:
    return values.cpu().numpy().astype(np.float64)


def _integers(values: Tensor) -> IntArray:
    return values.cpu().numpy().astype(np.int64)
