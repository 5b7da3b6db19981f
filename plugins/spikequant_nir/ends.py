"""Where a network begins and ends: ports pass on what they take, and what nir adds when it reads is added here too."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from spikequant.errors import NirError
from spikequant_nir.expectations import known_input, only_shape
from spikequant_nir.findings import Notes
from spikequant_nir.flatten import Flat
from spikequant_nir.parse import MAX_EDGES
from spikequant_nir.raw import Path, RawNode

Links = dict[Path, Counter[Path]]
MAX_WAYS = 16


def with_ends(flat: Flat, notes: Notes) -> Flat:
    """Return the network with an Input before whatever takes nothing, and an Output behind whatever leads nowhere.

    Source: ``NIRGraph.infer_types`` of nir 1.0.8 adds both likewise.

    Raises:
        NirError: There is nothing to compute, nothing enters an Output, or something enters an Input.
    """
    if not any(not node.port and node.kind not in ("Input", "Output") for node in flat.nodes.values()):
        raise NirError("it has no node between Input and Output, so there is nothing to run; export the network again")
    nodes, edges = _used(flat, notes), list(flat.edges)
    entered, left = {target for _, target in edges}, {source for source, _ in edges}
    for node in list(nodes.values()):
        if node.kind == "Input" and not node.port and node.path in entered:
            raise NirError(f"{node.where}: an edge leads to it, and nothing can enter an Input; export it again")
        if node.path not in entered and (node.kind != "Input" or node.port):
            edges.append((_added_input(node, nodes, notes), node.path))
        if node.path not in left and node.kind != "Output" and not node.port:
            edges.append((node.path, _added_output(node, nodes, notes)))
    if not any(node.kind == "Input" and not node.port for node in nodes.values()):
        raise NirError("it has no Input, and every node takes the value of another; add an Input and export it again")
    return Flat(nodes, edges)


def _used(flat: Flat, notes: Notes) -> dict[Path, RawNode]:
    """Return the nodes that an edge names."""
    named = {end for edge in flat.edges for end in edge}
    if not named and len(flat.nodes) == 1:
        return dict(flat.nodes)
    if not named:
        raise NirError("it has no edges, so nothing leads from one node to another; export the network again")
    for path in flat.nodes.keys() - named:
        notes.add("note", flat.nodes[path].name, "no edge leads to it or from it, so it is left out")
    return {path: node for path, node in flat.nodes.items() if path in named}


def _added_input(node: RawNode, nodes: dict[Path, RawNode], notes: Notes) -> Path:
    shape = known_input(node) or only_shape(node)
    if node.kind == "Output" or node.port:
        raise NirError(f"{node.where}: no edge leads to it, so it has nothing to put out; export the network again")
    if not shape:
        raise NirError(
            f"{node.where}: no edge leads to it, and its fields do not tell what shape it takes; add an Input before it"
        )
    path = _new_path((f"input_{node.name}",), nodes)
    nodes[path] = RawNode(path, "Input", {"shape": np.array(shape)})
    notes.add("note", node.name, "no edge leads to it, so it takes an input of its own, as nir itself reads it")
    return path


def _added_output(node: RawNode, nodes: dict[Path, RawNode], notes: Notes) -> Path:
    path = _new_path((f"output_{node.name}",), nodes)
    nodes[path] = RawNode(path, "Output", {})
    notes.add("note", node.name, "it leads nowhere, so its value is an output, as nir itself reads it")
    return path


def _new_path(path: Path, nodes: Mapping[Path, RawNode]) -> Path:
    while path in nodes:
        path = (f"{path[0]}_",)
    return path


def without_ports(flat: Flat) -> tuple[Flat, list[tuple[RawNode, Path]]]:
    """Return the network without ports and what follows an Output, and each port with a node whose value it passes on.

    Raises:
        NirError: Ports lead to each other in a circle, or lead to too many edges.
    """
    into: Links = defaultdict(Counter)
    out_of: Links = defaultdict(Counter)
    for source, target in flat.edges:
        into[target][source] += 1
        out_of[source][target] += 1
    origins: dict[Path, Path] = {}
    passed = [(node, _origin(node.path, into, flat, origins)) for node in flat.nodes.values() if node.port]
    work = 0
    for node in flat.nodes.values():
        if node.port or (node.kind == "Output" and out_of[node.path]):
            work += len(into[node.path]) * len(out_of[node.path])
            if work > MAX_EDGES:
                raise NirError(f"{node.where}: it stands for more than {MAX_EDGES} edges; no network has so many")
            _dissolve(node, into, out_of)
    nodes = {path: node for path, node in flat.nodes.items() if not node.port}
    return Flat(nodes, _once(nodes, out_of)), passed


def _origin(path: Path, into: Links, flat: Flat, known: dict[Path, Path]) -> Path:
    """Return a node that is no port and whose value arrives at a port; ``known`` keeps what was found."""
    seen = {path}
    while flat.nodes[path].port and path not in known:
        path = next(iter(into[path]))
        if path in seen and path not in known:
            raise NirError(f"{flat.nodes[path].where}: inner graphs lead to each other in a circle without any node")
        seen.add(path)
    origin = known.get(path, path)
    known.update(dict.fromkeys(seen, origin))
    return origin


def _dissolve(node: RawNode, into: Links, out_of: Links) -> None:
    sources, targets = into[node.path], out_of[node.path]
    if node.path in sources:
        raise NirError(f"{node.where}: it takes its own value, so no value can be told; export the network again")
    for target in targets:
        del into[target][node.path]
    for source, count in sources.items():
        if node.port:
            del out_of[source][node.path]
        for target, times in targets.items():
            out_of[source][target] += count * times
            into[target][source] += count * times
            if out_of[source][target] > MAX_WAYS:
                raise NirError(f"{node.where}: a value passes it on more than {MAX_WAYS} ways; no network needs this")
    out_of[node.path] = Counter()


def _once(nodes: dict[Path, RawNode], out_of: Links) -> list[tuple[Path, Path]]:
    """Return the edges with each pair once; a value that arrives on two ways goes through an identity on the second."""
    made: list[tuple[Path, Path]] = []
    for source in list(nodes):
        for target, count in out_of[source].items():
            made.append((source, target))
            for _ in range(1, count):
                path = _new_path((f"{nodes[source].name}_again",), nodes)
                nodes[path] = RawNode(path, "Scale", {"scale": np.float64(1.0)})
                made += [(source, path), (path, target)]
    return made


def without_dead_ends(flat: Flat, notes: Notes) -> Flat:
    """Return the network without what leads to no Output: outputs of inner graphs that nothing takes."""
    into: Links = defaultdict(Counter)
    for source, target in flat.edges:
        into[target][source] += 1
    used = {path for path, node in flat.nodes.items() if node.kind == "Output"}
    waiting = list(used)
    while waiting:
        for source in into[waiting.pop()]:
            if source not in used:
                used.add(source)
                waiting.append(source)
    for path, node in flat.nodes.items():
        if path not in used:
            notes.add("note", node.name, "it leads to no Output, so it is left out")
    nodes = {path: node for path, node in flat.nodes.items() if path in used}
    return Flat(nodes, [edge for edge in flat.edges if edge[0] in used and edge[1] in used])
