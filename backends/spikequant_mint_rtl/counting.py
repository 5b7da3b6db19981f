"""Counts of a layer from the core's counters, in the words of :mod:`spikequant.counts`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikequant.counts import NodeCounts, Traffic
from spikequant.program import Lif, Operation, Program
from spikequant_mint_rtl.layer import Layer
from spikequant_mint_rtl.simulator import LANES, WORD

NOTES = (
    "accumulate counts lanes in use: each broadcast spike adds in every lane that holds an output",
    "weight traffic counts whole rows of 128 lanes, idle lanes too",
    "weights are billed as loaded from outside once per run, although a core that holds them keeps them",
    "widths of operations are those the program needs; simulated accumulators are 16, 24 or 32 bits wide",
)


def layer_counts(
    program: Program, layer: Layer, counters: Mapping[str, int], *, loaded_rows: int, samples: int, active: int
) -> dict[str, NodeCounts]:
    """Return the counts of a layer's two nodes.

    Args:
        program: The whole program.
        layer: The layer.
        counters: Sums of the core's counters over the run.
        loaded_rows: Weight rows that the layer needs loaded.
        samples: Samples run.
        active: Input values that were not zero.
    """
    weighted, neuron = layer.weighted, layer.neuron
    acc_bits = program.acc_bits(weighted.name)
    row_bits = LANES * layer.weight_bits
    operations = [Operation("accumulate", acc_bits, counters["accumulates"])]
    if weighted.bias is not None:
        operations.append(Operation("add", acc_bits, counters["bias_adds"]))
    moved = (
        Traffic("sram", "weights", counters["rows_read"] * row_bits),
        Traffic("sram", "inputs", counters["words_read"] * WORD),
        Traffic("dram", "weights", loaded_rows * row_bits),
    )
    inputs = int(np.prod(layer.in_shape)) * layer.timesteps * samples
    return {
        weighted.name: NodeCounts(weighted.kind, tuple(operations), moved, inputs=inputs, active=active),
        neuron.name: _neuron_counts(layer, counters, acc_bits),
    }


def _neuron_counts(layer: Layer, counters: Mapping[str, int], acc_bits: int) -> NodeCounts:
    neuron, steps = layer.neuron, counters["steps"]
    if not isinstance(neuron, Lif):
        return NodeCounts(neuron.kind, steps=steps)
    adds = steps + steps * (neuron.reset.kind == "subtract")
    if layer.weighted.bias is None:
        adds += counters["bias_adds"]
    operations = [
        Operation("add", acc_bits, adds),
        Operation("compare", acc_bits, steps),
        Operation("register", neuron.u_bits, steps),
    ]
    if neuron.leak.kind == "shift":
        operations.insert(0, Operation("shift", neuron.u_bits, steps))
    moved = (Traffic("sram", "spikes", counters["words_written"] * WORD),)
    return NodeCounts(neuron.kind, tuple(operations), moved, steps, counters["fires"], counters["saturations"])
