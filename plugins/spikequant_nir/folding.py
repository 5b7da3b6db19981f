"""Where the input gains of neurons go: into the weights that feed them, or into a diagonal of weights put in between.

A program has no real factors: a neuron adds its input to its state as it is. NIR's neurons multiply it first, by
``(1 - a) r`` for a LIF. That factor, and those of Scale and AvgPool2d on the way, become part of the weights.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spikequant.errors import UsageError
from spikequant_nir.dynamics import NEURON_KINDS, Cell
from spikequant_nir.graph import SPIKING_KINDS, WEIGHT_KINDS, Graph, GraphEdge, GraphNode

THROUGH = frozenset({"SumPool2d", "AvgPool2d", "Flatten", "Scale"})
"""What a factor may pass on its way back to the weights: linear, without an offset."""


@dataclass(frozen=True, eq=False)
class Part:
    """Weights of the program: those of a node of the graph, or a diagonal that is put before ``target``.

    Attributes:
        name: Of the program's node.
        node: Of the graph; ``None`` for a diagonal.
        factor: What the real weights and biases are multiplied by: float64, one or one per output channel.
        target: The node of the graph whose sum it joins; parts of one target have one size of code.
        edge: Of a diagonal: the edge that it stands on.
    """

    name: str
    node: GraphNode | None
    factor: Tensor
    target: str
    edge: GraphEdge | None = None


@dataclass(frozen=True, eq=False)
class Folding:
    """How a graph becomes weights without real factors.

    Attributes:
        parts: By the name of the graph's node; diagonals under ``SOURCE>TARGET``.
        absorbed: Pooling and Scale nodes whose factor went into weights.
        sums: For each target the keys of the parts that it adds.
    """

    parts: Mapping[str, Part]
    absorbed: frozenset[str]
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def key_of(edge: GraphEdge) -> str:
    """Return the key of a diagonal on ``edge``."""
    return f"{edge.source}>{edge.target}"


def fold(graph: Graph, cells: Mapping[str, Cell], arrays: Mapping[str, Mapping[str, Tensor]]) -> Folding:
    """Return where every factor goes.

    Args:
        graph: The network.
        cells: Of its neurons.
        arrays: Values of its nodes, for Scale.

    Raises:
        UsageError: A factor differs from neuron to neuron of a channel.
    """
    readers = Counter(edge.source for edge in graph.edges)
    parts: dict[str, Part] = {}
    absorbed: set[str] = set()
    sums: dict[str, tuple[str, ...]] = {}

    def settle(node: GraphNode, gain: Tensor) -> None:
        edges, keys = graph.sources_of(node.name), []
        if _is_one(gain) and all(_counts(graph, edge.source) for edge in edges):
            return
        for edge in edges:
            found = _weights_behind(graph, edge, readers)
            factor = None if found is None else _carried(graph, node, gain, found, arrays)
            if found is not None and factor is not None:
                absorbed.update(found[1:])
                parts[found[0]] = Part(found[0], graph.by_name[found[0]], factor, node.name)
                keys.append(found[0])
            elif (
                len(edges) > 1 or not _is_one(gain) or (node.kind in NEURON_KINDS and not _is_power(graph, edge.source))
            ):
                key, name = key_of(edge), f"{node.name}_{edge.source}"[:60]
                shape = graph.by_name[edge.source].shape
                parts[key] = Part(name, None, _per_channel(node, gain, shape), node.name, edge)
                keys.append(key)
        if keys:
            sums[node.name] = tuple(keys)

    one = torch.ones((), dtype=torch.float64)
    for node in graph.nodes:
        several = len(graph.sources_of(node.name)) > 1
        if node.kind == "Scale" and several:
            settle(node, _scale(node, arrays))
            absorbed.add(node.name)
        elif node.kind not in THROUGH or several:
            settle(node, cells[node.name].gain if node.name in cells else one)
    for node in graph.nodes:
        factor = _scale(node, arrays) if node.kind == "Scale" else one
        if node.kind == "Scale" and node.name not in absorbed:
            behind = _weights_behind(graph, graph.sources_of(node.name)[0], readers)
            if behind is not None or factor.dim() or float(factor) <= 0:
                settle(node, factor)
                absorbed.add(node.name)
    for node in graph.nodes:  # weights with several readers stand for themselves
        if node.kind in WEIGHT_KINDS and node.name not in parts:
            parts[node.name] = Part(node.name, node, one, node.name)
    return Folding(parts, frozenset(absorbed), sums)


def _scale(node: GraphNode, arrays: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
    return arrays[node.name]["scale"].detach().double().cpu()


def _counts(graph: Graph, name: str) -> bool:
    """Return whether a node puts out spikes or sums of spikes, so that its unit is 1."""
    node = graph.by_name[name]
    if node.kind in ("SumPool2d", "Flatten"):
        return all(not edge.delayed and _counts(graph, edge.source) for edge in graph.sources_of(name))
    return node.kind in SPIKING_KINDS


def _is_power(graph: Graph, name: str) -> bool:
    """Return whether the unit of what a node puts out is a power of two wherever that of weights is."""
    node = graph.by_name[name]
    if node.kind in THROUGH:
        area = math.prod(node.settings["kernel_size"]) if node.kind == "AvgPool2d" else 1
        sources = graph.sources_of(name)
        whole = node.kind != "Scale" and area & (area - 1) == 0
        return whole and all(_is_power(graph, edge.source) for edge in sources)
    return node.kind in WEIGHT_KINDS | NEURON_KINDS


def _weights_behind(graph: Graph, edge: GraphEdge, readers: Counter[str]) -> tuple[str, ...] | None:
    """Return the weights that alone feed ``edge``, then what lies between, nearest to the target first; or ``None``."""
    passed: list[str] = []
    while not edge.delayed and readers[edge.source] == 1:
        source = graph.by_name[edge.source]
        if source.kind in WEIGHT_KINDS:
            return (source.name, *passed)
        before = graph.sources_of(source.name)
        if source.kind not in THROUGH or len(before) != 1:
            return None
        passed.append(source.name)
        edge = before[0]
    return None


def _carried(
    graph: Graph,
    target: GraphNode,
    gain: Tensor,
    found: tuple[str, ...],
    arrays: Mapping[str, Mapping[str, Tensor]],
) -> Tensor | None:
    """Return the factor of the weights ``found[0]``, or ``None`` where it is not one per output channel."""
    factor, shape = gain, target.shape
    for name in found[1:]:
        node = graph.by_name[name]
        if node.kind == "Scale":
            factor = factor * _scale(node, arrays)
        elif node.kind == "AvgPool2d":
            factor = factor / math.prod(node.settings["kernel_size"])
        shape = graph.by_name[graph.sources_of(name)[0].source].shape
        before = _before(factor, node, shape)
        if before is None:
            return None
        factor = before
    weights = graph.by_name[found[0]]
    return _uniform(factor, weights.shape)


def _before(factor: Tensor, node: GraphNode, shape: tuple[int, ...]) -> Tensor | None:
    """Return a factor of ``node``'s output as one of its input, of ``shape``."""
    if factor.dim() == 0:
        return factor
    if node.kind == "Flatten":
        return factor.reshape(shape)
    if node.kind == "Scale":
        return factor
    channels = _uniform(factor, node.shape)
    return None if channels is None else channels.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)


def _uniform(factor: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """Return one factor for each channel of ``shape``, or ``None`` if they differ within one."""
    if factor.dim() == 0:
        return factor
    flat = factor.expand(shape).reshape(shape[0], -1)
    return flat[:, 0] if bool((flat == flat[:, :1]).all()) else None


def _per_channel(node: GraphNode, gain: Tensor, shape: tuple[int, ...]) -> Tensor:
    factor = _uniform(gain, shape)
    if factor is None:
        raise UsageError(
            f"node '{node.name}' ({node.kind}): its input gain differs within a channel, and integers have one factor"
            " for a channel; give its neurons equal constants in each channel"
        )
    return factor


def _is_one(gain: Tensor) -> bool:
    return bool((gain == 1).all())
