"""A graph in words, for ``spikequant inspect``."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from spikequant.importer import Finding, InspectedNode, Inspection
from spikequant_nir.graph import Graph


def inspection(graph: Graph, version: str, findings: tuple[Finding, ...]) -> Inspection:
    """Return what ``graph`` is, node by node."""
    nodes = tuple(
        InspectedNode(
            node.name,
            node.kind,
            node.shape,
            {key: array_in_words(array) for key, array in node.arrays.items()},
            {key: str(value) for key, value in node.settings.items()}
            | ({"name in the file": node.origin} if node.origin != node.name else {}),
        )
        for node in graph.nodes
    )
    place = {node.name: index for index, node in enumerate(graph.nodes)}
    edges = sorted((edge.source, edge.target) for edge in graph.edges)
    return Inspection(
        format=f"NIR {version}" if version else "NIR",
        nodes=nodes,
        edges=tuple(sorted(edges, key=lambda edge: (place[edge[0]], place[edge[1]]))),
        inputs={node.name: node.shape for node in graph.inputs},
        outputs={node.name: node.shape for node in graph.outputs},
        findings=findings,
    )


def array_in_words(array: NDArray[Any]) -> str:
    """Return type, shape and range.

    >>> import numpy as np
    >>> array_in_words(np.array(0.5)), array_in_words(np.array([[-1.79, 0.5]], np.float32))
    ('0.5', 'float32 (1, 2), -1.79 to 0.5')
    """
    if not array.ndim:
        return f"{float(array):.6g}"
    return f"{array.dtype} {array.shape}, {float(array.min()):.6g} to {float(array.max()):.6g}"
