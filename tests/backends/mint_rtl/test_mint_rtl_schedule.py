"""Plans cut a layer so that every piece of work is done exactly once, and every piece fits the memories."""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, PoolOr, Readout, chain
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.layer import Shortcut, Taps
from spikequant_mint_rtl.registers import pass_registers, source_size
from spikequant_mint_rtl.residence import Place
from spikequant_mint_rtl.schedule import FitError, plan_layer
from spikequant_mint_rtl.simulator import Register
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from random_layers import random_network

SIZES = (
    Buffers(),
    Buffers(weight_bytes=8192, spike_bytes=2048, scratchpad_bytes=64),
    Buffers(weight_bytes=4096, spike_bytes=8192, scratchpad_bytes=128),
    Buffers(weight_bytes=2048, spike_bytes=1024, scratchpad_bytes=512),
)
WORD, LANES = 32, 128


@cache
def planned():
    """Return ``(layer, buffers, config, plan)`` of many random layers, cut for memories of several sizes."""
    found = []
    for seed in range(60):
        program = random_network(np.random.default_rng(seed), (2, 4, 8)[seed % 3])
        for buffers in SIZES:
            backend = MintRtlBackend(**vars(buffers))
            if not backend.refusals(program):
                layers = layers_of(program)
                configs = core_configs(program, layers, buffers)
                for layer in layers:
                    config = configs[layer.name]
                    plan = plan_layer(layer, buffers, config.weight_bits, config.acc_bits)
                    found.append((layer, buffers, config, plan))
    return found


def test_there_are_plans_of_every_kind():
    plans = [plan for *_, plan in planned()]
    assert len(plans) > 300
    assert any(len(plan.blocks) > 1 and len(plan.passes) > 1 and len(plan.groups) > 1 for plan in plans)
    assert any(plan.samples_at_once > 1 for plan in plans)
    assert any(len(one.kernel_x) == 1 and one.kernel_x.start for plan in plans for one in plan.passes)
    assert any(one.words.start and one.kernel_y.start for plan in plans for one in plan.passes)


def test_blocks_and_groups_cover_every_output_once():
    for layer, _, _, plan in planned():
        covered = np.zeros(layer.out_shape[1:], int)
        for block in plan.blocks:
            covered[block.y : block.y + block.height, block.x : block.x + block.width] += 1
            assert block.y % layer.pool[0] == block.x % layer.pool[1] == 0
        assert (covered == 1).all()
        assert [tile for tiles in plan.groups for tile in tiles] == list(range(layer.tiles))


def test_passes_cover_every_weight_once_and_each_phase_stands_in_its_place():
    for layer, _, _, plan in planned():
        for index, part in enumerate(layer.parts):
            passes = [one for one in plan.passes if one.part == index]
            if isinstance(part, Shortcut):
                assert len(passes) == 1
                continue
            covered = np.zeros((part.stored[0], *part.kernel), int)
            for one in passes:
                channels = slice(one.words.start * WORD, one.words.stop * WORD)
                covered[channels, one.kernel_y.start : one.kernel_y.stop, one.kernel_x.start : one.kernel_x.stop] += 1
                assert one.rows(part) == len(one.kernel_y) * len(one.kernel_x) * covered[channels].shape[0]
            assert (covered == 1).all()
        assert [one.load for one in plan.passes] == [False] + [True] * (len(plan.passes) - 1)
        assert [one.store for one in plan.passes] == [True] * (len(plan.passes) - 1) + [False]
        assert sum(one.bias for one in plan.passes) == (layer.own_bias is not None)
        assert not any(one.bias and isinstance(layer.parts[one.part], Shortcut) for one in plan.passes)
        assert [one.hold for one in plan.passes][:-1] == [False] * (len(plan.passes) - 1)
        assert plan.passes[-1].hold == (layer.still and layer.timesteps > 1)


def test_every_piece_fits_the_memories():
    for layer, buffers, config, plan in planned():
        assert all(len(tiles) <= 64 for tiles in plan.groups)
        assert len(plan.passes) == 1 or all(len(tiles) == 1 for tiles in plan.groups)
        for one in plan.passes:
            part = layer.parts[one.part]
            rows = max(len(tiles) for tiles in plan.groups) * one.rows(part) if isinstance(part, Taps) else 0
            assert rows <= config.weight_rows
            for block in plan.blocks:
                for tiles in plan.groups:
                    registers = pass_registers(layer, one, block, tiles, Place(0, 0), zero_skip=True)
                    outputs = min(layer.out_shape[0], tiles.stop * LANES) - tiles.start * LANES
                    used = source_size(layer, one, block, outputs)
                    assert registers[Register.DST_BASE] == used
                    if not layer.readout and not one.store:
                        used += layer.timesteps * registers[Register.DST_TIME_STRIDE]
                    assert used <= buffers.spike_words
        steps = 1 if layer.still else layer.timesteps
        sums = max(block.height * block.width for block in plan.blocks) * steps
        if len(plan.passes) > 1:
            assert plan.sums >= sums
            assert plan.samples_at_once >= 1
            assert plan.samples_at_once * plan.sums <= config.sum_rows
        else:
            assert (plan.samples_at_once, plan.sums) == (0, 0)


def test_a_layer_that_fits_is_not_cut():
    program = chain(
        [
            Input("x", (16, 6, 6), bits=1, coding="per_step"),
            Conv2d("conv", np.ones((300, 16, 3, 3), int)),
            Lif("lif"),
            PoolOr("pool"),
            Flatten("flat"),
            Dense("fc", np.ones((3, 1200), int)),
            Readout("out"),
        ],
        timesteps=2,
    )
    first, last = layers_of(program)
    plan = plan_layer(first, Buffers(), 8, 16)
    assert (plan.groups, len(plan.blocks), len(plan.passes)) == ((range(3),), 1, 1)
    plan = plan_layer(last, Buffers(), 8, 24)  # 1200 rows, and the buffer holds 1152
    assert [one.rows(last.parts[0]) for one in plan.passes] == [1152, 48]
    assert len(plan_layer(last, Buffers(), 4, 24).passes) == 1


@pytest.mark.parametrize("outputs", [8192, 8193, 8600])
def test_more_than_64_tiles_are_cut_into_groups(outputs):
    program = chain([Input("x", (2,), bits=1), Dense("fc", np.ones((outputs, 2), int)), Lif("lif")], timesteps=1)
    plan = plan_layer(layers_of(program)[0], Buffers(), 8, 16)
    tiles = -(-outputs // LANES)
    assert [len(group) for group in plan.groups] == ([64, tiles - 64] if tiles > 64 else [64])


def test_what_does_not_fit_says_how_much_it_needs():
    program = chain([Input("x", (64, 1, 1), bits=1), Conv2d("c", np.ones((3, 64, 1, 1), int)), Lif("lif")], timesteps=2)
    (layer,) = layers_of(program)
    with pytest.raises(FitError, match=r"^needs 32 weight rows at least, and the core holds 8 \("):
        plan_layer(layer, Buffers(weight_bytes=1024), 8, 16)
