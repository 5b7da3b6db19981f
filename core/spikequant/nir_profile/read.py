"""Read an integer program from a ``.nir`` file, and refuse one whose two halves disagree."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.errors import NirError, ProgramError
from spikequant.nir_profile.compare import check_same
from spikequant.nir_profile.fields import DIGEST, Fields
from spikequant.nir_profile.graph import build_graph, mapping_of
from spikequant.nir_profile.layers_read import layer_from_nir
from spikequant.nir_profile.metadata import (
    GRAPH,
    beyond_of,
    check_version,
    digests_of,
    edges_of,
    order_of,
    provenance_of,
)
from spikequant.nir_profile.neurons import Kinds
from spikequant.nir_profile.profile import KEY
from spikequant.nir_profile.read_graph import DAMAGE, read_graph
from spikequant.program import Node, Program, check_name

MAX_NEURONS = 1 << 26


def read_program(path: str | os.PathLike[str], kinds: Kinds | None = None) -> Program:
    """Read what :func:`~spikequant.nir_profile.write_program` wrote.

    The integers are re-derived from the float parameters and held against the metadata; then the program
    is expressed as NIR once more, and every field of every node must be that of the file.

    Args:
        path: The file.
        kinds: Mappings for spiking nodes of plugins, by kind.

    Raises:
        NirError: The file cannot be read, has no quantization profile or a newer one, or its halves
            disagree; the message names the file, the node and the field.
    """
    graph = read_graph(path)
    try:
        with np.errstate(all="ignore"):
            return program_of(graph, kinds)
    except (NirError, ProgramError) as error:
        raise NirError(f"{os.fspath(path)}: {error}") from error
    except DAMAGE as error:
        reason = str(error).strip() or type(error).__name__
        raise NirError(f"{os.fspath(path)}: its fields make no sense ({reason[:200]}); write it again") from error


def program_of(graph: Any, kinds: Kinds | None = None) -> Program:
    """Return the program in a ``nir.NIRGraph`` that carries the quantization profile; see :func:`read_program`."""
    if KEY not in graph.metadata:
        raise NirError(
            "it has no quantization profile, so it is a float model; make a run of it with 'spikequant import',"
            " or read it with read_graph"
        )
    fields = _fields(GRAPH, graph.metadata)
    check_version(fields)
    fields.check_digest()
    names = order_of(fields)
    nodes = tuple(_node(name, graph, kinds or {}) for name in names)
    for name, written in zip(names, digests_of(fields, len(names)), strict=True):
        if graph.nodes[name].metadata[KEY][DIGEST] != written:
            raise NirError(f"node '{name}': its metadata is not what this graph was written with; write the file again")
    program = Program(nodes, edges_of(fields), fields.integer("timesteps"), fields.number("dt"), provenance_of(fields))
    _check_size(program)
    check_same(graph, build_graph(program, beyond_of(fields), kinds))
    return program


def _node(name: str, graph: Any, kinds: Kinds) -> Node:
    check_name(name)
    if name not in graph.nodes:
        raise NirError(f"node '{name}': the metadata needs it, and the graph lacks it")
    found = graph.nodes[name]
    fields = _fields(f"node '{name}'", found.metadata)
    kind = fields.text("kind")
    made = layer_from_nir(kind, name, found, fields)
    if made is None:
        mapping = mapping_of(kinds, kind)
        if mapping is None:
            raise NirError(
                f"node '{name}': its kind is {kind[:80]!r}, for which no mapping was given; install its plugin, or pass"
                f" kinds={{{kind[:80]!r}: mapping}}"
            )
        made = mapping.from_nir(name, found, fields)
    fields.check_digest()
    return made


def _check_size(program: Program) -> None:
    """Refuse shapes that the file only names, before anything of that shape is made."""
    for name, shape in program.shapes.items():
        if math.prod(shape) > MAX_NEURONS:
            raise NirError(f"node '{name}': its shape {shape} holds more than {MAX_NEURONS} values; no network does")


def _fields(owner: str, metadata: Mapping[str, Any]) -> Fields:
    packed = metadata.get(KEY)
    if not isinstance(packed, Mapping):
        raise NirError(f"{owner}: it has no metadata of the quantization profile; write the file again")
    return Fields(owner, packed)
