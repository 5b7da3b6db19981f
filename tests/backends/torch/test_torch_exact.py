"""The torch backend gives the oracle's integers and counts, on random programs and at the edges of its number types."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikequant.errors import ProgramError, RefusedError
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Leak, Lif, PoolOr, Readout, Reset, chain
from spikequant.testing import plain, programs, random_inputs, random_program
from spikequant.verify import compare
from spikequant_torch.backend import TorchBackend

MNIST = Path(os.environ.get("SPIKEQUANT_DATA", Path(__file__).parents[4] / "shared" / "data")) / "mnist"


def assert_equal(program, inputs, backend):
    expected, got = run_oracle(program, inputs), backend.compile(program).run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}\n{program.edges}"
    assert got.counts.nodes == expected.counts.nodes
    assert (got.counts.backend, got.counts.samples) == ("torch", expected.counts.samples)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(), batch=st.integers(1, 5), chunk=st.sampled_from([None, 1, 2]), seed=st.integers(0, 999))
def test_equals_the_oracle(program, batch, chunk, seed):
    assert_equal(program, random_inputs(program, batch, seed), TorchBackend(batch=chunk))


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_equals_the_oracle_on_seeded_programs(start):
    for seed in range(start, start + 100):
        program = random_program(seed + 10_000, plain() if seed % 4 == 0 else None)
        assert_equal(program, random_inputs(program, 4, seed), TorchBackend(batch=3))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(code_bits=(24, 16, 20), input_bits=(12, 16, 20), blocks=2, u_bits=32), seed=st.integers(0, 99))
def test_wide_programs_run_exactly_or_are_refused(program, seed):
    backend = TorchBackend()
    if not backend.refusals(program):
        assert_equal(program, random_inputs(program, 3, seed), backend)


@pytest.mark.parametrize("top", [(1 << 24) - 1, 1 << 24, (1 << 24) + 1, (1 << 24) + 3])
def test_sums_around_the_end_of_float32(top):
    """float32 rounds 2**24 + 1 to an even neighbour; the sum of weights is exactly ``top``."""
    codes = np.array([[top - 2, 1, 1], [-(top - 2), -1, -1]])
    nodes = [Input("input", (3,), bits=1), Dense("fc", codes, bits=26), Readout("readout")]
    program = chain(nodes, timesteps=2)
    assert_equal(program, np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0]]), TorchBackend())


def test_partial_sums_count_although_the_result_is_small():
    """+2**24 and -2**24 cancel, and the ones between them would be lost in float32."""
    big = 1 << 24
    codes = np.array([[big, 1, 1, 1, -big]])
    program = chain([Input("input", (5,), bits=1), Dense("fc", codes, bits=26), Readout("readout")], timesteps=1)
    assert_equal(program, np.ones((1, 5), int), TorchBackend())


def test_more_than_float64_holds_is_refused_by_name():
    nodes = [Input("input", (1,), bits=30), Dense("fc", np.array([[1 << 23]]), bits=25), Readout("readout")]
    reached = ((1 << 30) - 1) << 23
    message = (
        rf"^backend 'torch' refuses the program: node 'fc': sums reach {reached}, and float64 is exact"
        rf" below {1 << 53}; use fewer bits$"
    )
    nodes[1] = Dense("fc", np.array([[1 << 23]]), bits=25)
    TorchBackend().compile(chain(nodes, timesteps=1)).close()
    nodes[1] = Dense("fc", np.array([[(1 << 23) + 1]]), bits=25)
    with pytest.raises(RefusedError, match=message.replace(str(reached), str(((1 << 30) - 1) * ((1 << 23) + 1)))):
        TorchBackend().compile(chain(nodes, timesteps=1))


def test_a_potential_beyond_int64_is_no_program():
    leak = Leak("multiply", 31, (1 << 31) - 1)
    nodes = [Input("input", (1,), bits=32), Dense("fc", np.array([[1 << 20]]), bits=22)]
    nodes.append(Lif("lif", u_bits=32, theta=np.array(1), leak=leak, order="leak_on_store"))
    message = r"^node 'lif' \(lif\): values reach -\d+..\d+, beyond 63 bits; use fewer bits or smaller constants$"
    with pytest.raises(ProgramError, match=message):
        chain(nodes, timesteps=1)


@pytest.mark.parametrize("theta", [(1 << 31) - 1, 1 << 31, 1 << 40, -(1 << 40)])
@pytest.mark.parametrize("reset", [Reset(), Reset("subtract"), Reset("value", -(1 << 31))])
@pytest.mark.parametrize("overflow", ["symmetric", "saturate", "wrap"])
def test_thresholds_and_registers_around_the_end_of_int32(theta, reset, overflow):
    node = Lif("lif", u_bits=32, theta=np.array(theta), reset=reset, overflow=overflow, leak=Leak())
    source = Input("input", (2,), bits=32, signed=True, coding="per_step")
    drive = np.array([[(1 << 31) - 1, -(1 << 31)]] * 3)[:, None]
    assert_equal(chain([source, node], timesteps=3), drive, TorchBackend())


def test_windows_of_padding_alone():
    """Given to oneDNN as they are, these end the process with a segmentation fault (torch 2.13)."""
    rng = np.random.default_rng(0)
    for rows, kernel, stride, padding, dilation in (
        (3, (3, 1), (2, 3), (0, 2), (1, 2)),
        (4, (2, 1), (2, 2), (2, 1), (1, 2)),
        (4, (1, 1), (2, 2), (2, 1), (2, 2)),
        (5, (3, 1), (3, 3), (2, 2), (2, 2)),
    ):
        codes, bias = rng.integers(-3, 4, (3, 4, *kernel)), rng.integers(-9, 10, 3)
        conv = Conv2d("conv", codes, bias, bits=3, stride=stride, padding=padding, dilation=dilation)
        program = chain([Input("input", (4, rows, 1)), conv, Lif("lif", theta=np.array(300))], timesteps=2)
        for seed in range(20):
            assert_equal(program, random_inputs(program, 5, seed), TorchBackend())


def test_autocast_and_reduced_precision_do_not_reach_a_run():
    """Under autocast torch would multiply in bfloat16."""
    rng = np.random.default_rng(0)
    codes, images = rng.integers(-127, 128, (20, 300)), rng.integers(0, 256, (4, 300))
    program = chain([Input("input", (300,)), Dense("fc", codes), Readout("readout")], timesteps=2)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert_equal(program, images, TorchBackend())
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_default_types_of_the_caller_do_not_reach_a_run():
    torch.set_default_dtype(torch.float64)
    try:
        program = random_program(5)
        assert_equal(program, random_inputs(program, 3, 5), TorchBackend())
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_equals_the_oracle_on_a_gpu():
    for seed in range(60):
        program = random_program(seed)
        assert_equal(program, random_inputs(program, 4, seed), TorchBackend("cuda"))


@pytest.fixture(scope="module")
def digits():
    path = MNIST / "t10k-images-idx3-ubyte.gz"
    if not path.exists():
        pytest.skip(f"MNIST is not in {MNIST.parent}; set SPIKEQUANT_DATA")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 1, 28, 28)


def test_real_digits_through_a_dense_network(digits):
    rng = np.random.default_rng(1)
    nodes = [
        Input("input", (784,)),
        Dense("fc1", rng.integers(-7, 8, (400, 784)), bits=4),
        Lif("lif1", u_bits=14, theta=rng.integers(2000, 6000, 400)),
        Dense("fc2", rng.integers(-7, 8, (10, 400)), bits=4),
        Readout("readout"),
    ]
    assert_equal(chain(nodes, timesteps=4), digits[:100].reshape(100, 784), TorchBackend(batch=32))


def test_real_digits_through_a_convolutional_network(digits):
    rng = np.random.default_rng(2)
    nodes = [
        Input("input", (1, 28, 28)),
        Conv2d("conv1", rng.integers(-7, 8, (16, 1, 3, 3)), bits=4, padding=(1, 1)),
        Lif("lif1", u_bits=12, theta=rng.integers(300, 2000, 16)),
        PoolOr("pool1"),
        Conv2d("conv2", rng.integers(-7, 8, (32, 16, 3, 3)), bits=4, padding=(1, 1)),
        Lif("lif2", u_bits=8, theta=rng.integers(5, 40, 32)),
        PoolOr("pool2"),
        Flatten("flatten"),
        Dense("fc", rng.integers(-7, 8, (10, 32 * 49)), bits=4),
        Readout("readout"),
    ]
    assert_equal(chain(nodes, timesteps=4), digits[:12], TorchBackend())
