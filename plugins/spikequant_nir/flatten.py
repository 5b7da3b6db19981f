"""Graphs in graphs, at any depth, written out as one: nodes by path, edges between paths."""

from __future__ import annotations

from dataclasses import dataclass, field

from spikequant.errors import NirError
from spikequant_nir.expectations import known_input, known_output
from spikequant_nir.findings import Notes, listed, shown
from spikequant_nir.raw import Path, RawGraph, RawNode, name_of


@dataclass
class Flat:
    """All nodes that are no graphs; Inputs and Outputs of inner graphs are ports, which pass on what they take."""

    nodes: dict[Path, RawNode] = field(default_factory=dict)
    edges: list[tuple[Path, Path]] = field(default_factory=list)


def flatten(graph: RawGraph, notes: Notes) -> Flat:
    """Return the graph with all inner graphs written out.

    Raises:
        NirError: An edge ends at nothing, or at a graph of several inputs or outputs without saying at which.
    """
    flat = Flat()
    waiting = [graph]
    while waiting:
        inner = waiting.pop()
        dotted = _dotted(inner, notes)
        for name, node in inner.nodes.items():
            if isinstance(node, RawGraph):
                waiting.append(node)
                continue
            node.port = node.kind in ("Input", "Output") and (bool(inner.path) or name in dotted)
            flat.nodes[node.path] = node
        for source, target in inner.edges:
            flat.edges.append(_edge(inner, dotted.get(f"{source}>", source), dotted.get(f">{target}", target)))
    return flat


def _dotted(graph: RawGraph, notes: Notes) -> dict[str, str]:
    """Return the ports of graphs that are written out by dots: ``lif1`` leads on to ``lif1.input``.

    Early exporters wrote the nodes of an inner graph as ``lif1.lif``, ``lif1.input`` and ``lif1.output`` beside the
    others, and edges from and to ``lif1`` itself, which is no node.
    """
    ports: dict[str, str] = {}
    for end in dict.fromkeys(end for edge in graph.edges for end in edge):
        first, last = f"{end}.input", f"{end}.output"
        if end in graph.nodes or (_kind(graph, first), _kind(graph, last)) != ("Input", "Output"):
            continue
        cure = f"edges to it are led to '{shown(first)}', and edges from it are led from '{shown(last)}'"
        notes.mend(name_of((*graph.path, end)), "edges name it, but its graph is written out with dots", cure)
        ports |= {f">{end}": first, f"{end}>": last, first: "", last: ""}
    entered, left = {target for _, target in graph.edges}, {source for source, _ in graph.edges}
    for name in graph.nodes:
        into = name.endswith(".input") and name in entered and _kind(graph, name) == "Input"
        out_of = name.endswith(".output") and name in left and _kind(graph, name) == "Output"
        if into or out_of:
            ports[name] = ""
            notes.add(
                "note", name_of((*graph.path, name)), "edges lead to it and from it, so it passes on what it takes"
            )
    return ports


def _kind(graph: RawGraph, name: str) -> str:
    node = graph.nodes.get(name)
    return node.kind if isinstance(node, RawNode) else ""


def _edge(graph: RawGraph, source: str, target: str) -> tuple[Path, Path]:
    leaving, entering = _found(graph, source, (source, target)), _found(graph, target, (source, target))
    return _out_of(leaving, entering), _into(entering, leaving)


def _found(graph: RawGraph, end: str, edge: tuple[str, str]) -> RawNode | RawGraph:
    """Return the node that an end of an edge names; ``inner.port`` names a port of an inner graph."""
    here, rest = graph, end
    while True:
        if rest in here.nodes:
            return here.nodes[rest]
        heads = [name for name in here.nodes if rest.startswith(f"{name}.")] if "." in rest else []
        inner = here.nodes[max(heads, key=len)] if heads else None
        if not isinstance(inner, RawGraph):
            raise NirError(
                f"{graph.where}: edge {shown(edge[0])} -> {shown(edge[1])} ends at '{shown(end)}', which is no node;"
                f" there are {listed(sorted(graph.nodes)) or 'none'}; export the network again"
            )
        here, rest = inner, rest[len(inner.path[-1]) + 1 :]


def _out_of(node: RawNode | RawGraph, other: RawNode | RawGraph) -> Path:
    if isinstance(node, RawNode):
        return node.path
    ends = [inner for inner in node.nodes.values() if isinstance(inner, RawNode) and inner.kind == "Output"]
    return _only(node, ends, "Output", other).path


def _into(node: RawNode | RawGraph, other: RawNode | RawGraph) -> Path:
    if isinstance(node, RawNode):
        return node.path
    ends = [inner for inner in node.nodes.values() if isinstance(inner, RawNode) and inner.kind == "Input"]
    return _only(node, ends, "Input", other).path


def _only(graph: RawGraph, ends: list[RawNode], kind: str, other: RawNode | RawGraph) -> RawNode:
    """Return the Input or Output of an inner graph that an edge means: by the other end's name, or by its shape."""
    if len(ends) == 1:
        return ends[0]
    named = [end for end in ends if end.path[-1] == other.path[-1]]
    if not named and isinstance(other, RawNode):
        shape = known_output(other) if kind == "Input" else known_input(other)
        named = [end for end in ends if shape is not None and known_input(end) == shape]
    if len(named) == 1:
        return named[0]
    name = name_of(graph.path)
    if not ends:
        raise NirError(f"graph '{name}' has no {kind}, and an edge needs one; export the network again")
    raise NirError(
        f"graph '{name}' has the {kind}s {listed(end.path[-1] for end in ends)}, and an edge with"
        f" '{name_of(other.path)}' does not say which is meant; write the end as '{name}.{shown(ends[0].path[-1])}'"
    )
