"""Lava gives the oracle's integers: every spike, every stored potential, every readout, every count."""

import itertools

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import (
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Leak,
    Lif,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.verify import compare
from spikequant_lava.backend import LavaExecutable

LEAKS = [
    Leak(),
    *(Leak.by_shift(1, rounding) for rounding in ("floor", "toward_zero", "nearest")),
    *(Leak("multiply", 4, 13, rounding) for rounding in ("floor", "toward_zero", "nearest")),
]
ORDERS = ("leak_on_read", "leak_on_store")
RESETS = (Reset("zero"), Reset("subtract"), Reset("value", -3))
OVERFLOWS = ("symmetric", "saturate", "wrap")


def inputs_for(program, rng, batch):
    low, high = program.input.limits
    lead = (program.timesteps, batch) if program.input.coding == "per_step" else (batch,)
    return rng.integers(low, high + 1, (*lead, *program.input.shape))


def check(program, python, rng, batch=4):
    inputs = inputs_for(program, rng, batch)
    expected, got = run_oracle(program, inputs), LavaExecutable(program, python).run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, str(verdict)
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


def any_lif(rng, name, shape):
    theta_shape = [(), (shape[0],), shape][rng.integers(3)]
    return Lif(
        name,
        u_bits=int(rng.choice([2, 4, 8, 16, 32])),
        theta=rng.integers(1, 30, theta_shape),
        leak=LEAKS[rng.integers(len(LEAKS))],
        order=ORDERS[rng.integers(2)],
        reset=RESETS[rng.integers(3)],
        overflow=OVERFLOWS[rng.integers(3)],
        bias=rng.integers(-5, 6, shape) if rng.integers(2) else None,
    )


def any_bias(rng, count):
    return rng.integers(-9, 10, count) if rng.integers(2) else None


def any_input(rng, shape):
    return Input(
        "x",
        shape,
        int(rng.choice([1, 8])),
        signed=bool(rng.integers(2)),
        coding=str(rng.choice(["direct", "per_step"])),
    )


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: f"{leak.kind}-{leak.rounding}")
def test_every_variant_of_lif_equals_the_oracle(leak, lava_python):
    """One network per leak with all 18 other variants side by side behind one dense layer, 5-bit potentials."""
    rng = np.random.default_rng(11)
    variants = [
        Lif(f"lif{i}", u_bits=5, theta=np.array(9), leak=leak, order=order, reset=reset, overflow=overflow)
        for i, (order, reset, overflow) in enumerate(itertools.product(ORDERS, RESETS, OVERFLOWS))
    ]
    nodes = (Input("x", (6,), 3, signed=True, coding="per_step"), Dense("fc", rng.integers(-3, 4, (40, 6))), *variants)
    edges = (Edge("x", "fc"), *(Edge("fc", lif.name) for lif in variants))
    program = Program(nodes, edges, timesteps=12)
    trace = check(program, lava_python, rng, batch=3)
    assert all(trace.counts.nodes[lif.name].fires for lif in variants)
    assert all(trace.counts.nodes[lif.name].saturations for lif in variants), "overflow never acted: prove more"


@pytest.mark.parametrize("seed", range(2))
def test_random_dense_networks_equal_the_oracle(seed, lava_python):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, rng.integers(2, 5))
    nodes = [any_input(rng, (int(sizes[0]),))]
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        bits = int(rng.choice([2, 4, 8, 12]))
        codes = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (fan_out, fan_in))
        nodes += [Dense(f"fc{i}", codes, any_bias(rng, fan_out), bits), any_lif(rng, f"lif{i}", (int(fan_out),))]
    nodes += [Dense("last", rng.integers(-8, 8, (3, sizes[-1])), any_bias(rng, 3)), Readout("out")]
    check(chain(nodes, timesteps=int(rng.integers(1, 9))), lava_python, rng)


@pytest.mark.parametrize("seed", range(3))
def test_random_conv_networks_equal_the_oracle(seed, lava_python):
    rng = np.random.default_rng(100 + seed)
    groups = int(rng.integers(1, 3))
    channels, out = 2 * groups, 3 * groups
    pair = lambda low, high: (int(rng.integers(low, high)), int(rng.integers(low, high)))  # noqa: E731
    conv = Conv2d(
        "conv",
        rng.integers(-8, 8, (out, 2, *pair(1, 4))),
        any_bias(rng, out),
        stride=pair(1, 3),
        padding=pair(0, 3),
        dilation=pair(1, 3),
        groups=groups,
    )
    image = any_input(rng, (channels, int(rng.integers(6, 10)), int(rng.integers(6, 10))))
    shape = chain([image, conv], timesteps=1).shapes["conv"]
    second = Conv2d("conv2", rng.integers(-8, 8, (4, out, 1, 1)), any_bias(rng, 4))
    nodes = [
        image,
        conv,
        any_lif(rng, "lif", shape),
        second,
        any_lif(rng, "lif2", (4, *shape[1:])),
        Flatten("flat"),
        Dense("fc", rng.integers(-128, 128, (5, 4 * shape[1] * shape[2])), any_bias(rng, 5)),
        Readout("out"),
    ]
    check(chain(nodes, timesteps=int(rng.integers(1, 6))), lava_python, rng, batch=3)


def notes_of(trace):
    return dict(note.split(": ", 1) for note in trace.counts.notes if ": " in note)


def test_lavas_own_dense_carries_all_signed_8_bit_codes_and_graded_spikes(lava_python):
    codes = np.arange(-128, 128).reshape(8, 32)
    nodes = [Input("x", (32,), 16, signed=True), Dense("fc", codes), Readout("out")]
    trace = check(chain(nodes, timesteps=2), lava_python, np.random.default_rng(0))
    assert notes_of(trace) == {"fc": "Lava's Dense"}


def test_unsigned_codes_beyond_127_are_carried_by_own_processes(lava_python):
    rng = np.random.default_rng(3)
    low, high = rng.integers(0, 128, (6, 5)), rng.integers(0, 256, (4, 6))
    low[0, 0], high[0, :2] = 127, (0, 255)
    nodes = [Input("x", (5,), 4), Dense("low", low, signed=False), Lif("lif", theta=np.array(2000), u_bits=16)]
    trace = check(chain([*nodes, Dense("high", high, signed=False), Readout("out")], timesteps=4), lava_python, rng)
    own = "own integer dense (codes 0..255 exceed the signed 8 bits of Lava's Dense)"
    assert notes_of(trace) == {"low": "Lava's Dense", "high": own}


def test_sums_that_lava_cannot_hold_are_carried_by_own_processes(lava_python):
    rng = np.random.default_rng(0)
    nodes = [
        Input("x", (2, 5, 4), 24),
        Conv2d("conv", rng.integers(-(1 << 31), 1 << 31, (3, 2, 2, 3)), bits=32, padding=(1, 0)),
        Lif("lif", u_bits=32, theta=np.array([1 << 40, 1, -(1 << 40)]), overflow="wrap"),
        Flatten("flat"),
        Dense("fc", rng.integers(-256, 256, (4, 36)), bits=9),
        Readout("out"),
    ]
    trace = check(chain(nodes, timesteps=3), lava_python, rng)
    notes = notes_of(trace)
    assert notes["conv"].startswith("own integer conv (inputs 0..16777215 exceed signed 24 bits)")
    reach = f"{nodes[4].codes.min()}..{nodes[4].codes.max()}"
    assert notes["fc"] == f"own integer dense (codes {reach} exceed the signed 8 bits of Lava's Dense)"


def test_many_channels_go_to_the_own_convolution(lava_python):
    rng = np.random.default_rng(5)
    nodes = [
        Input("x", (33, 4, 5), 1),
        Conv2d("conv", rng.integers(-8, 8, (32, 33, 3, 3)), stride=(1, 2), padding=(1, 1)),
        Lif("lif", theta=np.array(20)),
    ]
    trace = check(chain(nodes, timesteps=3), lava_python, rng)
    assert notes_of(trace) == {
        "conv": "own integer conv (1056 pairs of channels, each a scipy call per step in Lava's Conv)"
    }


def test_layers_without_neurons_between_them_keep_their_bias_and_delays(lava_python):
    rng = np.random.default_rng(6)
    nodes = [
        Input("x", (2, 3, 4)),
        Conv2d("conv", rng.integers(-8, 8, (3, 2, 2, 2)), bias=np.array([1, -2, 3])),
        Flatten("flat"),
        Lif("lif", theta=rng.integers(1, 2000, 18)),
        Dense("a", rng.integers(-8, 8, (5, 18)), bias=np.array([1, 2, 3, 4, 5])),
        Dense("b", rng.integers(-8, 8, (4, 5)), bias=np.array([-1, 0, 1, 2])),
        Readout("out"),
    ]
    trace = check(chain(nodes, timesteps=5), lava_python, rng)
    assert notes_of(trace)["a"] == "own integer dense (its bias is followed by neither lif nor readout)"


def test_a_value_may_feed_several_branches(lava_python):
    rng = np.random.default_rng(7)
    nodes = (
        Input("x", (6,), 1, coding="per_step"),
        Lif("spikes", theta=np.array(1)),
        Dense("a", rng.integers(-4, 5, (5, 6)), bias=rng.integers(-4, 5, 5)),
        Lif("left", theta=np.array(3)),
        Readout("right"),
        Dense("b", rng.integers(-4, 5, (2, 5))),
        Readout("out"),
    )
    pairs = [("x", "spikes"), ("spikes", "a"), ("a", "left"), ("a", "right"), ("left", "b"), ("b", "out")]
    check(Program(nodes, tuple(Edge(*pair) for pair in pairs), timesteps=6), lava_python, rng)
