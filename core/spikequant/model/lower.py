"""Lower a trained model to an integer program: the same integers that training computed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.layers import FlattenLayer, PoolOrLayer, PoolSumLayer
from spikequant.model.model import InputCoding
from spikequant.model.stages import FLOAT32_BITS, Stage
from spikequant.program import (
    Conv2d,
    Dense,
    Flatten,
    Input,
    IntArray,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Weighted,
    chain,
)


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
    nodes: list[Node] = [Input("input", coding.shape, bits=coding.bits)]
    for stage in stages:
        nodes.extend(_nodes(stage))
    nodes.append(Readout("readout"))
    return chain(nodes, timesteps=timesteps, dt=dt, provenance=dict(provenance or {}))


def _nodes(stage: Stage) -> list[Node]:
    layer = stage.layer
    if isinstance(layer, FlattenLayer):
        return [Flatten(stage.name)]
    if isinstance(layer, (PoolOrLayer, PoolSumLayer)):
        kind = PoolOr if isinstance(layer, PoolOrLayer) else PoolSum
        size = (layer.kernel, layer.kernel)
        return [kind(stage.name, kernel=size, stride=size)]
    node, lsb = _weighted(stage)
    if stage.neuron is None:
        return [node]
    if stage.neuron.bits > FLOAT32_BITS:
        lsb = lsb.double()
    return [node, stage.neuron.lower(stage.neuron_name, lsb, stage.shape)]


def _weighted(stage: Stage) -> tuple[Weighted, Tensor]:
    weights = stage.weights
    if weights is None or weights.quantizer is None:
        raise UsageError(f"layer '{stage.name}' has no quantized weights")
    folded, fmt = weights.folded(), weights.quantizer.fmt
    unsigned = isinstance(fmt, QFormat) and not fmt.signed
    codes, bias = _integers(folded.codes), _integers(folded.bias)
    common: dict[str, Any] = {
        "bias": bias if bias.any() else None,
        "bits": fmt.width if unsigned else weights.quantizer.bits,
        "signed": not unsigned,
        "lsb": folded.lsb.cpu().numpy().astype(np.float64),
    }
    if codes.ndim == 2:
        return Dense(stage.name, codes, **common), folded.lsb
    square = (weights.stride,) * 2, (weights.padding,) * 2
    return Conv2d(stage.name, codes, stride=square[0], padding=square[1], **common), folded.lsb


def _integers(values: Tensor) -> IntArray:
    return values.cpu().numpy().astype(np.int64)
