"""An integer program in torch: whole numbers carried by floats that hold every sum, neurons in integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant.errors import UsageError
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Flatten,
    Input,
    Node,
    PoolSum,
    Program,
    Readout,
    SpikingNode,
    Weighted,
)
from spikequant_nir.engine import Plain, Runner
from spikequant_nir.engine_whole_neurons import whole_neurons

FLOAT32, FLOAT64 = 1 << 24, 1 << 53


@dataclass(frozen=True, eq=False)
class Trained:
    """Codes that carry gradients, in place of a program's own equal ones."""

    weight: Tensor
    bias: Tensor | None


def whole_runner(
    program: Program, device: torch.device, trained: Mapping[str, Trained] | None = None, *, smooth: bool = False
) -> Runner:
    """Return what runs ``program``; its outputs are what enters the readouts.

    A sum of whole numbers in floating point is exact, in any order, while no partial sum can reach 2**24 (float32) or
    2**53 (float64); bounds come from the program's worst case, never from the data.

    Args:
        program: The program.
        device: Where to run.
        trained: Codes with gradients.
        smooth: Let gradients pass the neurons.

    Raises:
        UsageError: A sum can be larger than any float holds exactly.
    """
    given = trained or {}
    layers: dict[str, Plain] = {}
    for node in program.nodes:
        if not isinstance(node, (Input, SpikingNode)):
            layers[node.name] = _plain(program, node, device, given.get(node.name))
    return Runner(
        names=[node.name for node in program.order],
        edges=program.edges,
        shapes=program.shapes,
        layers=layers,
        neurons={node.name: whole_neurons(program, node, device, smooth=smooth) for node in program.spiking},
        buffered={},
        outputs=[node.name for node in program.readouts],
        device=device,
    )


def carrier(bound: int, node: Node) -> torch.dtype:
    """Return the smallest float type that holds whole numbers up to ``bound``.

    Raises:
        UsageError: There is none.
    """
    if bound < FLOAT32:
        return torch.float32
    if bound >= FLOAT64:
        raise UsageError(
            f"node '{node.name}' ({node.kind}): sums reach {bound}, beyond what floats hold exactly; give w and V fewer"
            " bits"
        )
    return torch.float64


def magnitude(program: Program, name: str) -> int:
    """Return the largest absolute value that node ``name`` can put out."""
    low, high = program.ranges[name]
    return max(abs(low), abs(high))


def _plain(program: Program, node: Node, device: torch.device, trained: Trained | None) -> Plain:
    reach = [magnitude(program, edge.source) for edge in program.inputs_of(node.name)]
    if isinstance(node, Weighted):
        sums = np.abs(node.codes).reshape(node.out_channels, -1).sum(axis=1)
        bias = np.zeros_like(sums) if node.bias is None else np.abs(node.bias)
        bound = max(int(s) * reach[0] + int(b) for s, b in zip(sums, bias, strict=True))
        return _weighted(node, carrier(bound, node), device, trained)
    if isinstance(node, Add):
        dtype = carrier(sum(reach), node)
        return lambda x: x.to(dtype)
    if isinstance(node, PoolSum):
        return _pool(node, carrier(reach[0] * node.kernel[0] * node.kernel[1], node))
    if isinstance(node, Flatten):
        return lambda x: x.flatten(2)
    if isinstance(node, Readout):
        return lambda x: x
    raise UsageError(f"node '{node.name}' has kind {node.kind}, which this model does not lower to")


def _weighted(node: Weighted, dtype: torch.dtype, device: torch.device, trained: Trained | None) -> Plain:
    weight = torch.tensor(node.codes, dtype=dtype, device=device)
    bias = None if node.bias is None else torch.tensor(node.bias, dtype=dtype, device=device)
    if trained is not None:
        weight = trained.weight.to(device, dtype).reshape(weight.shape)
        bias = None if trained.bias is None else trained.bias.to(device, dtype)
    if isinstance(node, Dense):
        return lambda x: F.linear(x.to(dtype), weight, bias)
    if not isinstance(node, Conv2d):
        raise UsageError(f"node '{node.name}' has kind {node.kind}, which this model does not lower to")
    fields: dict[str, Any] = {
        "stride": node.stride,
        "padding": node.padding,
        "dilation": node.dilation,
        "groups": node.groups,
    }

    def convolve(x: Tensor) -> Tensor:
        out = F.conv2d(x.to(dtype).flatten(0, 1), weight, bias, **fields)
        return out.reshape(*x.shape[:2], *out.shape[1:])

    return convolve


def _pool(node: PoolSum, dtype: torch.dtype) -> Plain:
    def pool(x: Tensor) -> Tensor:
        out = F.avg_pool2d(x.to(dtype).flatten(0, 1), node.kernel, node.stride, node.padding, divisor_override=1)
        return out.reshape(*x.shape[:2], *out.shape[1:])

    return pool


def largest(program: Program) -> int:
    """Return how many numbers the largest value of one sample is, over all timesteps."""
    sizes: Sequence[int] = [int(np.prod(shape)) for shape in program.shapes.values()]
    return program.timesteps * max(sizes)
