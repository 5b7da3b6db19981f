"""Every spike, stored potential and readout of the simulated accelerator is the oracle's."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, Readout, chain
from spikequant.testing import backend_checks
from spikequant.testing.backend import cases
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.builder import built_cores
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.schedule import plan_layer
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from random_layers import random_bias, random_codes, random_input, random_lif, random_values

BACKENDS = {skip: MintRtlBackend(zero_skip=skip) for skip in (True, False)}
pytestmark = pytest.mark.skipif(
    not BACKENDS[True].availability().ready, reason=f"mint_rtl: {BACKENDS[True].availability().detail}"
)


@pytest.fixture(scope="module", autouse=True)
def cores_built_side_by_side():
    """Build what the random programs of the contract need on all processors, not one after the other."""
    programs = [program for _, program, _ in cases(BACKENDS[True])]
    buffers = BACKENDS[True].buffers
    configs = [config for program in programs for config in core_configs(program, layers_of(program), buffers).values()]
    built_cores(list(dict.fromkeys(configs)))


@backend_checks(MintRtlBackend())
def test_contract(backend, check):
    check(backend)


def assert_identical(program, inputs):
    expected = run_oracle(program, inputs)
    for skip, backend in BACKENDS.items():
        with backend.compile(program) as executable:
            verdict = compare(expected, executable.run(inputs), [node.name for node in program.order])
        assert verdict.identical, f"zero_skip={skip}: {verdict}\n{program}"
    return expected


@pytest.mark.parametrize("seed", range(24))
def test_random_fully_connected_network(seed):
    rng = np.random.default_rng(seed)
    width = (2, 4, 8)[seed % 3]
    inputs, hidden, classes = rng.integers(1, 90), rng.choice([1, 31, 128, 129, 300]), rng.integers(1, 140)
    program = chain(
        [
            random_input(rng, (int(inputs),)),
            Dense("fc1", random_codes(rng, width, hidden, inputs), random_bias(rng, hidden), bits=width),
            random_lif(rng, "lif1", int(hidden), width),
            Dense("fc2", random_codes(rng, width, classes, hidden), random_bias(rng, classes), bits=width),
            Readout("out"),
        ],
        timesteps=int(rng.integers(1, 7)),
    )
    assert_identical(program, random_values(rng, program, 3))


@pytest.mark.parametrize("seed", range(24))
def test_random_convolutional_network(seed):
    rng = np.random.default_rng(1000 + seed)
    width = (2, 4, 8)[seed % 3]
    channels, hidden = int(rng.choice([1, 2, 33])), int(rng.choice([1, 32, 40, 130]))
    kernel = rng.integers(1, 4, 2)
    conv = Conv2d(
        "conv",
        random_codes(rng, width, hidden, channels, *kernel),
        random_bias(rng, hidden),
        bits=width,
        stride=tuple(int(s) for s in rng.integers(1, 3, 2)),
        padding=tuple(int(p) for p in rng.integers(0, 4, 2)),
    )
    image = random_input(rng, (channels, *(int(size) for size in kernel + rng.integers(0, 4, 2))))
    nodes = [image, conv, random_lif(rng, "lif1", hidden, width), Flatten("flat")]
    features = int(np.prod(chain(nodes, 1).shapes["flat"]))
    dense = Dense("fc", random_codes(rng, width, 10, features), random_bias(rng, 10), bits=width)
    program = chain([*nodes, dense, random_lif(rng, "lif2", 10, width)], timesteps=int(rng.integers(1, 5)))
    assert_identical(program, random_values(rng, program, 2))


@pytest.mark.parametrize(("bits", "top", "width"), [(8, 127, 8), (4, 15, 8), (4, 7, 4), (12, 1, 2), (1, 1, 2)])
def test_unsigned_weights_run_where_their_codes_fit(bits, top, width):
    """Their sign bit is the core's: codes up to 7 take 4 bits there, up to 127 take 8."""
    rng = np.random.default_rng(top)
    codes = rng.integers(0, top + 1, (40, 20))
    codes[3, 4] = top
    fc = Dense("fc", codes, bits=bits, signed=False)
    program = chain([Input("x", (20,), bits=4), fc, Lif("lif", theta=np.array(4 * 20 * top), u_bits=16)], timesteps=4)
    assert [layer.weight_bits for layer in layers_of(program)] == [width]
    assert 0 < assert_identical(program, rng.integers(0, 16, (3, 20))).spikes["lif"].mean() < 1


@pytest.mark.parametrize("theta", [7, 6, 8, 0, -3])
def test_threshold_is_reached_at_equality(theta):
    program = chain([Input("x", (1,), bits=4), Dense("fc", np.array([[1]])), Lif("lif", theta=np.array(theta))], 1)
    spikes = assert_identical(program, np.array([[7]])).spikes["lif"]
    assert spikes.ravel().tolist() == [int(theta <= 7)]


def test_weights_and_potentials_of_every_pair_of_widths():
    """2, 4 and 8 bits of weights times 2, 4 and 8 bits of potential, in one network."""
    rng = np.random.default_rng(5)
    nodes = [Input("x", (40,), bits=8)]
    for index, (weight, potential) in enumerate(product((2, 4, 8), (8, 2, 4))):
        codes = random_codes(rng, weight, 40, 40)
        theta = 900 if index == 0 else max(1, int(np.abs(codes).sum(axis=1).mean() / 20))
        nodes += [Dense(f"fc{index}", codes, bits=weight), Lif(f"lif{index}", theta=np.array(theta), u_bits=potential)]
    program = chain(nodes, timesteps=5)
    assert len(set(core_configs(program, layers_of(program), BACKENDS[True].buffers).values())) == 9
    expected = assert_identical(program, rng.integers(0, 256, (4, 40)))
    assert all(0 < spikes.mean() < 1 for spikes in expected.spikes.values())


def test_extreme_sums_fill_the_accumulator():
    codes = np.stack([np.full(300, 127), np.full(300, -128)])
    program = chain(
        [
            Input("x", (300,), bits=8),
            Dense("fc", codes, np.array([1 << 20, -(1 << 20)])),
            Lif("lif", theta=np.array(5)),
        ],
        timesteps=3,
    )
    expected = assert_identical(program, np.full((1, 300), 255))
    assert expected.potentials["lif"].ravel().tolist() == [0, -127] * 3


def test_network_larger_than_the_weight_memory_is_run_in_parts():
    rng = np.random.default_rng(8)
    backend = MintRtlBackend(weight_bytes=32 << 10)
    program = chain(
        [
            Input("x", (100,), bits=1),
            Dense("fc1", random_codes(rng, 8, 400, 100), rng.integers(-40, 40, 400)),
            Lif("lif1", theta=rng.integers(50, 400, 400)),
        ],
        timesteps=3,
    )
    (layer,) = layers_of(program)
    assert len(plan_layer(layer, backend.buffers, 8, 16).groups) == 2
    inputs = rng.integers(0, 2, (2, 100))
    expected = run_oracle(program, inputs)
    with backend.compile(program) as executable:
        for _ in range(2):
            got = executable.run(inputs)
            assert compare(expected, got).identical
            assert got.counts.fires == expected.counts.fires


def test_a_sum_that_does_not_fit_at_once_is_kept_in_the_scratchpad():
    """300 inputs of 8 bits against 256 weight rows: two passes, and the same spikes."""
    rng = np.random.default_rng(9)
    backend = MintRtlBackend(weight_bytes=32 << 10)
    nodes = [Input("x", (300,), bits=1, coding="per_step"), Dense("fc", random_codes(rng, 8, 130, 300))]
    program = chain([*nodes, Lif("lif", theta=np.array(90))], timesteps=5)
    (layer,) = layers_of(program)
    assert len(plan_layer(layer, backend.buffers, 8, 16).passes) == 2
    inputs = rng.integers(0, 2, (5, 7, 300))
    with backend.compile(program) as executable:
        got = executable.run(inputs)
    assert compare(run_oracle(program, inputs), got).identical
    scratchpad = {item.level: item.bits for item in got.counts.nodes["lif"].traffic}["scratchpad"]
    assert scratchpad == 2 * 7 * 5 * 2 * 128 * 16  # tiles, samples, steps, write and read, lanes, bits
