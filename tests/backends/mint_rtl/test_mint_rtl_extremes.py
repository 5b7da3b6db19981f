"""Registers at their limits, odd shapes and odd graphs: the RTL equals the oracle there too."""

from dataclasses import replace

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Leak,
    Lif,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.verify import compare
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.wiring import layers_of

pytestmark = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)
BACKENDS = (MintRtlBackend(), MintRtlBackend(zero_skip=False), MintRtlBackend(lanes="uq"))
RNG = np.random.default_rng(0)


def codes(*shape):
    return RNG.integers(-128, 128, shape)


def dense(weights, bias=None, timesteps=5, head=None, **fields):
    """Return a program of one layer fed with spikes; ``fields`` of its neurons, or another head."""
    last = Lif("lif", **fields) if head is None else head
    return chain([Input("x", (len(weights[0]),), bits=1), Dense("fc", np.array(weights), bias), last], timesteps)


def conv(shape, bits, *nodes, timesteps=4):
    return chain([Input("x", shape, bits=bits), *nodes], timesteps)


def theta(value):
    return np.array(value)


PAIR = [[127, 127], [-128, -128]]
TOP = (1 << 31) - 1
PROGRAMS = {
    # The sum reaches -2**15 at 16 bits, or theta stands where H ends.
    "acc -2^15": dense([[-128] * 256] * 2, head=Readout("out"), timesteps=1),
    "acc -2^15 + U": dense([[-128] * 255] * 2, theta=theta(129 - (1 << 15)), leak=Leak()),
    "acc 2^15": dense([[127] * 257] * 2, theta=theta((1 << 15) - 129), leak=Leak()),
    "acc 2^23": dense(PAIR, np.array([(1 << 23) - 383, 384 - (1 << 23)]), theta=theta((1 << 23) - 1)),
    "acc 2^31": dense(PAIR, np.array([TOP - 387, 556 - TOP]), theta=theta(TOP - 1)),
    "acc 2^31, subtract, on store": dense(
        PAIR,
        np.array([1 << 30, -(1 << 30)]),
        theta=theta(-(1 << 29)),
        reset=Reset("subtract"),
        order="leak_on_store",
        leak=Leak.by_shift(7, "toward_zero"),
    ),
    "readout 2^31": dense(PAIR, np.array([TOP // 5 - 254, 257 - TOP // 5]), head=Readout("out")),
    "least weights, 8 planes": conv(
        (64,),
        8,
        Dense("fc", np.full((3, 64), -128), np.array([1 << 22, -(1 << 22), 7])),
        Lif("l", theta=theta(-(1 << 21)), leak=Leak.by_shift(15, "toward_zero"), reset=Reset("subtract")),
        Dense("g", np.full((5, 3), -128)),
        Readout("out"),
    ),
    "one timestep": conv((40,), 3, Dense("fc", codes(200, 40)), Lif("l", theta=theta(800)), timesteps=1),
    "300 timesteps": conv(
        (3, 4, 4),
        3,
        Conv2d("c", codes(33, 3, 3, 3), padding=(1, 1)),
        Lif("l", theta=theta(900)),
        PoolOr("p"),
        Flatten("f"),
        Dense("d", codes(10, 33 * 4)),
        Lif("out", theta=theta(300)),
        timesteps=300,
    ),
    "1x1 maps": conv(
        (64, 1, 1),
        1,
        Conv2d("c", codes(129, 64, 3, 3), padding=(1, 1)),
        Lif("l", theta=theta(100)),
        PoolOr("p", kernel=(1, 1), stride=(1, 1)),
        Conv2d("d", codes(3, 129, 1, 1)),
        Readout("out"),
    ),
    "kernel larger than the map": conv(
        (2, 2, 3),
        4,
        Conv2d("c", codes(5, 2, 5, 7), padding=(2, 2)),
        Lif("l", theta=theta(300)),
        Conv2d("d", codes(3, 5, 1, 1), padding=(3, 4)),
        Lif("out", theta=theta(4), bias=np.arange(3)),
    ),
    "stride larger than the kernel": conv(
        (33, 9, 11),
        1,
        Conv2d("c", codes(5, 33, 2, 1), stride=(3, 5)),
        Lif("l", theta=theta(300)),
        Conv2d("d", codes(3, 5, 1, 1), stride=(2, 2)),
        Lif("out", theta=theta(4)),
    ),
    "pool cuts the border": conv(
        (1, 7, 8),
        1,
        Conv2d("c", codes(130, 1, 1, 1)),
        Lif("l", theta=theta(30)),
        PoolOr("p", kernel=(3, 5), stride=(3, 5)),
        Conv2d("d", codes(3, 130, 1, 1)),
        Lif("out", theta=theta(4)),
    ),
    "sum pooling overlaps": conv(
        (33, 7, 8),
        2,
        PoolSum("p", kernel=(3, 4), stride=(2, 1)),
        Conv2d("c", codes(30, 33, 2, 2), padding=(1, 1), stride=(2, 1)),
        Lif("l", theta=theta(3000)),
        PoolOr("q"),
        PoolSum("r", kernel=(1, 2), stride=(1, 1)),
        Flatten("f"),
        Dense("d", codes(3, 60)),
        Readout("out"),
    ),
    "more than 64 tiles": conv((3,), 1, Dense("fc", codes(8192 + 300, 3)), Lif("l", theta=theta(30)), timesteps=2),
    **{
        f"{channels} channels": conv(
            (channels, 3, 3),
            1,
            Conv2d("c", codes(channels, channels, 2, 2), padding=(1, 1)),
            Lif("l", theta=theta(100)),
            Conv2d("d", codes(channels, channels, 2, 2)),
            Lif("out", theta=theta(30)),
            timesteps=3,
        )
        for channels in (1, 32, 33, 64)
    },
    "values and spikes into one readout": Program(
        (
            Input("x", (5,), bits=8),
            Dense("fc", codes(6, 5)),
            Lif("l", theta=theta(200)),
            Dense("spikes", codes(4, 6)),
            Dense("values", codes(4, 5)),
            Add("sum"),
            Readout("out"),
        ),
        tuple(
            Edge(*ends)
            for ends in (
                ("x", "fc"),
                ("fc", "l"),
                ("l", "spikes"),
                ("x", "values"),
                ("spikes", "sum"),
                ("values", "sum"),
                ("sum", "out"),
            )
        ),
        4,
    ),
    "multipliers and thetas by channel": conv(
        (3, 4, 4),
        8,
        Conv2d("c", codes(130, 3, 3, 3), RNG.integers(-500, 500, 130), padding=(1, 1)),
        ScaledLif(
            "l",
            multiplier=RNG.integers(1, 100, 130),
            theta=RNG.integers(1, 1 << 20, 130),
            fraction=12,
            leak_shift=3,
        ),
    ),
    "H at 2^31": dense(
        [[127], [-128]],
        head=ScaledLif("l", multiplier=theta((TOP - (1 << 22)) // 128 - 3), theta=theta(TOP), fraction=14),
    ),
    "theta below zero, no fraction": dense(
        [[127], [-128]],
        head=ScaledLif("l", multiplier=np.array([1, 200]), theta=np.array([-5, -25000]), fraction=0, leak_shift=0),
    ),
}


def inputs_of(program):
    """No spike, every bit set, and something between: one batch of three samples."""
    node = program.input
    top = (1 << node.bits) - 1
    between = np.random.default_rng(1).integers(0, top + 1, node.shape)
    values = np.stack([np.zeros(node.shape, int), np.full(node.shape, top), between])
    return values if node.coding == "direct" else np.broadcast_to(values, (program.timesteps, *values.shape))


def recoded(program, coding):
    nodes = tuple(replace(node, coding=coding) if isinstance(node, Input) else node for node in program.nodes)
    return Program(nodes, program.edges, program.timesteps)


@pytest.mark.parametrize("coding", ["direct", "per_step"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_rtl_equals_the_oracle(name, coding):
    program = recoded(PROGRAMS[name], coding)
    given = inputs_of(program)
    expected = run_oracle(program, given)
    assert BACKENDS[0].refusals(program) == {}
    for backend in BACKENDS:
        if backend.refusals(program):  # lanes=uq has one order and one reset
            assert backend.uq
            continue
        with backend.compile(program) as executable:
            verdict = compare(expected, executable.run(given), [node.name for node in program.order])
        assert verdict.identical, str(verdict)


def test_the_programs_reach_every_width_of_the_accumulators():
    widths = set()
    for program in PROGRAMS.values():
        configs = core_configs(program, layers_of(program), BACKENDS[0].buffers)
        widths |= {(config.weight_bits, config.potential_bits, config.acc_bits) for config in configs.values()}
    assert widths == {(8, 8, 16), (8, 8, 24), (8, 8, 32)}
