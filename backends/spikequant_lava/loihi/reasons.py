"""Which nodes of a program stock processes run, with which parameters, and why they cannot run the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikequant.program import (
    Concat,
    Conv2d,
    Lateral,
    Node,
    Pool,
    Program,
    SpikingNode,
    Weighted,
)
from spikequant_lava.loihi.gains import Reasons, fed, fit, gains, hands_on_bias, needed_shift, trailing_zeros
from spikequant_lava.loihi.mapping import MOST_WEIGHT_EXP, Stock, UnfitError, stock_for
from spikequant_lava.loihi.wanted import wanted_of
from spikequant_lava.placement import CONV_LIMIT, DENSE_LIMIT, FIELD_LIMIT, MESSAGE_LIMIT
from spikequant_lava.wiring import Relay, Wiring

LATE: tuple[type[Node], ...] = (Weighted, Pool)
"""What sends a step after it receives: stock Dense and Conv, of which pooling is made here."""
IDENTITY_LIMIT = 4096
"""Neurons that a chain of identity Dense delays, each with a matrix of that size squared."""


def wiring_of(program: Program) -> Wiring:
    """Return the connections, without relays that end a sample: each sample is a job of its own in a recurrent one."""
    return Wiring(program, LATE, masks=False)


def stocks_of(program: Program) -> tuple[dict[str, Stock], Reasons]:
    """Return stock LIF's parameters for each spiking node, and the reasons of those that have none."""
    stocks: dict[str, Stock] = {}
    reasons: Reasons = {}
    for node in program.spiking:
        try:
            stocks[node.name] = _stock_of(program, node)
        except UnfitError as unfit:
            reasons[node.name] = str(unfit)
    return stocks, reasons


def _stock_of(program: Program, node: SpikingNode) -> Stock:
    if node.graded:
        raise UnfitError("it emits its potential, and stock LIF emits spikes")
    if node.emitted_limits != (0, 1):
        raise UnfitError(f"it emits up to {node.emitted_limits[1]} spikes a timestep, and stock LIF one")
    wanted = wanted_of(node)
    if isinstance(wanted, str):
        raise UnfitError(wanted)
    return stock_for(wanted, fed(program, node), program.timesteps)


def stock_reasons(program: Program) -> Reasons:
    """Return, under its name, why each node that stock processes cannot run cannot."""
    stocks, reasons = stocks_of(program)
    chosen, more = gains(program, stocks)
    reasons = {**more, **reasons}
    for node in program.order:
        reason = _reason(program, node, chosen)
        if reason and node.name not in reasons:
            reasons[node.name] = reason
    if reasons:
        return reasons
    wiring = wiring_of(program)
    if early := _early(program, stocks, wiring):
        return early
    late = {name: "its loop has no delayed edge for the step that stock Dense and Conv take"
            for name, step in wiring.steps.items() if not step}  # fmt: skip
    return late or {relay.node: why for relay in wiring.relays if (why := _relay_reason(wiring, relay))}


def _early(program: Program, stocks: Mapping[str, Stock], wiring: Wiring) -> Reasons:
    """Return the neurons that their bias alone makes fire before timestep 0, which delayed edges carry into it.

    A neuron behind late weights runs as many steps before its first timestep as it lags. It forgets what it has summed
    up by then, but not what it has sent; nothing else can enter in those steps, as inputs are zero.
    """
    found: Reasons = {}
    for name, stock in stocks.items() if program.recurrent else ():
        steps = wiring.lags[name]
        if steps * int(stock.bias.max()) > 64 * stock.vth:
            found[name] = (
                f"its bias alone makes it fire before timestep 0, in the steps that Dense and Conv take ({steps}),"
                " and delayed edges would carry that into it"
            )
    return found


def _reason(program: Program, node: Node, chosen: Mapping[str, int]) -> str:
    """Say why a node that is not spiking has no stock process; empty if it has."""
    if isinstance(node, (Concat, Lateral)):
        return f"no stock process is a {node.kind}"
    if isinstance(node, Pool):
        return _pool_reason(program, node)
    if isinstance(node, Weighted):
        return _weighted_reason(program, node, chosen[node.name])
    return ""


def _pool_reason(program: Program, node: Pool) -> str:
    source = program.source_of(node.name).name
    channels = program.shapes[source][0]
    if max(channels, *node.kernel, *node.stride, *node.padding) > FIELD_LIMIT:
        return f"it becomes a Conv of {channels} groups, and stock Conv keeps groups and sizes in int8"
    return ""


def _weighted_reason(program: Program, node: Weighted, gain: int) -> str:
    low, high = program.ranges[program.source_of(node.name).name]
    largest = int(np.abs(node.codes).reshape(node.out_channels, -1).sum(axis=1).max()) * max(-low, high)
    shift = weight_shift(node, gain)
    conv = isinstance(node, Conv2d)
    limit = CONV_LIMIT if conv else DENSE_LIMIT
    reasons = [
        (low < -MESSAGE_LIMIT or high >= MESSAGE_LIMIT, f"its inputs {low}..{high} exceed signed 24 bits"),
        (
            not fit(node.codes >> shift),
            f"its codes {node.codes.min()}..{node.codes.max()} are no 8 bits times a power of two",
        ),
        (shift > trailing_zeros(node), f"its codes are no multiples of 2**{-gain}, and are needed divided by that"),
        (
            shift + gain > MOST_WEIGHT_EXP + 1,
            f"its weight exponent is {shift + gain - 1}, the largest is {MOST_WEIGHT_EXP}",
        ),
        (
            largest * 2.0**gain >= limit,
            f"its sums reach {largest} * 2**{gain}, and stock {'Conv' if conv else 'Dense'} holds {limit - 1}",
        ),
        (_widest(node) > FIELD_LIMIT, f"a size of {_widest(node)} exceeds the int8 fields of stock Conv"),
        (
            node.bias is not None and not hands_on_bias(program, node.name),
            "its bias reaches more than neurons and readouts, or later ones, and stock Dense and Conv have none",
        ),
    ]
    return next((reason for exceeded, reason in reasons if exceeded), "")


def weight_shift(node: Weighted, gain: int) -> int:
    """Return by how many bits the codes are shifted right before Lava gets them, its exponent undoing it."""
    return max(needed_shift(node), -gain)


def _widest(node: Weighted) -> int:
    if not isinstance(node, Conv2d):
        return 0
    return max(node.groups, *map(int, node.codes.shape[2:]), *node.stride, *node.padding, *node.dilation)


def _relay_reason(wiring: Wiring, relay: Relay) -> str:
    """Say why a relay cannot be a chain of identities."""
    shape = wiring.layouts[relay.node].lava_shape
    if relay.order is not None:
        return "its elements would have to be rearranged, which no stock process does"
    if not relay.depth:
        return "an add takes it twice, and Lava connects two ports once"
    if len(shape) != 3 and int(np.prod(shape)) > IDENTITY_LIMIT:
        return f"{shape} values would have to be delayed by {relay.depth} steps by a Dense of their number squared"
    return (
        "" if len(shape) != 3 or shape[2] <= FIELD_LIMIT else f"{shape[2]} channels would be as many groups of a Conv"
    )
