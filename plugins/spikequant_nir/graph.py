"""A third-party network as a flat graph: what every later step of this plugin computes with."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
SPIKING_KINDS = frozenset({"Threshold", "IF", "LIF", "CubaLIF"})
STATE_KINDS = frozenset({"IF", "LIF", "LI", "I", "CubaLIF", "CubaLI"})
WEIGHT_KINDS = frozenset({"Affine", "Linear", "Conv1d", "Conv2d"})
PLAIN_KINDS = frozenset({"Input", "Output", "SumPool2d", "AvgPool2d", "Flatten", "Scale", "Delay"})
KINDS = SPIKING_KINDS | STATE_KINDS | WEIGHT_KINDS | PLAIN_KINDS
MAX_VALUES = 1 << 27
TEXT_VERSION = 1


@dataclass(frozen=True, eq=False)
class GraphNode:
    """One node of NIR.

    Attributes:
        name: Letters, digits and underscores, unique in the graph, at most 64 characters.
        kind: The class in NIR: ``Affine``, ``Conv2d``, ``LIF``, ...
        shape: Shape of its output, without time and batch; maps are (channels, length) or (channels, height, width).
        arrays: By NIR's field name. Weights and biases are float32 in NIR's layout; constants of neurons
            and ``scale`` and ``threshold`` are float64, 0-d where all are equal, else of the neuron's shape.
        settings: ``stride``, ``padding``, ``dilation``, ``kernel_size`` (two ints; one int for Conv1d), ``groups``,
            ``start_dim``, ``end_dim`` (of the shape without batch, not negative), ``delay`` (seconds).
        origin: Its name in the file, with the names of the graphs around it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True)
class GraphEdge:
    """``target`` takes ``source``'s value: of this step, or of the step before where ``delayed``."""

    source: str
    target: str
    delayed: bool = False


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in topological order of the undelayed edges, with the Inputs first; inputs of a node are summed."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]

    @cached_property
    def by_name(self) -> dict[str, GraphNode]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def inputs(self) -> tuple[GraphNode, ...]:
        """The Input nodes."""
        return tuple(node for node in self.nodes if node.kind == "Input")

    @cached_property
    def outputs(self) -> tuple[GraphNode, ...]:
        """The Output nodes."""
        return tuple(node for node in self.nodes if node.kind == "Output")

    @cached_property
    def state_kinds(self) -> frozenset[str]:
        """The kinds of node in this graph that keep a state."""
        return frozenset(node.kind for node in self.nodes) & STATE_KINDS

    @cached_property
    def _sources(self) -> dict[str, tuple[GraphEdge, ...]]:
        found: dict[str, list[GraphEdge]] = {node.name: [] for node in self.nodes}
        for edge in self.edges:
            found[edge.target].append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    def sources_of(self, name: str) -> tuple[GraphEdge, ...]:
        """Return the edges into a node."""
        return self._sources[name]

    def arrays_by_key(self) -> dict[str, NDArray[Any]]:
        """Return every array under ``NODE.field``."""
        return {f"{node.name}.{key}": array for node in self.nodes for key, array in node.arrays.items()}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Graph:
        """Return this graph with the values of ``arrays``, keyed as :meth:`arrays_by_key`.

        Raises:
            UsageError: A key is missing or not of this graph, or an array has another shape.
        """
        mine = self.arrays_by_key()
        if set(arrays) != set(mine):
            odd = min(set(arrays) ^ set(mine))
            raise UsageError(
                f"the graph and the arrays disagree about '{odd}'; pass exactly the arrays of arrays_by_key()"
            )
        for key, old in mine.items():
            if arrays[key].shape != old.shape:
                raise UsageError(f"array '{key}' has shape {arrays[key].shape}, and the graph's is {old.shape}")
        nodes = tuple(
            replace(
                node, arrays={k: np.asarray(arrays[f"{node.name}.{k}"], dtype=a.dtype) for k, a in node.arrays.items()}
            )
            for node in self.nodes
        )
        return Graph(nodes, self.edges)

    def to_text(self) -> str:
        """Return the structure as compact JSON: kinds, shapes, settings, shapes of arrays, and no values.

        >>> print(Graph((GraphNode("x", "Input", (2,)),), ()).to_text())
        {"version":1,"nodes":[["x","Input",[2],{},{},""]],"edges":[]}
        """
        nodes = [
            [
                node.name,
                node.kind,
                list(node.shape),
                {key: [array.dtype.name, list(array.shape)] for key, array in node.arrays.items()},
                dict(node.settings),
                node.origin,
            ]
            for node in self.nodes
        ]
        edges = [[edge.source, edge.target, int(edge.delayed)] for edge in self.edges]
        return json.dumps({"version": TEXT_VERSION, "nodes": nodes, "edges": edges}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Graph:
        """Return the graph of :meth:`to_text`, with zeros for the values and time constants that never leak.

        Raises:
            UsageError: The text is damaged; import the network again.
        """
        try:
            packed = json.loads(text)
            if packed["version"] != TEXT_VERSION:
                raise ValueError(f"version {packed['version']!r} and not {TEXT_VERSION}")
            nodes = tuple(_unpacked(*item) for item in packed["nodes"])
            edges = tuple(GraphEdge(_name(a), _name(b), bool(delayed)) for a, b, delayed in packed["edges"])
            graph = cls(nodes, edges)
            _check(graph)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            raise UsageError(f"the recipe's graph is damaged ({reason}); import the network again") from error
        return graph


def _unpacked(
    name: str, kind: str, shape: list[int], arrays: dict[str, Any], settings: dict[str, Any], origin: str
) -> GraphNode:
    if kind not in KINDS:
        raise ValueError(f"kind {str(kind)[:40]!r}")
    made = {}
    for key, (dtype, sizes) in arrays.items():
        if dtype not in ("float32", "float64") or math.prod(_shape(sizes)) > MAX_VALUES:
            raise ValueError(f"array '{key}' of {str(dtype)[:20]} {str(sizes)[:40]}")
        unknown = np.inf if key.startswith("tau") else 0.0  # a time constant of 0 would be none of any network
        made[_name(key)] = np.full(_shape(sizes), unknown, dtype=dtype)
    kept = {_name(key): tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return GraphNode(_name(name), kind, _shape(shape), made, kept, str(origin))


def _shape(sizes: list[int]) -> tuple[int, ...]:
    if not isinstance(sizes, list) or any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(f"shape {str(sizes)[:60]}")
    return tuple(sizes)


def _name(text: str) -> str:
    if not isinstance(text, str) or not NAME.fullmatch(text):
        raise ValueError(f"name {str(text)[:60]!r}")
    return text


def _check(graph: Graph) -> None:
    """Raise ``ValueError`` unless names are unique, edges end at nodes, and the order fits the edges."""
    place = {node.name: index for index, node in enumerate(graph.nodes)}
    if len(place) != len(graph.nodes):
        raise ValueError("two nodes of one name")
    if sum(array.size for node in graph.nodes for array in node.arrays.values()) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES} values")
    for edge in graph.edges:
        if edge.source not in place or edge.target not in place:
            raise ValueError(f"an edge {edge.source} -> {edge.target} without its nodes")
        if not edge.delayed and place[edge.source] >= place[edge.target]:
            raise ValueError(f"'{edge.target}' before '{edge.source}', whose value it takes")
