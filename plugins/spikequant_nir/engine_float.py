"""A graph of NIR in floats, ready to run."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spikequant_nir.dynamics import NEURON_KINDS, Cell, cell_of
from spikequant_nir.engine import Runner
from spikequant_nir.engine_neurons import FloatNeurons, Grid
from spikequant_nir.engine_plain import Delayed, plain
from spikequant_nir.graph import Graph
from spikequant_nir.rules import Rules

Arrays = Mapping[str, Mapping[str, Tensor]]
"""For each node its arrays by field name."""


def cells(graph: Graph, rules: Rules, arrays: Arrays) -> dict[str, Cell]:
    """Return the cell of every layer of neurons."""
    return {n.name: cell_of(n.kind, arrays[n.name], rules) for n in graph.nodes if n.kind in NEURON_KINDS}


def float_runner(
    graph: Graph,
    rules: Rules,
    arrays: Arrays,
    device: torch.device | str = "cpu",
    grids: Mapping[str, Grid] | None = None,
) -> Runner:
    """Return what runs ``graph``; it is differentiable where arrays require gradients.

    Args:
        graph: The network.
        rules: Of the simulation.
        arrays: Values.
        device: Where to run.
        grids: For neurons whose potential is rounded at every step although all else is floats.
    """
    where, known = torch.device(device), grids or {}
    layers = {
        node.name: plain(node, arrays[node.name])
        for node in graph.nodes
        if node.kind not in NEURON_KINDS | {"Input", "Delay"}
    }
    neurons = {name: FloatNeurons(cell, where, known.get(name)) for name, cell in cells(graph, rules, arrays).items()}
    return Runner(
        names=[node.name for node in graph.nodes],
        edges=graph.edges,
        shapes={node.name: node.shape for node in graph.nodes},
        layers=layers,
        neurons=neurons,
        buffered={node.name: Delayed(node, rules) for node in graph.nodes if node.kind == "Delay"},
        outputs=[node.name for node in graph.outputs],
        device=where,
    )
