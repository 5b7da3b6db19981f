"""Recurrent layers as graphs of their own: a loop in a flat graph is what most readers get wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nir
import numpy as np

from spikequant.nir_profile.layers import sizes

NEURONS = (nir.LIF, nir.IF, nir.CubaLIF)
Edge = tuple[str, str]


def nest(nodes: Mapping[str, Any], edges: Sequence[Edge]) -> tuple[dict[str, Any], list[Edge]]:
    """Return a graph in which neurons and the weights from them back to them are one node, a graph.

    Args:
        nodes: Of a flat graph, by name.
        edges: Between them.

    Returns:
        Nodes, where each such layer has the name of its neurons, and the edges that are left. Weights that join
        others too stay where they are. A bias of the weights goes into a layer before, if one can take it up:
        a reader whose loop starts with zeros leaves it out in the first timestep.
    """
    made, left = dict(nodes), list(edges)
    for name, node in nodes.items():
        loops = {back: made[back] for back in nodes if _loops(name, back, nodes, edges)}
        if not isinstance(node, NEURONS) or not loops:
            continue
        before = _feeder(name, loops, made, edges)
        for back, layer in loops.items():
            if before is not None:
                bias = (made[before].bias.astype(np.float64) + layer.bias).astype(np.float32)
                made[before] = nir.Affine(weight=made[before].weight, bias=bias)
                loops[back] = nir.Affine(weight=layer.weight, bias=np.zeros_like(layer.bias))
            del made[back]
            left = [edge for edge in left if back not in edge]
        made[name] = _layer(name, node, loops)
    return made, left


def _feeder(name: str, loops: Mapping[str, Any], nodes: Mapping[str, Any], edges: Sequence[Edge]) -> str | None:
    """Return the first Affine that feeds the neurons ``name`` alone, from outside."""
    for source, target in edges:
        alone = [edge for edge in edges if edge[0] == source] == [(source, name)]
        if target == name and source not in loops and alone and isinstance(nodes[source], nir.Affine):
            return source
    return None


def _loops(name: str, back: str, nodes: Mapping[str, Any], edges: Sequence[Edge]) -> bool:
    """Return whether ``back`` leads from ``name`` to ``name`` and nowhere else."""
    around = [edge for edge in edges if back in edge]
    return isinstance(nodes[back], nir.Affine) and sorted(around) == sorted([(name, back), (back, name)])


def _layer(name: str, neurons: Any, loops: Mapping[str, Any]) -> Any:
    ends = {"input", "output"} & {name, *loops}
    first, last = (f"{name}__{end}" if ends else end for end in ("input", "output"))
    shape = sizes(neurons.v_threshold.shape)
    inner = {first: nir.Input({"input": shape}), **loops, name: neurons, last: nir.Output({"output": shape})}
    edges = [(first, name), *((name, back) for back in loops), *((back, name) for back in loops), (name, last)]
    return nir.NIRGraph(nodes=inner, edges=edges, type_check=False)
