"""From the program's graph to layers: what feeds what, through pools and flattens, or why it cannot run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikequant.program import (
    Add,
    Conv2d,
    Flatten,
    Input,
    IntArray,
    Lif,
    Node,
    Pool,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Weighted,
)
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.layer import Layer, Neuron, Pair, Part, Shape3, Shortcut, Source, Taps, per_output

ONE: Pair = (1, 1)


class WiringError(Exception):
    """A node stands where the core cannot run it; the text completes "node NAME ..."."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node, self.reason = node, reason


@dataclass(frozen=True)
class Feed:
    """What feeds a node, seen through flattens and pools."""

    source: Source
    pool_sum: PoolSum | None


def layers_of(program: Program) -> tuple[Layer, ...]:
    """Cut an accepted program into layers, in topological order."""
    return tuple(layer_of(program, node) for node in program.order if isinstance(node, (Lif, ScaledLif, Readout)))


def layer_of(program: Program, neuron: Neuron) -> Layer:
    """Return the layer that ends in ``neuron``.

    Raises:
        WiringError: Something before it stands where the core cannot run it.
    """
    head = program.source_of(neuron.name)
    parts = _parts(program, head)
    shape = map_shape(program.shapes[neuron.name])
    bias = _bias(program, parts, neuron, shape[0])
    if bias is not None and not any(isinstance(part, Taps) for part in parts):
        parts = (*parts, Shortcut(None, None, bias, 1))
        bias = None
    planes = any(isinstance(part, Taps) and part.planes > 1 for part in parts)
    if isinstance(neuron, Readout) and planes and any(part.steps > 1 for part in parts):
        # Bit-planes double the accumulators, which a readout keeps: sum up in one pass, read out in another.
        # A layer that is still (all parts of one step) is summed up only once, before anything is kept.
        parts = (*parts, Shortcut(None, None, np.zeros(shape[0], np.int64), 1))
    return Layer(parts, neuron, shape, pool_behind(program, neuron), program.timesteps, bias)


def _bias(program: Program, parts: tuple[Part, ...], neuron: Neuron, outputs: int) -> IntArray | None:
    """Bias of every node of the layer: one addition serves all."""
    nodes = [part.node for part in parts if isinstance(part.node, Weighted)]
    found = [node.bias for node in nodes if node.bias is not None]
    if isinstance(neuron, Lif) and neuron.bias is not None:
        found.append(per_output(neuron.bias, outputs))
    return sum(found[1:], found[0].astype(np.int64)) if found else None


def _parts(program: Program, head: Node) -> tuple[Part, ...]:
    if isinstance(head, Add):
        _alone(program, head, (Add, Lif, ScaledLif, Readout), "add, lif or readout")
        shape = program.shapes[head.name]
        found: list[Part] = []
        for edge in program.inputs_of(head.name):
            branch = program.by_name[edge.source]
            if isinstance(branch, (Lif, ScaledLif, PoolOr)):
                feed = _feed(program, head, branch)
                found.append(Shortcut(head, feed.source, np.ones(map_shape(shape)[0], np.int64), program.timesteps))
            else:
                found += _parts(program, branch)
        return tuple(found)
    if not isinstance(head, Weighted):
        raise WiringError(head, "feeds neurons without weights, and the core sums up dense, conv2d and add only")
    _alone(program, head, (Add, Lif, ScaledLif, Readout), "lif, readout or add")
    feed = _feed(program, head, program.source_of(head.name))
    steps = 1 if isinstance(feed.source, Input) and feed.source.coding == "direct" else program.timesteps
    if isinstance(head, Conv2d) and head.groups != 1:
        return (_depthwise(program, head, feed, steps),)
    return (_taps(program, head, feed, steps),)


def _alone(program: Program, node: Node, kinds: tuple[type[Node], ...], words: str) -> None:
    """Raise unless ``node`` feeds exactly one node of ``kinds``."""
    targets = [program.by_name[edge.target] for edge in program.edges if edge.source == node.name]
    if len(targets) == 1 and isinstance(targets[0], kinds):
        return
    fed = ", ".join(f"'{target.name}' ({target.kind})" for target in targets) or "nothing"
    raise WiringError(node, f"feeds {fed}, and the core sums it up for exactly one {words}")


def _feed(program: Program, target: Node, node: Node) -> Feed:
    """Walk back from ``node``: flatten, then pool_sum, then pool_or, then spikes or input."""
    pool_sum, start = None, node
    while isinstance(node, (Flatten, Pool)):
        before = program.source_of(node.name)
        if isinstance(node, PoolSum):
            if pool_sum is not None or node.padding != (0, 0):
                why = "pads" if node.padding != (0, 0) else "feeds another pool_sum"
                raise WiringError(node, f"{why}, and the core sums each window of a map once, without padding")
            pool_sum = node
        elif isinstance(node, PoolOr) and not isinstance(before, (Lif, ScaledLif)):
            raise WiringError(
                node, f"is fed by '{before.name}' ({before.kind}), and the core pools spikes where lif writes them"
            )
        node = before
    if not isinstance(node, (Input, Lif, ScaledLif)):
        raise WiringError(
            target, f"is fed by '{start.name}' ({start.kind}), and the core reads spikes of a lif or an input only"
        )
    return Feed(node, pool_sum)


def _taps(program: Program, node: Weighted, feed: Feed, steps: int) -> Taps:
    stored = stored_shape(program, feed.source)
    pool = feed.pool_sum
    seen = stored if pool is None else map_shape(program.shapes[pool.name])
    window = {} if pool is None else {"window": pool.kernel, "window_stride": pool.stride}
    if isinstance(node, Conv2d):
        window.update(stride=node.stride, padding=node.padding)
        codes = node.codes
    else:
        codes = node.codes.reshape(-1, *seen)
    return Taps(node, feed.source, codes, stored, seen[1:], steps, **window)


def _depthwise(program: Program, node: Conv2d, feed: Feed, steps: int) -> Shortcut:
    """Return a 1x1 convolution of each channel by itself; any other grouping is refused."""
    channels = program.shapes[program.source_of(node.name).name][0]
    plain = (node.codes.shape[2:], node.stride, node.padding) == ((1, 1), ONE, (0, 0))
    if not plain or not node.groups == channels == node.out_channels:
        raise WiringError(
            node,
            f"has {node.groups} groups, and the core broadcasts each spike to all outputs (groups = 1) or keeps it"
            " in its channel (1x1, stride 1, one group per channel)",
        )
    if (isinstance(feed.source, Input) and feed.source.bits > 1) or feed.pool_sum is not None:
        raise WiringError(node, "keeps each value in its channel, and the core does so with spikes only (1 bit)")
    return Shortcut(node, feed.source, node.codes.reshape(-1), steps)


def pool_behind(program: Program, neuron: Neuron) -> Pair:
    """Window whose spikes are joined when ``neuron`` writes them; ``(1, 1)`` for none.

    Raises:
        WiringError: Its readers want it pooled in different ways.
    """
    targets = [program.by_name[edge.target] for edge in program.edges if edge.source == neuron.name]
    pools = [target for target in targets if isinstance(target, PoolOr)]
    for pool in pools:
        if pool.padding != (0, 0) or pool.stride != pool.kernel:
            raise WiringError(
                pool,
                f"has kernel {pool.kernel}, stride {pool.stride} and padding {pool.padding}, and the core joins spikes"
                " of windows side by side (stride = kernel, no padding)",
            )
        if pool.kernel != pools[0].kernel or len(pools) != len(targets):
            others = ", ".join(f"'{target.name}' ({target.kind})" for target in targets if target is not pool)
            raise WiringError(
                pool,
                f"pools '{neuron.name}', which also feeds {others}; the core writes spikes once, pooled or not",
            )
    return pools[0].kernel if pools else ONE


def stored_shape(program: Program, source: Source) -> Shape3:
    """Shape of a source's map in memory, pooled by OR."""
    channels, height, width = map_shape(program.shapes[source.name])
    pool = ONE if isinstance(source, Input) else pool_behind(program, source)
    return channels, height // pool[0], width // pool[1]


def map_shape(shape: tuple[int, ...]) -> Shape3:
    """Return ``(channels, height, width)``; features are channels of a 1x1 map."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)
