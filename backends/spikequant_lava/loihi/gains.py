"""By how much each weighted node must scale what it sends, so that stock LIF after it sees the program's units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikequant.program import (
    Add,
    Flatten,
    IntArray,
    Node,
    PoolSum,
    Program,
    Readout,
    SpikingNode,
    Weighted,
)
from spikequant.program.arithmetic import per_neuron
from spikequant_lava.loihi.mapping import Fed, Stock

Reasons = dict[str, str]


def weights_before(program: Program, name: str) -> tuple[Node, ...]:
    """Return the nodes whose values add up to the input of ``name``: weights, or whatever else stands there."""
    found: list[Node] = []
    for edge in program.inputs_of(name):
        source = program.by_name[edge.source]
        through = isinstance(source, (Add, Flatten))
        found += weights_before(program, source.name) if through else [source]
    return tuple(found)


def fed(program: Program, node: SpikingNode) -> Fed:
    """Return what feeds a spiking node."""
    before = weights_before(program, node.name)
    zeros = [trailing_zeros(source) for source in before]
    low, high = program.ranges[program.source_of(node.name).name]
    shape = program.shapes[node.name]
    bias: IntArray = np.zeros((1, *shape), np.int64)
    source = program.source_of(node.name)
    if isinstance(source, Weighted) and source.bias is not None:
        bias = bias + per_neuron(source.bias, bias.ndim)
    return Fed(min(zeros), max(zeros), max(-low, high), bias[0])


def trailing_zeros(node: Node) -> int:
    """Return how often 2 divides all codes of a node; 0 for one without codes.

    >>> from spikequant.program import Dense
    >>> trailing_zeros(Dense("fc", np.array([[64, -128]]), bits=9))
    6
    """
    if not isinstance(node, Weighted):
        return 0
    joined = int(np.bitwise_or.reduce(np.abs(node.codes).ravel()))
    return (joined & -joined).bit_length() - 1 if joined else 0


def gains(program: Program, stocks: Mapping[str, Stock]) -> tuple[dict[str, int], Reasons]:
    """Return the gain of every weighted node and ``pool_sum``, and why some node cannot have the one it needs.

    A gain is asked for by the neurons that follow; a readout divides by whatever it gets.
    """
    asked: dict[str, dict[int, str]] = {
        node.name: {} for node in program.order if isinstance(node, (Weighted, PoolSum))
    }
    reasons: Reasons = {}
    for node in program.order:
        if isinstance(node, (Readout, Add, Flatten)):
            continue
        wanted = stocks[node.name].gain if node.name in stocks else 0
        for source in weights_before(program, node.name):
            if source.name in asked:
                asked[source.name][wanted] = node.name
            elif wanted:
                reasons[node.name] = (
                    f"stock LIF needs its input times 2**{wanted}, and '{source.name}' ({source.kind})"
                    " has no weights to scale"
                )
    for name, found in asked.items():
        if len(found) > 1:
            listed = " and ".join(f"2**{gain} for '{who}'" for gain, who in sorted(found.items()))
            reasons[name] = f"it would have to scale by {listed} at once"
    chosen = {name: next(iter(found), 0) for name, found in asked.items()}
    for readout in program.readouts:
        if len({chosen.get(source.name, 0) for source in weights_before(program, readout.name)}) > 1:
            reasons[readout.name] = "what it adds up arrives at different scales"
    return chosen, reasons
