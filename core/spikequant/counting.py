"""Count what a node does from the values it was given: the closed form that hardware counters are held against."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spikequant.counts import NodeCounts, Traffic
from spikequant.program import Conv2d, Lateral, Operation, Program, Readout, SpikingNode, Weighted

Values = NDArray[np.integer]


def taps_1d(size: int, kernel: int, stride: int, padding: int, dilation: int) -> NDArray[np.int64]:
    """Number of windows along one axis that cover each position.

    >>> taps_1d(4, 3, 1, 1, 1)
    array([2, 3, 3, 2])
    """
    taps = np.zeros(size, np.int64)
    windows = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    for window in range(windows):
        for k in range(kernel):
            position = window * stride - padding + k * dilation
            if 0 <= position < size:
                taps[position] += 1
    return taps


def fan_out(node: Weighted | Lateral, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Number of accumulators that each input element of ``shape`` feeds."""
    if isinstance(node, Lateral):
        return np.array(math.prod(shape) - 1)
    if isinstance(node, Conv2d):
        _, height, width = shape
        kernel = node.codes.shape[2:]
        rows = taps_1d(height, kernel[0], node.stride[0], node.padding[0], node.dilation[0])
        columns = taps_1d(width, kernel[1], node.stride[1], node.padding[1], node.dilation[1])
        return np.outer(rows, columns)[None] * (node.out_channels // node.groups)
    return np.array(node.out_channels)


def set_bits(values: Values) -> Values:
    """Number of one bits of each magnitude: a multi-bit input is accumulated one bit-plane at a time."""
    return np.bitwise_count(np.abs(values)).astype(np.int64)


def weighted_counts(program: Program, node: Weighted | Lateral, x: Values) -> NodeCounts:
    """Counts of a ``dense``, ``conv2d`` or ``lateral`` over inputs ``(timesteps * batch, *shape)``.

    One accumulate per set input bit and connected output, zero codes included; each reads one code. A
    ``lateral`` counts like the dense matrix without diagonal that it stands for, but reads no code: its
    only one is a constant.
    """
    per_element = set_bits(x).sum(axis=0)
    accumulates = int((per_element * fan_out(node, x.shape[1:])).sum())
    outputs = int(np.prod(program.shapes[node.name])) * x.shape[0]
    operations = [Operation("accumulate", program.acc_bits(node.name), accumulates)]
    if isinstance(node, Weighted) and node.bias is not None:
        operations.append(Operation("add", program.acc_bits(node.name), outputs))
    low, high = program.ranges[program.source_of(node.name).name]
    width = max(high.bit_length(), 1) if low >= 0 else max((-low - 1).bit_length(), high.bit_length()) + 1
    traffic = [Traffic("sram", "inputs", int(x.size) * width)]
    if isinstance(node, Weighted):
        traffic.insert(0, Traffic("sram", "weights", accumulates * node.bits))
    return NodeCounts(node.kind, tuple(operations), tuple(traffic), inputs=int(x.size), active=int(np.count_nonzero(x)))


def spiking_counts(program: Program, node: SpikingNode, steps: int, fires: int, saturations: int) -> NodeCounts:
    """Counts of a spiking node after ``steps`` neuron updates; ``fires`` of them put out other than zero."""
    x_bits = program.acc_bits(program.source_of(node.name).name)
    operations = tuple(Operation(o.name, o.bits, o.count * steps) for o in node.operations(x_bits))
    traffic = (Traffic("sram", "spikes", steps * node.emitted_bits),)
    return NodeCounts(node.kind, operations, traffic, steps, fires, saturations)


def readout_counts(program: Program, node: Readout, steps: int) -> NodeCounts:
    """Counts of a readout: one add per class, timestep and sample."""
    return NodeCounts(node.kind, (Operation("add", program.acc_bits(node.name), steps),), steps=steps)
