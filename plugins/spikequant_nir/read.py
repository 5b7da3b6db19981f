"""From a ``.nir`` file to a :class:`~spikequant_nir.graph.Graph`, with everything that a user should know about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from spikequant.errors import NirError, one_line
from spikequant.nir_profile import read_fields
from spikequant_nir.ends import with_ends, without_dead_ends, without_ports
from spikequant_nir.findings import Notes
from spikequant_nir.flatten import Flat, flatten
from spikequant_nir.graph import Graph, GraphEdge, GraphNode
from spikequant_nir.maps import Layer
from spikequant_nir.order import Edge, ordered
from spikequant_nir.parse import parse
from spikequant_nir.raw import Path, RawNode
from spikequant_nir.shapes import layers

DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, MemoryError, RecursionError)
NAME_LENGTH = 64


@dataclass(frozen=True, eq=False)
class NirFile:
    """What a file holds.

    Attributes:
        graph: The network.
        version: Of nir, by which the file says it was written; empty where it does not say.
        metadata: Of the whole graph.
    """

    graph: Graph
    version: str
    metadata: Mapping[str, Any]


def read_file(path: FilePath, notes: Notes) -> NirFile:
    """Read a ``.nir`` file.

    Args:
        path: The file.
        notes: Takes what is found; it decides whether faults are mended.

    Raises:
        NirError: The file cannot be read, or cannot be meant as it is; one line that names file and node.
    """
    data = read_fields(path)
    try:
        raw = parse(data, notes)
        graph = graph_of(flatten(raw, notes), notes)
    except NirError as error:
        raise NirError(f"{path}: {error}") from error
    except DAMAGE as error:
        reason = one_line(error) or type(error).__name__
        raise NirError(f"{path}: its fields make no sense ({reason}); export the network again") from error
    notes.names = {node.origin: node.name for node in graph.nodes}
    version = data.get("version")
    return NirFile(graph, version if isinstance(version, str) else "", raw.metadata)


def graph_of(flat: Flat, notes: Notes) -> Graph:
    """Return the graph of nodes and edges as the file has them.

    Raises:
        NirError: As :func:`read_file`, without the file's name.
    """
    whole, ports = without_ports(with_ends(flat, notes))
    network = without_dead_ends(whole, notes)
    made = layers(network, ports, notes)
    nodes, delayed = ordered(network, notes)
    names = sanitized(node.path for node in nodes)
    return _without_empty_delays([_node(node, made[node.path], names) for node in nodes], _edges(delayed, names))


def sanitized(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a name of letters, digits and underscores for each path, unique, at most 64 characters.

    >>> sanitized([("0",), ("lif1.lif",), ("lif1", "lif")])
    {('0',): 'n0', ('lif1.lif',): 'lif1_lif', ('lif1', 'lif'): 'lif1_lif_2'}
    """
    taken: set[str] = set()
    counts: dict[str, int] = {}
    names = {}
    for path in paths:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", "_".join(path)) or "n"
        base = name = (plain if not plain[0].isdigit() else f"n{plain}")[:NAME_LENGTH]
        while name in taken:
            counts[base] = counts.get(base, 1) + 1
            ending = f"_{counts[base]}"
            name = base[: NAME_LENGTH - len(ending)] + ending
        taken.add(name)
        names[path] = name
    return names


def _node(node: RawNode, layer: Layer, names: Mapping[Path, str]) -> GraphNode:
    return GraphNode(names[node.path], node.kind, layer.shape, layer.arrays, layer.settings, node.name)


def _edges(delayed: Mapping[Edge, bool], names: Mapping[Path, str]) -> list[GraphEdge]:
    return [GraphEdge(names[source], names[target], late) for (source, target), late in delayed.items()]


def _without_empty_delays(nodes: list[GraphNode], edges: list[GraphEdge]) -> Graph:
    """Return the graph without Delay nodes of 0, which pass on what they take."""
    for node in [node for node in nodes if node.kind == "Delay" and not node.settings["delay"]]:
        into = [edge for edge in edges if edge.target == node.name]
        out_of = [edge for edge in edges if edge.source == node.name]
        joined = [GraphEdge(a.source, b.target, a.delayed or b.delayed) for a in into for b in out_of]
        ends = {(edge.source, edge.target) for edge in edges}
        if any((edge.source, edge.target) in ends for edge in joined) or len(joined) > len(into) + len(out_of):
            continue
        edges = [edge for edge in edges if node.name not in (edge.source, edge.target)] + joined
        nodes = [kept for kept in nodes if kept is not node]
    return Graph(tuple(nodes), tuple(edges))
