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
from spikequant_lava.placement import STOCK_CODES

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
    source = program.source_of(node.name)
    before = weights_before(program, node.name)
    low, high = program.ranges[source.name]
    return Fed(
        min(trailing_zeros(one) for one in before),
        max(needed_shift(one) for one in before),
        max(-low, high),
        bias_of(program, source),
    )


def bias_of(program: Program, node: Node) -> IntArray:
    """Return what the biases of weights add to the value of ``node``, per neuron, for what follows to add instead."""
    total: IntArray = np.zeros((1, *program.shapes[node.name]), np.int64)
    if isinstance(node, Weighted) and node.bias is not None:
        total = total + per_neuron(node.bias, total.ndim)
    elif isinstance(node, (Add, Flatten)):
        for edge in program.inputs_of(node.name):
            total = total + bias_of(program, program.by_name[edge.source]).reshape(total.shape)
    result: IntArray = total[0]
    return result


def hands_on_bias(program: Program, name: str) -> bool:
    """Whether neurons and readouts alone see the value of ``name``, in the timestep of which it is, added up or not."""
    edges = [edge for edge in program.edges if edge.source == name]
    targets = [program.by_name[edge.target] for edge in edges]
    return all(not edge.delayed for edge in edges) and all(
        isinstance(target, (SpikingNode, Readout))
        or (isinstance(target, (Add, Flatten)) and hands_on_bias(program, target.name))
        for target in targets
    )


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


def needed_shift(node: Node) -> int:
    """Return by how many bits the codes of a node must be shifted right to fit 8, as far as that loses nothing.

    >>> from spikequant.program import Dense
    >>> needed_shift(Dense("fc", np.array([[64, -512]]), bits=10))
    2
    """
    shift, zeros = 0, trailing_zeros(node)
    while isinstance(node, Weighted) and shift < zeros and not fit(node.codes >> shift):
        shift += 1
    return shift


def fit(codes: IntArray) -> bool:
    """Whether codes are signed 8 bit."""
    return STOCK_CODES[0] <= int(codes.min()) and int(codes.max()) <= STOCK_CODES[1]


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
