"""Counters of the RTL equal closed forms computed from the oracle's spikes."""

import numpy as np
import pytest

from spikequant.counting import set_bits, weighted_counts
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, Readout, chain
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.layer import layers_of
from spikequant_mint_rtl.packing import pack_planes

pytestmark = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)
LANES = 128


def network(bias):
    rng = np.random.default_rng(3)
    return chain(
        [
            Input("x", (3, 7, 6), bits=4),
            Conv2d("conv", rng.integers(-127, 128, (140, 3, 3, 2)), bias, stride=(2, 1), padding=(1, 2)),
            Lif("lif1", theta=np.array(1500)),
            Flatten("flat"),
            Dense("fc1", rng.integers(-127, 128, (50, 140 * 4 * 9))),
            Lif("lif2", theta=np.array(300)),
            Dense("fc2", rng.integers(-127, 128, (9, 50))),
            Readout("out"),
        ],
        timesteps=3,
    )


def taps(layer, values):
    """Yield (pixel, timestep) groups of the words that the scanner sees; None is a tap in the padding."""
    words = pack_planes(values, layer.planes)[0]
    _, height, width = layer.in_shape
    kernel = layer.codes.shape[2:]
    for oy in range(layer.out_shape[1]):
        for ox in range(layer.out_shape[2]):
            for t in range(layer.timesteps):
                seen = []
                for plane in words[t]:
                    for ky in range(kernel[0]):
                        for kx in range(kernel[1]):
                            y, x = (
                                oy * layer.stride[0] - layer.padding[0] + ky,
                                ox * layer.stride[1] - layer.padding[1] + kx,
                            )
                            inside = 0 <= y < height and 0 <= x < width
                            seen += [int(word) for word in plane[y, x]] if inside else [None]
                yield seen


def closed_form(layer, values, zero_skip):
    """Cycles, weight rows, words read and words written of one sample."""
    channels = layer.in_shape[0]
    cycles = rows = read = 0
    lanes = [min(LANES, layer.out_shape[0] - start) for start in range(0, layer.out_shape[0], LANES)]
    written = 0 if layer.readout else sum(-(-n // 32) for n in lanes)
    steps = 0
    for seen in taps(layer, values):
        steps += 1
        inside = [word for word in seen if word is not None]
        read += len(inside)
        cycles += len(seen) - len(inside)
        if zero_skip:
            cycles += sum(max(1, word.bit_count()) for word in inside)
            rows += sum(word.bit_count() for word in inside)
        else:
            visits = len(inside) // -(-channels // 32) * channels
            cycles, rows = cycles + visits, rows + visits
        cycles += 4 + (layer.bias is not None)  # start, first read, drain, step
    per_tile = 1 + layer.out_shape[1] * layer.out_shape[2]
    return (cycles + per_tile) * len(lanes) + written * steps, rows * len(lanes), read * len(lanes), written * steps


@pytest.mark.parametrize("zero_skip", [True, False])
@pytest.mark.parametrize("bias", [None, np.arange(140)])
def test_counters_equal_closed_forms(zero_skip, bias):
    program = network(bias)
    inputs = np.random.default_rng(1).integers(0, 16, (1, 3, 7, 6)) * (np.arange(6) % 2)
    oracle = run_oracle(program, inputs)
    with MintRtlBackend(zero_skip=zero_skip).compile(program) as executable:
        counts = executable.run(inputs).counts
    values = {"x": np.broadcast_to(inputs, (3, *inputs.shape)), **oracle.spikes}
    cycles = 0
    for layer in layers_of(program):
        seen = values[layer.source.name].astype(np.int64).reshape(3, 1, *layer.in_shape)
        node, neuron = counts.nodes[layer.weighted.name], counts.nodes[layer.neuron.name]
        layer_cycles, rows, read, written = closed_form(layer, seen, zero_skip)
        cycles += layer_cycles
        shape = program.shapes[program.source_of(layer.weighted.name).name]
        expected = weighted_counts(program, layer.weighted, seen.reshape(3, *shape))
        moved = {(item.level, item.what): item.bits for item in node.traffic}
        assert node.operations == expected.operations
        assert (node.inputs, node.active) == (expected.inputs, expected.active)
        assert moved["sram", "weights"] == rows * LANES * 8
        assert moved["sram", "inputs"] == read * 32
        assert moved["dram", "weights"] == layer.tiles * layer.tile_rows * LANES * 8
        closed = oracle.counts.nodes[layer.neuron.name]
        assert (neuron.steps, neuron.fires, neuron.saturations) == (closed.steps, closed.fires, closed.saturations)
        if not layer.readout:
            assert neuron.operations == closed.operations
            assert {(i.level, i.what): i.bits for i in neuron.traffic}["sram", "spikes"] == written * 32
    assert counts.cycles == cycles


def test_zero_skipping_reads_one_row_per_set_bit_and_tile():
    program = network(None)
    inputs = np.random.default_rng(2).integers(0, 16, (2, 3, 7, 6))
    with MintRtlBackend().compile(program) as executable:
        counts = executable.run(inputs).counts
        trace = run_oracle(program, inputs)
    fires = int(set_bits(trace.spikes["lif1"]).sum())
    moved = {(item.level, item.what): item.bits for item in counts.nodes["fc1"].traffic}
    assert moved["sram", "weights"] == fires * LANES * 8
