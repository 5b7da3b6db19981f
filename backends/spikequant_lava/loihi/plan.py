"""Translate a program into a job of stock processes, or say which nodes have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.program import (
    Concat,
    Conv2d,
    IntArray,
    Lateral,
    Lif,
    Node,
    Pool,
    PoolOr,
    Program,
    Readout,
    SpikingNode,
    Weighted,
)
from spikequant.program.arithmetic import leaked
from spikequant_lava.job import Arrays, Fields, Plan, window_of
from spikequant_lava.loihi.gains import Reasons, bias_of, fed, gains, hands_on_bias, trailing_zeros, weights_before
from spikequant_lava.loihi.mapping import MOST_WEIGHT_EXP, Stock, UnfitError, mantissa_and_exponent, stock_for
from spikequant_lava.loihi.wanted import wanted_of
from spikequant_lava.placement import CONV_LIMIT, DENSE_LIMIT, FIELD_LIMIT, MESSAGE_LIMIT, STOCK_CODES
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
    late = {name: "its loop has no delayed edge for the step that stock Dense and Conv take"
            for name, step in wiring.steps.items() if not step}  # fmt: skip
    return late or {relay.node: why for relay in wiring.relays if (why := _relay_reason(wiring, relay))}


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
    if isinstance(node, PoolOr) and program.ranges[source] != (0, 1):
        return "it takes the maximum of more than spikes; of spikes it is a Conv of ones and a LIF"
    if max(channels, *node.kernel, *node.stride, *node.padding) > FIELD_LIMIT:
        return f"it becomes a Conv of {channels} groups, and stock Conv keeps groups and sizes in int8"
    return ""


def _weighted_reason(program: Program, node: Weighted, gain: int) -> str:
    low, high = program.ranges[program.source_of(node.name).name]
    zeros = trailing_zeros(node)
    codes = node.codes >> zeros
    largest = int(np.abs(node.codes).reshape(node.out_channels, -1).sum(axis=1).max()) * max(-low, high)
    exponent = zeros + gain
    limit = CONV_LIMIT if isinstance(node, Conv2d) else DENSE_LIMIT
    sizes = max(*node.codes.shape[2:], *node.stride, *node.padding, *node.dilation, node.groups) if isinstance(
        node, Conv2d) else 0  # fmt: skip
    reasons = [
        (low < -MESSAGE_LIMIT or high >= MESSAGE_LIMIT, f"its inputs {low}..{high} exceed signed 24 bits"),
        (
            int(codes.min()) < STOCK_CODES[0] or int(codes.max()) > STOCK_CODES[1],
            f"its codes {node.codes.min()}..{node.codes.max()} are no 8 bits times a power of two",
        ),
        (exponent < 0, f"its codes are no multiples of 2**{-gain}, and are needed divided by that"),
        (exponent > MOST_WEIGHT_EXP + 1, f"its weight exponent is {exponent - 1}, the largest is {MOST_WEIGHT_EXP}"),
        (
            largest * 2.0**gain >= limit,
            f"its sums reach {largest} * 2**{gain}, and stock {'Conv' if sizes else 'Dense'} holds {limit - 1}",
        ),
        (sizes > FIELD_LIMIT, f"a size of {sizes} exceeds the int8 fields of stock Conv"),
        (node.bias is not None and not hands_on_bias(program, node.name),
         "its bias is followed by neither a neuron nor a readout, and stock Dense and Conv have none"),
    ]  # fmt: skip
    return next((reason for exceeded, reason in reasons if exceeded), "")


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


class StockPlan(Plan):
    """All of a job of stock processes that does not depend on the inputs.

    Attributes:
        stocks: Parameters of stock LIF under each spiking node's name.
        gains: By which power of two each weighted node and ``pool_sum`` scales what it sends.
    """

    def __init__(self, program: Program) -> None:
        self.stocks, _ = stocks_of(program)
        self.gains, _ = gains(program, self.stocks)
        super().__init__(program, processes=1 << 30, wiring=wiring_of(program))

    def carried_by(self, name: str) -> str:
        """Say what carries a weighted node."""
        return "stock Conv" if isinstance(self.program.by_name[name], Conv2d) else "stock Dense"

    def _add_weighted(self, node: Weighted) -> None:
        before = self.layouts[self.program.source_of(node.name).name]
        gain = self.gains[node.name]
        graded = self.program.ranges[self.program.source_of(node.name).name] != (0, 1)
        if isinstance(node, Conv2d):
            codes = node.codes.transpose(3, 2, 0, 1)
            # Lava's simulator of Conv knows no weight exponent.
            self._arrays[f"{node.name}/weights"] = codes << gain if gain >= 0 else codes >> -gain
            extra: Fields = {"window": window_of(node, "stride", "padding", "dilation"), "groups": node.groups}
        else:
            zeros = trailing_zeros(node)
            self._arrays[f"{node.name}/weights"] = (node.codes >> zeros)[:, before.order]
            extra = {"weight_exp": zeros + gain - 1}
        kind = "stock_conv" if isinstance(node, Conv2d) else "stock_dense"
        self._describe(node, process=kind, input_shape=list(before.lava_shape), graded=graded, **extra)

    def _add_pool(self, node: Pool) -> None:
        before = self.layouts[self.program.source_of(node.name).name]
        channels = before.lava_shape[2]
        gain = self.gains.get(node.name, 0)
        self._arrays[f"{node.name}/weights"] = np.full((*node.kernel[::-1], channels, 1), 1 << gain, np.int64)
        self._describe(
            node,
            process="stock_conv_or" if isinstance(node, PoolOr) else "stock_conv",
            input_shape=list(before.lava_shape),
            window={**window_of(node, "stride", "padding"), "dilation": [1, 1]},
            groups=channels,
            graded=self.program.ranges[self.program.source_of(node.name).name] != (0, 1),
        )

    def _add_lif(self, node: Lif) -> None:
        self._add_stock(node)

    def _add_plugin(self, node: SpikingNode) -> None:
        self._add_stock(node)

    def _add_stock(self, node: SpikingNode) -> None:
        stock = self.stocks[node.name]
        for key, value in zip(("mantissa", "exponent"), mantissa_and_exponent(stock.bias), strict=True):
            self._neuron(node, key, value)
        constants = {"du": stock.du, "dv": stock.dv, "vth": stock.vth}
        self._describe(node, process="stock_lif", variables=list(node.variables), **constants)

    def _add_readout(self, node: Readout) -> None:
        shifts = {self.gains.get(source.name, 0) for source in weights_before(self.program, node.name)}
        self._neuron(node, "bias", bias_of(self.program, self.program.source_of(node.name)))
        self._describe(node, process="readout", shift=shifts.pop())

    def _add_relay(self, relay: Relay) -> None:
        shape = list(self.layouts[relay.node].lava_shape)
        size = int(np.prod(shape))
        image = len(shape) == 3
        weights = np.ones((1, 1, shape[2], 1), np.int64) if image else np.eye(size, dtype=np.int64)
        for step in range(relay.depth):
            last = step == relay.depth - 1
            name = relay.name if last else f"{relay.name}-{step}"
            self._arrays[f"{name}/weights"] = weights
            self._processes.append(
                {
                    "name": name,
                    "process": "stock_conv" if image else "stock_dense",
                    "sources": list(relay.sources) if not step else [f"{relay.name}-{step - 1}"],
                    "input_shape": shape,
                    "shape": shape,
                    "lag": 0,
                    "graded": True,
                    "groups": shape[2] if image else 1,
                    "window": {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1]},
                }
            )

    def read_back(self, result: Mapping[str, Any]) -> Arrays:
        """Return the runner's arrays with v and u in the program's units."""
        found: Arrays = dict(result)
        for node in self.program.spiking:
            stock = self.stocks[node.name]
            for variable in node.variables:
                key = f"{node.name}/state_{variable}"
                if key in found:
                    found[key] = self._units(node, stock, found[key].astype(np.int64)).astype(np.int32)
        return found

    def _units(self, node: SpikingNode, stock: Stock, v: IntArray) -> IntArray:
        if stock.read == "toward_zero":
            units = np.sign(v) * (np.abs(v) >> stock.scale)
        else:
            units = v >> stock.scale if stock.read == "floor" else -(-v >> stock.scale)
        if isinstance(node, Lif) and node.order == "leak_on_store":
            units = leaked(units, node.leak)
        result: IntArray = units
        return result
