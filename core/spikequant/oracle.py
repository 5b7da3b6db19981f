"""The oracle: the executor of an integer program that every other one is compared with.

Plain NumPy on int64, one timestep after the other, one node after the other. Slow is fine; obvious is
required. Normative text: docs/semantics.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spikequant.counting import readout_counts, spiking_counts, weighted_counts
from spikequant.counts import Counts, NodeCounts
from spikequant.inputs import input_values
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Input,
    IntArray,
    Lateral,
    Node,
    Pool,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    SpikingNode,
    State,
    Weighted,
)
from spikequant.trace import Trace


def run_oracle(program: Program, inputs: IntArray | Mapping[str, IntArray]) -> Trace:
    """Run ``program`` and record everything.

    Args:
        program: What to run.
        inputs: Integers ``(batch, *shape)`` for a ``direct`` input, ``(timesteps, batch, *shape)`` for a
            ``per_step`` one; a mapping from names when there are several input nodes.

    Returns:
        The whole trace, with closed-form counts.

    Raises:
        UsageError: An input has the wrong shape, or values outside its stated width.
    """
    given = input_values(program, inputs)
    batch = next(iter(given.values())).shape[1]
    previous = {name: np.zeros((batch, *shape), np.int64) for name, shape in program.shapes.items()}
    sums = {node.name: previous[node.name] for node in program.readouts}
    states = {node.name: node.initial(batch, program.shapes[node.name]) for node in program.spiking}
    history: dict[str, list[IntArray]] = {node.name: [] for node in program.nodes}
    stored: dict[str, list[State]] = {node.name: [] for node in program.spiking}
    saturations = dict.fromkeys(stored, 0)

    for t in range(program.timesteps):
        now: dict[str, IntArray] = {}
        for node in program.order:
            x = [previous[e.source] if e.delayed else now[e.source] for e in program.inputs_of(node.name)]
            if isinstance(node, Input):
                now[node.name] = given[node.name][t]
            elif isinstance(node, SpikingNode):
                now[node.name], states[node.name], overflow = node.advance(x[0], states[node.name], t)
                stored[node.name].append(states[node.name])
                saturations[node.name] += int(overflow.sum())
            elif isinstance(node, Readout):
                sums[node.name] = now[node.name] = sums[node.name] + x[0]
            else:
                now[node.name] = value_of(node, x)
            history[node.name].append(now[node.name])
        previous = now

    return Trace(
        spikes={n.name: np.stack(history[n.name]).astype(np.uint8) for n in program.spiking if not n.graded},
        potentials={
            name: np.stack(series).astype(np.int32)
            for node in program.spiking
            for name, series in zip(node.state_names, zip(*stored[node.name], strict=True), strict=True)
        },
        outputs={n.name: np.stack(history[n.name]) for n in program.readouts},
        counts=_counts(program, history, saturations, batch),
    )


def value_of(node: Node, x: Sequence[IntArray]) -> IntArray:
    """Return the output of a node without state for inputs ``(batch, *shape)``."""
    value: IntArray
    if isinstance(node, Dense):
        value = x[0] @ node.codes.T + _bias(node, 2)
    elif isinstance(node, Conv2d):
        value = convolved(node, x[0]) + _bias(node, 4)
    elif isinstance(node, Pool):
        value = pooled(node, x[0])
    elif isinstance(node, Flatten):
        value = x[0].reshape(len(x[0]), -1)
    elif isinstance(node, Concat):
        value = np.concatenate(x, axis=1)
    elif isinstance(node, Add):
        value = np.sum(x, axis=0)
    elif isinstance(node, Lateral):
        value = node.code * (x[0].sum(axis=tuple(range(1, x[0].ndim)), keepdims=True) - x[0])
    else:
        raise TypeError(f"node '{node.name}' has kind {node.kind}, which the integer semantics does not know")
    return value


def convolved(node: Conv2d, x: IntArray) -> IntArray:
    """Cross-correlate: one shifted, strided view of the padded input per kernel tap."""
    out, per_group, height, width = node.codes.shape
    padded = np.pad(x, ((0, 0), (0, 0), (node.padding[0],) * 2, (node.padding[1],) * 2))
    rows = (padded.shape[2] - node.dilation[0] * (height - 1) - 1) // node.stride[0] + 1
    columns = (padded.shape[3] - node.dilation[1] * (width - 1) - 1) // node.stride[1] + 1
    acc = np.zeros((len(x), out, rows, columns), np.int64)
    for group in range(node.groups):
        outs = slice(group * out // node.groups, (group + 1) * out // node.groups)
        ins = slice(group * per_group, (group + 1) * per_group)
        for ky in range(height):
            for kx in range(width):
                seen = _tap(padded[:, ins], (ky * node.dilation[0], kx * node.dilation[1]), node.stride, rows, columns)
                acc[:, outs] += np.einsum("oc,bcyx->boyx", node.codes[outs, :, ky, kx], seen, optimize=True)
    return acc


def pooled(node: Pool, x: IntArray) -> IntArray:
    """Maximum (``pool_or``) or sum (``pool_sum``) over each window; padding is zero."""
    padded = np.pad(x, ((0, 0), (0, 0), (node.padding[0],) * 2, (node.padding[1],) * 2))
    rows = (padded.shape[2] - node.kernel[0]) // node.stride[0] + 1
    columns = (padded.shape[3] - node.kernel[1]) // node.stride[1] + 1
    taps = [
        _tap(padded, (ky, kx), node.stride, rows, columns)
        for ky in range(node.kernel[0])
        for kx in range(node.kernel[1])
    ]
    value: IntArray
    if isinstance(node, PoolOr):
        value = np.max(taps, axis=0)
    elif isinstance(node, PoolSum):
        value = np.sum(taps, axis=0)
    else:
        raise TypeError(f"node '{node.name}' has kind {node.kind}, which the integer semantics does not know")
    return value


def _tap(padded: IntArray, offset: tuple[int, int], stride: tuple[int, int], rows: int, columns: int) -> IntArray:
    """The value that one kernel tap sees at every output position."""
    y, x = offset
    return padded[
        :, :, y : y + (rows - 1) * stride[0] + 1 : stride[0], x : x + (columns - 1) * stride[1] + 1 : stride[1]
    ]


def _bias(node: Weighted, ndim: int) -> IntArray:
    bias = np.zeros(1, np.int64) if node.bias is None else node.bias
    return bias.reshape((1, -1) + (1,) * (ndim - 2))


def _counts(
    program: Program, history: Mapping[str, Sequence[IntArray]], saturations: Mapping[str, int], batch: int
) -> Counts:
    nodes: dict[str, NodeCounts] = {}
    for node in program.order:
        if isinstance(node, (Weighted, Lateral)):
            (edge,) = program.inputs_of(node.name)
            seen = list(history[edge.source])
            if edge.delayed:
                seen = [np.zeros_like(seen[0]), *seen[:-1]]
            nodes[node.name] = weighted_counts(program, node, np.concatenate(seen))
        elif isinstance(node, (SpikingNode, Readout)):
            steps = sum(array.size for array in history[node.name])
            if isinstance(node, Readout):
                nodes[node.name] = readout_counts(program, node, steps)
            else:
                fires = sum(int(np.count_nonzero(array)) for array in history[node.name])
                nodes[node.name] = spiking_counts(program, node, steps, fires, saturations[node.name])
    return Counts("oracle", batch, nodes)
