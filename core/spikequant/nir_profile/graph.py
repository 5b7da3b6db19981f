"""A program as a NIR graph, both halves: lattice numbers in the nodes, the contract in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir

from spikequant.errors import NirError
from spikequant.nir_profile.beyond import beyond_nir
from spikequant.nir_profile.fields import DIGEST
from spikequant.nir_profile.layers import layer_fields, layer_to_nir, or_threshold, sizes
from spikequant.nir_profile.metadata import graph_metadata, node_metadata
from spikequant.nir_profile.neurons import Kinds, LifMapping, NodeMapping
from spikequant.nir_profile.profile import KEY, OR_SUFFIX, OUTPUT_SUFFIX
from spikequant.program import Lif, Node, PoolOr, Program, Readout, SpikingNode


def build_graph(program: Program, beyond_counts: Mapping[str, int] | None = None, kinds: Kinds | None = None) -> Any:
    """Return the ``nir.NIRGraph`` of ``program``.

    Args:
        program: What to express.
        beyond_counts: How often each rule beyond NIR acted on the calibration data.
        kinds: Mappings for spiking nodes of plugins, by kind.

    Raises:
        NirError: NIR or float32 cannot hold a node; the message names it.
    """
    if not 1e-30 < program.dt < 1e30:
        raise NirError(f"dt is {program.dt} s; NIR's time constants need a positive one that fits float32")
    nodes: dict[str, nir.NIRNode] = {}
    for node in program.nodes:
        nodes[node.name] = _main_node(program, node, kinds or {})
    digests = [nodes[node.name].metadata[KEY][DIGEST] for node in program.nodes]
    for node in program.nodes:
        if isinstance(node, PoolOr):
            _add(nodes, node, OR_SUFFIX, or_threshold(program.shapes[node.name]), "pool_or_step")
    for node in ends(program):
        _add(nodes, node, OUTPUT_SUFFIX, nir.Output({"output": sizes(program.shapes[node.name])}), "output")
    metadata = graph_metadata(program, beyond_nir(program, beyond_counts, kinds), digests)
    return nir.NIRGraph(nodes=nodes, edges=_edges(program), metadata={KEY: metadata}, type_check=False)


def mapping_of(kinds: Kinds, kind: str) -> NodeMapping | None:
    """Return the mapping of a spiking node's kind: a caller's, or the profile's own for ``lif``."""
    return kinds.get(kind, LifMapping() if kind == Lif.kind else None)


def ends(program: Program) -> tuple[Node, ...]:
    """Return the nodes whose value no node of the same timestep takes and which are no readouts."""
    used = {edge.source for edge in program.edges if not edge.delayed}
    return tuple(node for node in program.nodes if node.name not in used and not isinstance(node, Readout))


def _main_node(program: Program, node: Node, kinds: Kinds) -> nir.NIRNode:
    shape = program.shapes[node.name]
    if isinstance(node, SpikingNode):
        mapping = mapping_of(kinds, node.kind)
        if mapping is None or (isinstance(mapping, LifMapping) and type(node) is not Lif):
            raise NirError(
                f"node '{node.name}' ({type(node).__name__}, kind '{node.kind}'): the NIR profile has no mapping for"
                f" this neuron; pass its plugin's one as kinds={{'{node.kind}': mapping}}"
            )
        made, fields = mapping.to_nir(node, shape, program.dt), mapping.fields(node)
    else:
        sources = [program.shapes[edge.source] for edge in program.inputs_of(node.name)]
        made, fields = layer_to_nir(node, shape, sources[0] if sources else ()), layer_fields(node)
    made.metadata = {KEY: node_metadata(node.name, node.kind, fields)}
    return made


def _add(nodes: dict[str, nir.NIRNode], node: Node, suffix: str, made: nir.NIRNode, kind: str) -> None:
    """Add a NIR node that stands for no node of the program but helps one."""
    name = node.name + suffix
    if name in nodes:
        raise NirError(f"node '{name}': the profile needs this name beside '{node.name}'; give the node another name")
    made.metadata = {KEY: node_metadata(name, kind, {"of": node.name})}
    nodes[name] = made


def _edges(program: Program) -> list[tuple[str, str]]:
    tail = {node.name: node.name + OR_SUFFIX for node in program.nodes if isinstance(node, PoolOr)}
    edges = [(name, tail[name]) for name in tail]
    for edge in program.edges:
        if isinstance(program.by_name[edge.source], Readout):
            raise NirError(
                f"edge {edge.source} -> {edge.target}: a readout is NIR's Output, which nothing can follow;"
                " end the program at the readout"
            )
        edges.append((tail.get(edge.source, edge.source), edge.target))
    edges += [(tail.get(node.name, node.name), node.name + OUTPUT_SUFFIX) for node in ends(program)]
    twice = {pair for pair in edges if edges.count(pair) > 1} if len(set(edges)) < len(edges) else set()
    if twice:
        source, target = min(twice)
        raise NirError(
            f"edge {source} -> {target}: it appears twice, and NIR keeps an edge once; double the weights instead"
        )
    return edges
