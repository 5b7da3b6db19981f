"""A program as a plain NIR graph for the readers of others: no metadata, only nodes that they know.

The graph alone is exact already (docs/nir-profile.md). What stops other readers is form: metadata and ``v_reset``
where they are older than nir 1.0.6, a Scale of ones where two edges meet, a Linear where only Affine is known, a
Flatten whose dimensions they count with the batch, nodes that do not follow what feeds them, a loop in a flat graph,
and neurons whose ``r`` or ``v_leak`` a reader ignores or refuses. Each step here changes the form and keeps every
number that a neuron computes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import h5py
import nir
import numpy as np

from spikequant.errors import NirError
from spikequant.nir_profile.folding import fold
from spikequant.nir_profile.graph import build_graph
from spikequant.nir_profile.nesting import nest
from spikequant.nir_profile.neurons import Kinds
from spikequant.nir_profile.write import write_file
from spikequant.program import Add, Program

NirVersion = Literal["1.0.8", "1.0.4"]
"""Whose layout a plain file has: ``1.0.8`` for nir 1.0.6 and newer, ``1.0.4`` for nir up to 1.0.5."""

NIR_VERSIONS: tuple[NirVersion, ...] = get_args(NirVersion)

NEWEST: NirVersion = "1.0.8"

NEW_CLASSES = ("CubaLI",)
"""Node classes that nir 1.0.4 does not know."""


@dataclass(frozen=True)
class PlainForm:
    """What a plain file looks like.

    Attributes:
        nir_version: Whose layout. A reader up to nir 1.0.5 refuses ``v_reset``, so ``1.0.4`` leaves it out.
        unit_gain: Give every LIF ``r = 1`` and ``v_leak = 0``, for readers that ignore or refuse other values;
            the layers before it take both up.

    Raises:
        NirError: The version is not one of :data:`NIR_VERSIONS`.
    """

    nir_version: NirVersion = NEWEST
    unit_gain: bool = False

    def __post_init__(self) -> None:
        if self.nir_version not in NIR_VERSIONS:
            raise NirError(f"nir_version is {self.nir_version!r}; it must be one of {', '.join(NIR_VERSIONS)}")


def plain_graph(program: Program, kinds: Kinds | None = None, *, unit_gain: bool = False) -> Any:
    """Return the ``nir.NIRGraph`` of ``program`` without metadata and without nodes that only add.

    Args:
        program: What to express.
        kinds: Mappings for spiking nodes of plugins, by kind.
        unit_gain: See :class:`PlainForm`.

    Raises:
        NirError: NIR or float32 cannot hold a node, or with ``unit_gain`` no layer can take a gain up.
    """
    graph = build_graph(program, kinds=kinds)
    nodes, edges = dict(graph.nodes), [tuple(edge) for edge in graph.edges]
    for node in program.order:
        if isinstance(node, Add):
            edges = _joined(node.name, edges)
            del nodes[node.name]
    nodes = {name: _familiar(node) for name, node in nodes.items()}
    if unit_gain:
        nodes = fold(nodes, edges)
    for made in nodes.values():
        made.metadata = {}
    nodes, edges = nest(nodes, edges)
    rank = {node.name: place for place, node in enumerate(program.order)}
    in_order = sorted(nodes, key=lambda name: rank.get(name, len(rank)))
    return nir.NIRGraph(nodes={name: nodes[name] for name in in_order}, edges=edges, type_check=False)


def write_plain(
    program: Program, path: str | os.PathLike[str], form: PlainForm | None = None, kinds: Kinds | None = None
) -> None:
    """Write ``program`` as a plain NIR file; it appears whole or not at all.

    Args:
        program: What to write.
        path: The file, by habit ``NAME.nir``; an existing one is replaced.
        form: What it looks like; the newest layout by default.
        kinds: Mappings for spiking nodes of plugins, by kind.

    Raises:
        NirError: As for :func:`plain_graph`; the layout cannot hold a node; or the file cannot be written.
    """
    chosen = form or PlainForm()
    graph = plain_graph(program, kinds, unit_gain=chosen.unit_gain)
    left_out = "" if chosen.nir_version == NEWEST else "v_reset"
    if left_out:
        _check_old(graph)
    scratch, content = io.BytesIO(), io.BytesIO()
    nir.write(scratch, graph)
    with h5py.File(scratch, "r") as made, h5py.File(content, "w") as file:
        file.create_dataset("version", data=chosen.nir_version)
        _copy(made["node"], file.create_group("node"), graph, left_out)
    write_file(content, path)


def _copy(source: Any, target: Any, graph: Any, left_out: str) -> None:
    """Copy a graph's group without the field ``left_out``, its nodes so that a reader meets them in their order."""
    for field in set(source) - {"nodes"}:
        source.copy(field, target)
    nodes = target.create_group("nodes", track_order=True)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            _copy(source["nodes"][name], nodes.create_group(name), node, left_out)
        else:
            source["nodes"].copy(name, nodes)
            nodes[name].pop(left_out, None)


def _familiar(node: Any) -> Any:
    """Return what more readers know: an Affine for a Linear, a Flatten that counts its dimensions from the end."""
    if isinstance(node, nir.Linear):
        return nir.Affine(weight=node.weight, bias=np.zeros(node.weight.shape[0], np.float32))
    if isinstance(node, nir.Flatten):  # from the end they mean the same with and without a batch
        return nir.Flatten(input_type=node.input_type, start_dim=-len(node.input_type["input"]), end_dim=-1)
    return node


def _joined(name: str, edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return ``edges`` with those into and out of the adding node ``name`` joined, since NIR sums edges itself."""
    before = [source for source, target in edges if target == name]
    after = [target for source, target in edges if source == name]
    kept = [edge for edge in edges if name not in edge]
    new = [(source, target) for target in after for source in before]
    twice = set(new) & set(kept)
    if twice or len(set(new)) < len(new):
        source, target = min(twice or new)
        raise NirError(
            f"edge {source} -> {target}: without the node '{name}' it would appear twice, and NIR keeps an edge once;"
            " export with the profile instead"
        )
    return kept + new


def _check_old(graph: Any) -> None:
    """Raise :class:`NirError` unless nir 1.0.4 can say what the nodes do: it has no ``v_reset`` and no CubaLI."""
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            _check_old(node)
        if type(node).__name__ in NEW_CLASSES:
            raise NirError(
                f"node '{name}': nir 1.0.4 does not know {type(node).__name__}; write the layout of {NEWEST}"
            )
        v_reset = np.asarray(getattr(node, "v_reset", 0.0))
        if np.any(v_reset):
            raise NirError(
                f"node '{name}': it resets to {v_reset.flat[0]:g}, and nir 1.0.4 has no v_reset;"
                f" write the layout of {NEWEST}, or reset to zero"
            )
