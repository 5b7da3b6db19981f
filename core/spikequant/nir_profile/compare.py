"""Hold a graph from a file against the one that its program would be written as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.errors import NirError
from spikequant.nir_profile.profile import KEY


def check_same(found: Any, expected: Any) -> None:
    """Raise :class:`NirError` at the first node, field or edge in which two NIR graphs differ.

    Metadata of others beside the profile's, and the order of nodes and edges, do not count.
    """
    for name in sorted(set(expected.nodes) - set(found.nodes)):
        raise NirError(f"node '{name}': the metadata needs it, and the graph lacks it")
    for name in sorted(set(found.nodes) - set(expected.nodes)):
        raise NirError(f"node '{name}': the graph has it, and the metadata does not know it")
    for name in expected.nodes:
        _check_node(name, found.nodes[name].to_dict(), expected.nodes[name].to_dict())
    edges, wanted = [tuple(edge) for edge in found.edges], [tuple(edge) for edge in expected.edges]
    if sorted(edges) != sorted(wanted):
        lost, extra = set(wanted) - set(edges), set(edges) - set(wanted)
        what = f"lacks {' -> '.join(min(lost))}" if lost else "has one edge twice"
        what = f"has {' -> '.join(min(extra))}, which the metadata does not know" if extra and not lost else what
        raise NirError(f"graph: the edges do not match the metadata: the graph {what}")
    _check_metadata("graph", found.metadata[KEY], expected.metadata[KEY])


def _check_node(name: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if found["type"] != expected["type"]:
        raise NirError(f"node '{name}': it is a {found['type']}, and its metadata makes it a {expected['type']}")
    for field in sorted(set(expected) - {"metadata", "type"}):
        if not _equal(found.get(field), expected[field]):
            raise NirError(
                f"node '{name}': {field} is {_shown(found.get(field))}, and its metadata makes it"
                f" {_shown(expected[field])}; the halves of the file disagree, so write it again from the program"
            )
    _check_metadata(f"node '{name}'", found["metadata"].get(KEY), expected["metadata"][KEY])


def _check_metadata(owner: str, found: Any, expected: Mapping[str, Any]) -> None:
    if not isinstance(found, Mapping):
        raise NirError(f"{owner}: it has no metadata of the quantization profile; write the file again")
    for key in sorted(set(found) | set(expected)):
        if key not in found or key not in expected or not _equal(found[key], expected[key]):
            raise NirError(
                f"{owner}: '{key}' in the metadata is {_shown(found.get(key))}, and it must be"
                f" {_shown(expected.get(key))}; write the file again from the program"
            )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    return a is not None and b is not None and np.array_equal(np.asarray(a), np.asarray(b))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"an array of shape {value.shape} ({', '.join(str(v) for v in value.reshape(-1)[:3])}, ...)"
    return repr(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)[:80]
