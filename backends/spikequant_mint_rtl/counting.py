"""Counts of a layer from the core's counters, in the words of :mod:`spikequant.counts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spikequant.counts import NodeCounts, Traffic
from spikequant.program import Lif, Operation, Program, Weighted
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.buffers import LANES, WORD, Buffers
from spikequant_mint_rtl.config import SCALE_BITS, CoreConfig
from spikequant_mint_rtl.layer import Layer, Taps
from spikequant_mint_rtl.packing import Words
from spikequant_mint_rtl.simulator import Output


def notes(buffers: Buffers) -> tuple[str, ...]:
    """Return what must be said about the counts."""
    return (
        "accumulate counts lanes in use: each broadcast spike adds in every lane that holds an output",
        "sums of an input that does not change are computed at the first timestep and kept",
        "weight traffic counts whole rows of 128 lanes, idle lanes too",
        f"buffers: {buffers.weight_bytes >> 10} KB of weights, {buffers.spike_bytes >> 10} KB of spikes,"
        f" {buffers.scratchpad_bytes} bytes of partial sums per lane; what does not fit is loaded again (dram)",
        "maps of spikes stay on the chip where one sample runs alone and they fit; a batch shares loaded weights",
        "cycles are those of the core at work; loading its memories is not counted as cycles",
        "widths of operations are those the program needs; simulated accumulators are 16, 24 or 32 bits wide",
    )


@dataclass
class LayerRun:
    """What happened in a layer: the core's counters under each part, and what was moved.

    Attributes:
        batch: Samples.
        kept: Neurons whose spikes stay on the chip.
        parts: Counters of the passes of each part.
        adds: Additions of partial sums, in lanes in use.
        loaded_rows: Weight rows loaded, under each part.
        loaded_words: Words of spikes loaded, under each part.
        stored_words: Words of spikes taken out.
    """

    batch: int
    kept: frozenset[str]
    parts: dict[int, Counter[str]] = field(default_factory=dict)
    adds: int = 0
    loaded_rows: Counter[int] = field(default_factory=Counter)
    loaded_words: Counter[int] = field(default_factory=Counter)
    stored_words: int = 0

    def add(self, part: int, counters: Mapping[str, int], tiles: int, outputs: int) -> None:
        """Add the counters of one pass over a block."""
        self.parts.setdefault(part, Counter()).update(counters)
        self.adds += counters["sums_read"] // tiles * outputs

    def moved(self, part: int, *, rows: int, source: Words, output: Output) -> None:
        """Add what one pass over a block loaded and what was taken out after it."""
        self.loaded_rows[part] += rows
        self.loaded_words[part] += source.size
        self.stored_words += output.words.size

    def constant(self, layer: Layer) -> Counter[str]:
        """Counters of the passes that no node feeds, and the words loaded for them: a spike everywhere."""
        found: Counter[str] = Counter()
        for index, counters in self.parts.items():
            if layer.parts[index].source is None:
                found.update(counters)
                found["loaded_words"] += self.loaded_words[index]
        return found

    @property
    def total(self) -> Counter[str]:
        """Sums over all parts."""
        return sum(self.parts.values(), Counter())


def layer_counts(
    program: Program, layer: Layer, run: LayerRun, config: CoreConfig, active: Mapping[str, int]
) -> dict[str, NodeCounts]:
    """Return the counts of a layer's nodes.

    Args:
        program: The whole program.
        layer: The layer.
        run: What happened in it.
        config: The core that ran it.
        active: Input values and spikes that were not zero, under each source's name.
    """
    counts: dict[str, NodeCounts] = {}
    for index, part in enumerate(layer.parts):
        if part.node is not None and part.source is not None:
            name = part.node.name
            counted = _part_counts(program, layer, index, run, config, active[part.source.name])
            counts[name] = counts[name] + counted if name in counts else counted
    counts[layer.name] = _neuron_counts(program, layer, run, config)
    return counts


def _part_counts(
    program: Program, layer: Layer, index: int, run: LayerRun, config: CoreConfig, active: int
) -> NodeCounts:
    """Counts of a ``dense`` or ``conv2d``, or of an ``add`` that spikes feed directly."""
    part, counters = layer.parts[index], run.parts[index]
    node, source = part.node, part.source
    if node is None or source is None:
        raise TypeError("a constant part has no node")
    bits = program.acc_bits(node.name)
    words = run.loaded_words[index] * (source.name not in run.kept)
    moved = [Traffic("sram", "inputs", counters["words_read"] * WORD), Traffic("dram", "inputs", words * WORD)]
    shape = layer.out_shape
    if isinstance(part, Taps):
        shape, row_bits = part.stored, LANES * config.weight_bits
        moved.insert(0, Traffic("sram", "weights", counters["rows_read"] * row_bits))
        moved.append(Traffic("dram", "weights", run.loaded_rows[index] * row_bits))
    operations = [Operation("accumulate", bits, counters["accumulates"] + counters["shortcut_adds"])]
    if counters["bias_adds"] and _has_bias(layer):
        operations.append(Operation("add", bits, counters["bias_adds"]))
    seen = int(np.prod(shape)) * layer.timesteps * run.batch
    return NodeCounts(node.kind, tuple(operations), tuple(moved), inputs=seen, active=active)


def _has_bias(layer: Layer) -> bool:
    """Whether a node with weights brings a bias; else it is the neurons'."""
    return any(isinstance(part.node, Weighted) and part.node.bias is not None for part in layer.parts)


def _neuron_counts(program: Program, layer: Layer, run: LayerRun, config: CoreConfig) -> NodeCounts:
    neuron, total = layer.neuron, run.total
    steps = total["steps"]
    x_bits = program.acc_bits(program.source_of(layer.name).name)
    constant = run.constant(layer)
    # A constant is added lane by lane, once per output where the sum is kept; its pass is the last one.
    constant_adds = constant["steps"] // (layer.timesteps if layer.still else 1)
    operations = [Operation("add", x_bits, run.adds + constant_adds)]
    if config.uq and not layer.readout:
        operations += _baseline_step(steps, layer)
    elif isinstance(neuron, Lif):
        adds = steps + steps * (neuron.reset.kind == "subtract") + total["bias_adds"] * (not _has_bias(layer))
        if neuron.leak.kind == "shift":
            operations.append(Operation("shift", neuron.u_bits, steps))
        operations += [
            Operation("add", x_bits, adds),
            Operation("compare", x_bits, steps),
            Operation("register", neuron.u_bits, steps),
        ]
    else:
        operations.append(Operation("add", x_bits, total["bias_adds"] * (not _has_bias(layer))))
    sums = (total["sums_read"] + total["sums_written"]) * LANES * config.acc_bits
    stored = run.stored_words * WORD * (layer.name not in run.kept)
    moved = (
        Traffic("sram", "inputs", constant["words_read"] * WORD),
        Traffic("dram", "inputs", constant["loaded_words"] * WORD),
        Traffic("sram", "spikes", (total["words_written"] + total["words_merged"]) * WORD),
        Traffic("dram", "spikes", stored),
        Traffic("scratchpad", "sums", sums),
    )
    return NodeCounts(
        neuron.kind,
        joined_operations(operations),
        tuple(item for item in moved if item.bits),
        steps,
        total["fires"],
        total["saturations"],
    )


def _baseline_step(steps: int, layer: Layer) -> list[Operation]:
    """One 32-bit multiply, add and compare, two shifts, one register write."""
    bits = layer.neuron.u_bits if isinstance(layer.neuron, (Lif, ScaledLif)) else SCALE_BITS
    return [
        Operation("multiply", SCALE_BITS, steps),
        Operation("shift", SCALE_BITS, 2 * steps),
        Operation("add", SCALE_BITS, steps),
        Operation("compare", SCALE_BITS, steps),
        Operation("register", bits, steps),
    ]


def joined_operations(operations: list[Operation]) -> tuple[Operation, ...]:
    """Add up equal operations; those that never happened are left out."""
    totals: dict[tuple[str, int], int] = {}
    for one in operations:
        totals[one.name, one.bits] = totals.get((one.name, one.bits), 0) + one.count
    ordered = sorted(totals.items(), key=lambda item: ORDER.index(item[0][0]))
    return tuple(Operation(name, bits, count) for (name, bits), count in ordered if count)


ORDER = ("accumulate", "multiply", "shift", "add", "compare", "register")
