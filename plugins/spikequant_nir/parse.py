"""From the plain data of a file to nodes of known classes with the fields they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.errors import NirError
from spikequant_nir.findings import Notes, shown
from spikequant_nir.old_files import class_by_fields, old_class, old_root, renamed_fields, without_types
from spikequant_nir.raw import PARAMETERS, Path, RawGraph, RawNode, name_of

MAX_NODES = 10_000
MAX_EDGES = 50_000


def parse(data: Mapping[str, Any], notes: Notes) -> RawGraph:
    """Return the graph of a file, from :func:`spikequant.nir_profile.read_fields`.

    Raises:
        NirError: There is no graph, or a node of an unknown class or with other fields than NIR gives it.
    """
    root = data.get("node")
    if root is None:
        root = old_root(data, notes)
    if not isinstance(root, Mapping):
        raise NirError("it has no group 'node', so it is no NIR file; export the network again")
    kind = _text(root.get("type"))
    if kind is not None and kind not in ("NIRGraph", "NIR"):
        raise NirError(f"it holds a single {shown(kind)} and no graph; export the whole network")
    graph = _graph(root, (), notes)
    _check_count(graph)
    return graph


def _graph(group: Mapping[str, Any], path: Path, notes: Notes) -> RawGraph:
    where = f"graph '{name_of(path)}'" if path else "the graph"
    nodes, edges = group.get("nodes"), group.get("edges")
    if not isinstance(nodes, Mapping) or edges is None or isinstance(edges, Mapping):
        missing = "nodes" if not isinstance(nodes, Mapping) else "edges"
        raise NirError(f"{where} has no {missing}, so the file was not written to its end; export the network again")
    kind = _text(group.get("type"))
    if kind is None:
        notes.mend(name_of(path), "the graph has no type", "it is taken for a NIRGraph")
    elif kind == "NIR":
        notes.mend(name_of(path), "the graph has the old type 'NIR'", "it is taken for a NIRGraph")
    pairs = _edges(edges, where, path, notes)
    targets = {target for _, target in pairs}
    made: dict[str, RawNode | RawGraph] = {}
    for name, item in nodes.items():
        if not isinstance(item, Mapping):
            raise NirError(f"node '{name_of((*path, name))}' holds no fields; export the network again")
        made[name] = _node(item, (*path, name), name in targets, notes)
    metadata = group.get("metadata")
    return RawGraph(path, made, pairs, metadata if isinstance(metadata, Mapping) else {})


def _node(group: Mapping[str, Any], path: Path, has_source: bool, notes: Notes) -> RawNode | RawGraph:
    name = name_of(path)
    kind = _text(group.get("type"))
    if kind is None:
        kind = class_by_fields(group, has_source, name, notes)
    elif kind not in PARAMETERS:
        kind = old_class(kind, name, notes)
    if kind == "NIRGraph":
        return _graph({**group, "type": kind}, path, notes)
    fields = without_types(kind, {k: v for k, v in group.items() if k not in ("type", "metadata")}, name, notes)
    kind, fields = renamed_fields(kind, fields, name, notes)
    needed, allowed = PARAMETERS[kind]
    for key in (key for key in needed if key not in fields):
        if (kind, key) != ("Output", "shape"):
            raise NirError(f"node '{name}' ({kind}) lacks the field '{key}'; export it again")
        notes.mend(name, "it has no shape", "the shape of what enters it is taken")
    if extra := set(fields) - set(needed) - set(allowed):
        raise NirError(f"node '{name}' ({kind}) has a field '{shown(min(extra))}', which NIR does not know")
    if any(isinstance(value, Mapping) for value in fields.values()):
        raise NirError(f"node '{name}' ({kind}) has a field that is no number and no array; export it again")
    return RawNode(path, kind, fields)


def _edges(edges: Any, where: str, path: Path, notes: Notes) -> list[tuple[str, str]]:
    table = np.asarray(edges)
    if table.size == 0:
        return []
    if table.ndim != 2 or table.shape[1] != 2:
        raise NirError(f"{where}: its edges have shape {table.shape}; they must be pairs of names, so export it again")
    if len(table) > MAX_EDGES:
        raise NirError(f"{where}: it has {len(table)} edges, more than {MAX_EDGES}; no network has")
    if table.dtype.kind in "iu":
        notes.mend(name_of(path), "its edges are numbers and not names", "the numbers are taken for names")
        table = table.astype(str).astype(object)
    if any(not isinstance(name, str) for name in table.reshape(-1)):
        raise NirError(f"{where}: its edges are of type {table.dtype} and no names; export it again")
    pairs = [(str(source), str(target)) for source, target in table]
    if len(set(pairs)) < len(pairs):
        seen: set[tuple[str, str]] = set()
        source, target = next(pair for pair in pairs if pair in seen or seen.add(pair))  # type: ignore[func-returns-value]
        twice = f"edge {shown(source)} -> {shown(target)} appears twice"
        notes.mend(name_of(path), twice, "it is kept once, as the early versions of nir did")
        pairs = list(dict.fromkeys(pairs))
    return pairs


def _check_count(graph: RawGraph) -> None:
    count, waiting = 0, [graph]
    while waiting:
        inner = waiting.pop()
        count += len(inner.nodes)
        if count > MAX_NODES:
            raise NirError(f"it has more than {MAX_NODES} nodes; no network has")
        waiting += [node for node in inner.nodes.values() if isinstance(node, RawGraph)]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
