"""The nodes of a graph that are no neurons, in floats over all timesteps at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant.errors import UsageError
from spikequant_nir.engine import Plain, State
from spikequant_nir.graph import GraphNode
from spikequant_nir.rules import Rules


def plain(node: GraphNode, arrays: Mapping[str, Tensor]) -> Plain:
    """Return ``node`` as a function of values ``(steps, batch, *shape)``.

    Raises:
        UsageError: The kind is none of these.
    """
    if node.kind == "Output":
        return lambda x: x
    if node.kind in ("Affine", "Linear"):
        weight, bias = arrays["weight"], arrays.get("bias")
        return lambda x: F.linear(x, weight, bias)
    if node.kind in ("Conv1d", "Conv2d"):
        return _convolution(node, arrays)
    if node.kind in ("SumPool2d", "AvgPool2d"):
        return _pooling(node)
    if node.kind == "Flatten":
        return lambda x: x.reshape(*x.shape[:2], *node.shape)
    if node.kind == "Scale":
        factor = arrays["scale"].float()
        return lambda x: x * factor
    raise UsageError(f"node '{node.name}' has kind {node.kind}, which this network does not run")


class Delayed:
    """A whole number of timesteps between what enters and what leaves; zero before that."""

    def __init__(self, node: GraphNode, rules: Rules) -> None:
        self.name, self.steps = node.name, delay_steps(node, rules)

    def advance(self, x: Tensor, t: int, steps: int, memory: dict[str, State]) -> Tensor:
        """Return the values of ``steps`` timesteps from ``t`` on; what is under way is kept in ``memory``."""
        if not self.steps:
            return x
        waiting = memory.get(self.name) or [torch.zeros_like(x[0]) for _ in range(self.steps)]
        waiting = [*waiting, *x.expand(steps, *x.shape[1:])]
        memory[self.name] = waiting[steps:]
        return torch.stack(waiting[:steps])


def delay_steps(node: GraphNode, rules: Rules) -> int:
    """Return by how many timesteps a Delay node delays: the nearest whole number."""
    return round(float(node.settings.get("delay", 0.0)) / rules.dt)


def _convolution(node: GraphNode, arrays: Mapping[str, Tensor]) -> Plain:
    weight, bias = arrays["weight"], arrays.get("bias")
    settings: dict[str, Any] = {key: node.settings[key] for key in ("stride", "padding", "dilation", "groups")}
    convolve = F.conv1d if node.kind == "Conv1d" else F.conv2d

    def run(x: Tensor) -> Tensor:
        out: Tensor = convolve(x.flatten(0, 1), weight, bias, **settings)
        return out.reshape(*x.shape[:2], *out.shape[1:])

    return run


def _pooling(node: GraphNode) -> Plain:
    kernel, stride = node.settings["kernel_size"], node.settings["stride"]
    padding = node.settings.get("padding", (0, 0))
    divisor = 1 if node.kind == "SumPool2d" else kernel[0] * kernel[1]

    def run(x: Tensor) -> Tensor:
        out = F.avg_pool2d(x.flatten(0, 1), kernel, stride, padding, divisor_override=divisor)
        return out.reshape(*x.shape[:2], *out.shape[1:])

    return run
