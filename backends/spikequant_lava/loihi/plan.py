"""Translate a program into a job of stock processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.program import (
    Conv2d,
    IntArray,
    Lif,
    Pool,
    PoolOr,
    Program,
    Readout,
    SpikingNode,
    Weighted,
)
from spikequant.program.arithmetic import leaked
from spikequant_lava.job import Arrays, Fields, Plan, window_of
from spikequant_lava.loihi.gains import bias_of, gains, weights_before
from spikequant_lava.loihi.mapping import Stock, mantissa_and_exponent
from spikequant_lava.loihi.reasons import stocks_of, weight_shift, wiring_of
from spikequant_lava.wiring import Relay


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
            shift = weight_shift(node, gain)
            self._arrays[f"{node.name}/weights"] = (node.codes >> shift)[:, before.order]
            extra = {"weight_exp": shift + gain - 1}
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
