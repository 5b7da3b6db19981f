"""Energy by layer and by kind of work: what a person looks at first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from spikequant.counts import Counts
from spikequant.energy.report import EnergyLine, EnergyReport, is_synaptic
from spikequant.program import Node, Program, Readout, SpikingNode, Weighted

Work = Literal["accumulate", "neuron", "weights", "spikes", "potential", "other"]
WORK: tuple[Work, ...] = get_args(Work)
_MEMORY: Mapping[str, Work] = {
    "weights": "weights",
    "inputs": "spikes",
    "spikes": "spikes",
    "potential": "potential",
    "potentials": "potential",
    "state": "potential",
}


@dataclass(frozen=True)
class LayerEnergy:
    """Energy of one layer per sample, in pJ, under each kind of work.

    Attributes:
        layer: Names of its nodes with weights and of the neurons or readout they feed.
        pj: ``accumulate`` (accumulates, biases, shortcuts, pooling sums), ``neuron`` (leak, add, compare, register
            writes, scaling, readout), and traffic of ``weights``, ``spikes`` (inputs too), ``potential`` and
            ``other`` (partial sums).
    """

    layer: str
    pj: Mapping[Work, float] = field(default_factory=dict)

    @property
    def compute_pj(self) -> float:
        """Energy of all operations."""
        return self.pj["accumulate"] + self.pj["neuron"]

    @property
    def memory_pj(self) -> float:
        """Energy of all traffic."""
        return math.fsum(self.pj[work] for work in WORK[2:])


def layers_of(program: Program) -> dict[str, str]:
    """Return for each node the layer it works for, in topological order.

    A layer is a spiking or readout node with all that feeds it without a spike between; its name joins the names of its
    nodes with weights and its own.

    >>> import numpy as np
    >>> from spikequant.program import Dense, Flatten, Input, Lif, chain
    >>> nodes = [Input("input", (1, 1, 2)), Flatten("flat"), Dense("fc", np.ones((3, 2), int)), Lif("lif")]
    >>> layers_of(chain(nodes, timesteps=1))
    {'input': 'fc+lif', 'flat': 'fc+lif', 'fc': 'fc+lif', 'lif': 'fc+lif'}
    """
    ends = {node.name: _end(program, node) for node in program.order}
    members: dict[str, list[str]] = {}
    for node in program.order:
        if isinstance(node, Weighted) or node.name == ends[node.name]:
            members.setdefault(ends[node.name], []).append(node.name)
    return {name: "+".join(members[end]) for name, end in ends.items()}


def _end(program: Program, node: Node) -> str:
    """The first spiking or readout node on a node's way; itself where there is none."""
    waiting, seen = [node], {node.name}
    while waiting:
        here = waiting.pop(0)
        if isinstance(here, (SpikingNode, Readout)):
            return here.name
        after = [edge.target for edge in program.edges if edge.source == here.name]
        waiting += [program.by_name[name] for name in after if name not in seen]
        seen.update(after)
    return node.name


def by_layer(report: EnergyReport, counts: Counts, layers: Mapping[str, str]) -> tuple[LayerEnergy, ...]:
    """Return a report's energy by layer and kind of work; the parts sum up to the report's total.

    Args:
        report: What :func:`spikequant.energy.energy_of` made of ``counts``.
        counts: What was billed.
        layers: What :func:`layers_of` returned; a node that is not there is a layer of its own.
    """
    parts: dict[str, dict[Work, list[float]]] = {}
    for line in report.lines:
        layer = parts.setdefault(layers.get(line.node, line.node), {work: [] for work in WORK})
        layer[work_of(line, counts)].append(line.energy_pj)
    order = {name: place for place, name in enumerate(dict.fromkeys(layers.values()))}
    found = [LayerEnergy(name, {work: math.fsum(pj) for work, pj in of.items()}) for name, of in parts.items()]
    return tuple(sorted(found, key=lambda energy: order.get(energy.layer, len(order))))


def work_of(line: EnergyLine, counts: Counts) -> Work:
    """Return the kind of work that a line of a report is."""
    if line.part == "memory":
        return moved(line.what.partition(" ")[2])
    node = counts.nodes[line.node]
    updates = node.steps > 0 or (line.what == "multiply" and not is_synaptic(node))
    return "neuron" if updates and line.what != "accumulate" else "accumulate"


def moved(what: str) -> Work:
    """Return the kind of traffic; ``other`` for what else a backend moves."""
    return _MEMORY.get(what, "other")
