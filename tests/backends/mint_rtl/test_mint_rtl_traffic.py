"""What moves between memories is billed once, to the node that moves it, as the plan says."""

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, Lif, Program, Readout, chain
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.layer import Taps
from spikequant_mint_rtl.schedule import plan_layer
from spikequant_mint_rtl.traffic import kept_on_chip
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from counter_forms import order_of_work
from recorded_runs import BACKENDS, CASES, case, recorded

LANES, WORD = 128, 32
needs_tools = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)


def moved(counts, *names):
    """Bits under ``(level, what)``, of some nodes or all."""
    total = Counter()
    for name in names or counts.nodes:
        for item in counts.nodes[name].traffic:
            total[item.level, item.what] += item.bits
    return +total


def words_of(channels):
    return -(-channels // WORD)


def loaded_words(layer, one, block, tiles):
    """Words of one sample's source that a pass loads: rows and columns between the first and last tap on the map."""
    part, outputs = layer.parts[one.part], min(layer.out_shape[0], tiles.stop * LANES) - tiles.start * LANES
    if not isinstance(part, Taps):
        return part.steps * block.height * block.width * words_of(outputs)
    sizes = []
    for axis, first, size, kernel in (
        (0, block.y, block.height, one.kernel_y),
        (1, block.x, block.width, one.kernel_x),
    ):
        low = max(0, first * part.stride[axis] - part.padding[axis] + kernel[0])
        high = min(part.seen[axis] - 1, (first + size - 1) * part.stride[axis] - part.padding[axis] + kernel[-1])
        sizes.append(0 if high < low else (high - low) * part.window_stride[axis] + part.window[axis])
    return part.steps * part.planes * sizes[0] * sizes[1] * len(one.words)


def resident_rows(layers, configs, plans, batch):
    """Weight rows loaded under each layer's name and part: memory fills up, and starts anew when it is full."""
    loaded, held = Counter(), {}
    for layer in layers:
        config = configs[layer.name]
        memory = held.setdefault(config, {"rows": 0, "tiles": 0, "has": set()})
        for tiles, _, _, number in order_of_work(layer, plans[layer.name], batch):
            one = plans[layer.name].passes[number]
            if (layer.name, tiles.start, number) in memory["has"]:
                continue
            part = layer.parts[one.part]
            taps = len(one.kernel_y) * len(one.kernel_x) if isinstance(part, Taps) else 0
            channels = min(one.words.stop * WORD, part.stored[0]) - one.words.start * WORD if taps else 0
            rows = len(tiles) * taps * channels
            if memory["rows"] + rows > config.weight_rows or memory["tiles"] + len(tiles) > 64:
                memory.update(rows=0, tiles=0, has=set())
            memory["rows"] += rows
            memory["tiles"] += len(tiles)
            memory["has"].add((layer.name, tiles.start, number))
            loaded[layer.name, one.part] += rows
    return loaded


@needs_tools
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("words", "seed"), CASES)
def test_traffic_of_every_layer_is_the_plans(words, seed, batch):
    backend, (program, _, _) = BACKENDS[words], case(seed, batch)
    trace, configs, passes = recorded(words, seed, batch)
    layers = layers_of(program)
    plans = {
        layer.name: plan_layer(layer, backend.buffers, configs[layer.name].weight_bits, configs[layer.name].acc_bits)
        for layer in layers
    }
    kept = kept_on_chip(layers, plans, configs, backend.buffers) if batch == 1 else frozenset()
    rows = resident_rows(layers, configs, plans, batch)
    billed = Counter()
    for layer in layers:
        config, plan, expected = configs[layer.name], plans[layer.name], Counter()
        for work, (_, counted) in zip(order_of_work(layer, plan, batch), passes[layer.name], strict=True):
            tiles, samples, block, number = work
            one = plan.passes[number]
            part = layer.parts[one.part]
            expected["scratchpad", "sums"] += (counted["sums_read"] + counted["sums_written"]) * LANES * config.acc_bits
            expected["sram", "spikes"] += (counted["words_written"] + counted["words_merged"]) * WORD
            expected["sram", "weights"] += counted["rows_read"] * LANES * config.weight_bits
            expected["sram", "inputs"] += counted["words_read"] * WORD
            if part.source is None or part.source.name not in kept:
                expected["dram", "inputs"] += loaded_words(layer, one, block, tiles) * len(samples) * WORD
            if not (one.store or layer.readout or layer.name in kept):
                outputs = min(layer.out_shape[0], tiles.stop * LANES) - tiles.start * LANES
                height, width = block.height // layer.pool[0], block.width // layer.pool[1]
                words_out = layer.timesteps * height * width * words_of(outputs)
                expected["dram", "spikes"] += words_out * len(samples) * WORD
        for index in range(len(layer.parts)):
            expected["dram", "weights"] += rows[layer.name, index] * LANES * config.weight_bits
        names = {part.node.name for part in layer.parts if part.node is not None} | {layer.name}
        assert moved(trace.counts, *names) == +expected, layer.name
        billed += expected
    assert moved(trace.counts) == billed


@needs_tools
@pytest.mark.parametrize("seed", [seed for words, seed in CASES if words == "zero skip"])
def test_zero_skipping_changes_rows_read_and_cycles_only(seed):
    skipped, dense = recorded("zero skip", seed)[0].counts, recorded("dense", seed)[0].counts
    assert list(skipped.nodes) == list(dense.nodes)
    for name, node in skipped.nodes.items():
        other = dense.nodes[name]
        assert (node.operations, node.steps, node.fires) == (other.operations, other.steps, other.fires)
        assert (node.inputs, node.active, node.saturations) == (other.inputs, other.active, other.saturations)
        ours, theirs = moved(skipped, name), moved(dense, name)
        assert ours.pop(("sram", "weights"), 0) <= theirs.pop(("sram", "weights"), 0)
        assert ours == theirs


@needs_tools
def test_a_run_counts_the_same_each_time():
    program, inputs, _ = case(5, 1)
    with MintRtlBackend().compile(program) as executable:
        first, second = executable.run(inputs).counts, executable.run(inputs).counts
        assert first == second
        assert executable.run(inputs, record=False).counts == first


@pytest.mark.parametrize("seed", range(40))
def test_maps_kept_on_the_chip_fit_it_at_every_layer(seed):
    """While a layer runs, maps on the chip that wait to be read, what it reads and what it writes fit together."""
    program, _, _ = case(seed, 1)
    for spike_bytes in (1 << 16, 1 << 13, 1 << 11):
        buffers = Buffers(spike_bytes=spike_bytes)
        if MintRtlBackend(spike_bytes=spike_bytes).refusals(program):
            continue
        layers = layers_of(program)
        configs = core_configs(program, layers, buffers)
        plans = {
            layer.name: plan_layer(layer, buffers, configs[layer.name].weight_bits, configs[layer.name].acc_bits)
            for layer in layers
        }
        kept = kept_on_chip(layers, plans, configs, buffers)
        size = {layer.name: layer.destination_words for layer in layers}
        sources = [{part.source.name for part in layer.parts if part.source is not None} for layer in layers]
        assert not any(layer.readout and layer.name in kept for layer in layers)
        for index, layer in enumerate(layers):
            if layer.name in kept:
                assert len(plans[layer.name].blocks) == 1
            alive = {
                other.name
                for i, other in enumerate(layers[:index])
                if other.name in kept and any(other.name in seen for seen in sources[index:])
            }
            if alive or layer.name in kept:
                assert sum(size[name] for name in alive) + size[layer.name] <= buffers.spike_words


def block(shortcut, channels=32, side=8):
    """Return a residual block, T = 2: with ``shortcut`` its first map is read again two layers later."""
    eye = np.eye(channels, dtype=np.int64).reshape(channels, channels, 1, 1)
    nodes = (
        Input("x", (channels, side, side), bits=1, coding="per_step"),
        Conv2d("c1", eye),
        Lif("l1"),
        Conv2d("c2", eye),
        Lif("l2"),
        Conv2d("c3", eye),
        Add("sum"),
        Lif("l3"),
        Flatten("flat"),
        Dense("fc", np.ones((3, channels * side * side), int)),
        Readout("out"),
    )
    names = ["x", "c1", "l1", "c2", "l2", "c3", "sum", "l3", "flat", "fc", "out"]
    if not shortcut:
        names.remove("sum")
        return Program(tuple(n for n in nodes if n.name in names), tuple(Edge(*ends) for ends in pairwise(names)), 2)
    return Program(nodes, (*(Edge(*ends) for ends in pairwise(names)), Edge("l1", "sum")), 2)


@pytest.mark.parametrize(
    ("shortcut", "words", "expected"),
    [
        # A map is 2 x 64 words. The shortcut's map waits while l2 is read and l3 written: three maps at once.
        (True, 512, {"l1", "l2", "l3"}),
        (True, 256, set()),
        (False, 256, {"l1", "l2", "l3"}),
        (False, 128, set()),
    ],
)
def test_a_residual_map_takes_room_until_it_is_read(shortcut, words, expected):
    program, buffers = block(shortcut), Buffers(spike_bytes=words * 4)
    layers = layers_of(program)
    configs = core_configs(program, layers, buffers)
    plans = {layer.name: plan_layer(layer, buffers, 8, 16) for layer in layers}
    assert kept_on_chip(layers, plans, dict.fromkeys(configs, configs["l1"]), buffers) == expected


@needs_tools
def test_one_sample_alone_moves_its_input_only():
    """Batch 1 and memory enough: spikes stay, the input is loaded and weights too; a batch moves every map."""
    rng = np.random.default_rng(0)
    program = chain(
        [
            Input("x", (3, 4, 4), bits=8),
            Conv2d("conv", rng.integers(-128, 128, (40, 3, 3, 3)), padding=(1, 1)),
            Lif("l1", theta=np.array(900)),
            Flatten("flat"),
            Dense("fc", rng.integers(-128, 128, (7, 640))),
            Lif("l2", theta=np.array(90)),
        ],
        timesteps=3,
    )
    given = rng.integers(0, 256, (2, 3, 4, 4))
    with MintRtlBackend().compile(program) as executable:
        one, two = executable.run(given[:1]).counts, executable.run(given).counts
    weights = {"conv": 27, "fc": 640}
    for name, rows in weights.items():
        assert moved(one, name)["dram", "weights"] == moved(two, name)["dram", "weights"] == rows * LANES * 8
    assert moved(one, "conv")["dram", "inputs"] == 8 * 16 * WORD
    assert moved(two, "conv")["dram", "inputs"] == 2 * 8 * 16 * WORD
    spikes = 3 * 16 * 2 * WORD  # T, pixels, words of 40 channels
    assert moved(one, "l1")["dram", "spikes"] == moved(one, "fc")["dram", "inputs"] == 0
    assert moved(two, "l1")["dram", "spikes"] == moved(two, "fc")["dram", "inputs"] == 2 * spikes
    assert moved(one, "l2")["dram", "spikes"] == 3 * WORD  # the program's result leaves the chip


@needs_tools
def test_weights_that_do_not_stay_are_loaded_for_every_chunk_of_samples():
    """72 rows of 8 bits in a buffer of 64: two passes, of 64 and 8 rows, whose sums need T rows per sample."""
    rng = np.random.default_rng(1)
    program = chain(
        [Input("x", (72,), bits=1, coding="per_step"), Dense("fc", rng.integers(-128, 128, (5, 72))), Lif("lif")], 4
    )
    given = rng.integers(0, 2, (4, 5, 72))
    backend = MintRtlBackend(weight_bytes=8192, spike_bytes=2048, scratchpad_bytes=64)
    with backend.compile(program) as executable:
        counts = executable.run(given).counts
    acc = 16
    at_once = 64 * 8 // acc // 4  # 8 samples fit: one chunk
    assert at_once >= 5
    assert moved(counts, "fc")["dram", "weights"] == 72 * LANES * 8
    with backend.compile(program) as executable:
        counts = executable.run(rng.integers(0, 2, (4, 2 * at_once + 1, 72))).counts
    # Three chunks; the second piece takes the place of the first each time, and stays for the next chunk's first.
    assert moved(counts, "fc")["dram", "weights"] == 3 * 72 * LANES * 8
    assert moved(counts, "lif")["scratchpad", "sums"] == 2 * 4 * (2 * at_once + 1) * LANES * acc


@needs_tools
@pytest.mark.parametrize(("coding", "kept"), [("per_step", 0), ("direct", 1)])
def test_a_bias_without_weights_in_rows_is_billed_too(coding, kept):
    """A depthwise shortcut with a bias: one pass adds the spikes, the next the bias, in lanes in use."""
    program = chain(
        [
            Input("x", (2, 3, 3), bits=1, coding=coding),
            Conv2d("skip", np.ones((2, 1, 1, 1), int), np.array([1, 2]), groups=2),
            Lif("lif", theta=np.array(5)),
        ],
        timesteps=3,
    )
    given = np.ones((1, 2, 3, 3) if kept else (3, 1, 2, 3, 3), int)
    with MintRtlBackend().compile(program) as executable:
        counts = executable.run(given).counts
    sums, steps = 18 if kept else 54, 54
    operations = {op.name: op.count for op in counts.nodes["skip"].operations}
    assert operations == {"accumulate": sums}
    adds = {op.name: op.count for op in counts.nodes["lif"].operations}["add"]
    # The bias, the sum of the pass before, the kept sum at each other timestep, and U.
    assert adds == sums + sums + (steps - sums) + steps
    pixels = 9 * (1 if kept else 3)
    assert moved(counts, "skip") == {("sram", "inputs"): pixels * WORD, ("dram", "inputs"): pixels * WORD}
    assert moved(counts, "lif")["sram", "inputs"] == pixels * WORD
