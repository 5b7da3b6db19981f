"""The graph's metadata: everything that belongs to the program as a whole and not to one node."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from spikequant.errors import NirError
from spikequant.nir_profile.beyond import BeyondNir, beyond_nir
from spikequant.nir_profile.fields import DIGEST, Fields, digest, pack
from spikequant.nir_profile.layers import DECODE
from spikequant.nir_profile.profile import LATERAL_VERSION, MAPPED_RULES_VERSION, PROFILE_VERSION, UNSIGNED_VERSION
from spikequant.program import Edge, Lateral, Program, Weighted

GRAPH = "graph"


def graph_metadata(program: Program, beyond: Sequence[BeyondNir], digests: Iterable[str]) -> dict[str, Any]:
    """Return the packed metadata of the graph.

    Args:
        program: What is written.
        beyond: Its rules beyond NIR.
        digests: Digest of each node's metadata, in the order of ``program.nodes``.

    Raises:
        NirError: The provenance is not plain data.
    """
    packed = pack(
        GRAPH,
        {
            "profile": _version(program, beyond),
            "dt": float(program.dt),
            "timesteps": program.timesteps,
            "decode": DECODE if program.readouts else "spikes",
            "order": json.dumps([node.name for node in program.nodes]),
            "edges": json.dumps([[edge.source, edge.target, bool(edge.delayed)] for edge in program.edges]),
            "provenance": _provenance(program),
            "beyond_nir": json.dumps([asdict(item) for item in beyond]),
            "node_digests": json.dumps(list(digests)),
        },
    )
    return packed | {DIGEST: digest(packed)}


def node_metadata(name: str, kind: str, fields: Any) -> dict[str, Any]:
    """Return the packed metadata of one node."""
    packed = pack(f"node '{name}'", {"kind": kind, **fields})
    return packed | {DIGEST: digest(packed)}


def _version(program: Program, beyond: Sequence[BeyondNir]) -> int:
    """Return the oldest version of the profile that holds ``program``, so that older readers read what they can."""
    if any(isinstance(node, Weighted) and not node.signed for node in program.nodes):
        return UNSIGNED_VERSION
    if [(b.rule, b.nodes) for b in beyond] != [(b.rule, b.nodes) for b in beyond_nir(program)]:
        return MAPPED_RULES_VERSION
    return LATERAL_VERSION if any(isinstance(node, Lateral) for node in program.nodes) else 1


def check_version(fields: Fields) -> None:
    """Raise :class:`NirError` unless this package reads the file's profile version."""
    version = fields.integer("profile")
    if version > PROFILE_VERSION:
        raise NirError(
            f"the file has quantization profile {version}, and this spikequant reads up to {PROFILE_VERSION};"
            " upgrade spikequant"
        )
    if version < 1:
        raise NirError(f"the file says quantization profile {version}; versions start at 1")


def order_of(fields: Fields) -> list[str]:
    """Return the names of the program's nodes in their order."""
    names = fields.json("order")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise NirError("graph: 'order' in the metadata must be a list of node names")
    if len(set(names)) < len(names):
        raise NirError("graph: 'order' in the metadata names a node twice")
    return names


def edges_of(fields: Fields) -> tuple[Edge, ...]:
    """Return the program's edges in their order."""
    rows = fields.json("edges")
    if not isinstance(rows, list):
        raise NirError("graph: 'edges' in the metadata must be a list")
    edges = []
    for row in rows:
        if not (isinstance(row, list) and [type(item) for item in row] == [str, str, bool]):
            raise NirError(f"graph: edge {str(row)[:80]} in the metadata must be [source, target, delayed]")
        edges.append(Edge(*row))
    return tuple(edges)


def digests_of(fields: Fields, count: int) -> list[str]:
    """Return the digest of each node's metadata, in the order of the nodes."""
    digests = fields.json("node_digests")
    if not isinstance(digests, list) or len(digests) != count:
        raise NirError(f"graph: 'node_digests' in the metadata must be a list of {count} digests")
    return digests


def beyond_of(fields: Fields) -> dict[str, int]:
    """Return how often each rule beyond NIR acted, for those that were counted."""
    rows = fields.json("beyond_nir")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "rule" in row for row in rows):
        raise NirError("graph: 'beyond_nir' in the metadata must be a list of rules")
    return {str(row["rule"]): row["acted"] for row in rows if isinstance(row.get("acted"), int)}


def provenance_of(fields: Fields) -> dict[str, Any]:
    """Return the program's provenance."""
    provenance = fields.json("provenance")
    if not isinstance(provenance, dict):
        raise NirError("graph: 'provenance' in the metadata must be a mapping")
    return provenance


def _provenance(program: Program) -> str:
    try:
        return json.dumps(dict(program.provenance), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise NirError(
            f"graph: provenance is not plain data ({error}); use text, numbers, lists and mappings"
        ) from error
