"""Lateral inhibition over delayed edges and neurons with several state variables: the oracle's integers in torch."""

import numpy as np
import pytest

from spikequant.errors import RefusedError
from spikequant.oracle import run_oracle
from spikequant.program import Add, Dense, Edge, Input, Lateral, Leak, Lif, Program, Readout, chain
from spikequant.testing import random_inputs, random_program
from spikequant.testing.strangers import Riser
from spikequant.verify import compare
from spikequant_torch.backend import TorchBackend

KINDS = ("dense", "conv2d", "add", "lateral", "flatten", "lif", "readout")


def assert_equal(program, inputs, batch=None):
    expected, got = run_oracle(program, inputs), TorchBackend(batch=batch).compile(program).run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}\n{program.edges}"
    assert got.counts.nodes == expected.counts.nodes
    return expected


def winner(exc, neurons=6, code=-50, timesteps=20):
    """Neurons whose spikes inhibit all others two timesteps later, and votes."""
    rng = np.random.default_rng(4)
    nodes = (
        Input("input", (9,), bits=1, coding="per_step"),
        Dense("fc", rng.integers(0, 8, (neurons, 9)), bits=4),
        Add("sum"),
        exc,
        Lif("inh", theta=np.array(1), leak=Leak(), u_bits=2),
        Lateral("lateral", code),
        Dense("votes", rng.integers(0, 2, (3, neurons)), bits=2),
        Readout("out"),
    )
    edges = (
        *(Edge(*pair) for pair in (("input", "fc"), ("fc", "sum"), ("sum", "exc"), ("lateral", "sum"))),
        Edge("exc", "inh", delayed=True),
        Edge("inh", "lateral", delayed=True),
        *(Edge(*pair) for pair in (("exc", "votes"), ("votes", "out"))),
    )
    return Program(nodes, edges, timesteps)


@pytest.mark.parametrize(
    "exc", [Lif("exc", theta=np.array(30), u_bits=12), Riser("exc", u_bits=8)], ids=lambda n: n.kind
)
@pytest.mark.parametrize("batch", [None, 2])
def test_delayed_lateral_inhibition(exc, batch):
    program = winner(exc)
    trace = assert_equal(program, random_inputs(program, 5, seed=1), batch)
    assert 0 < trace.spikes["inh"].sum() < trace.spikes["inh"].size


def test_random_recurrent_programs_with_lateral_inhibition():
    seen = 0
    for seed in range(400):
        program = random_program(seed, kinds=KINDS)
        chained = [n for n in program.nodes if isinstance(n, Lateral) and program.inputs_of(n.name)[0].delayed]
        if chained:
            seen += 1
            assert_equal(program, random_inputs(program, 4, seed), batch=3)
    assert seen >= 40


@pytest.mark.parametrize("code", [(1 << 21) - 1, 1 << 21, (1 << 21) + 1, 5_592_407, -(1 << 30) - 1])
def test_lateral_sums_around_the_end_of_float32(code):
    """Eight others at most: 8 * code passes 2**24, beyond which float32 rounds odd sums."""
    program = chain([Input("x", (9,), bits=1), Lateral("join", code), Readout("out")], timesteps=3)
    assert_equal(program, random_inputs(program, 6, seed=2))


def test_a_lateral_beyond_float64_is_refused():
    program = chain([Input("x", (9,), bits=24), Lateral("join", (1 << 31) - 1), Readout("out")], timesteps=1)
    with pytest.raises(RefusedError, match=r"^backend 'torch' refuses the program: node 'join': sums reach .*$"):
        TorchBackend().compile(program)


def test_every_state_variable_is_recorded_chunk_by_chunk():
    """Neurons outside a cycle run all timesteps at once, with the timestep counted on."""
    program = chain([Input("x", (2, 3), bits=4, coding="per_step"), Riser("cell", u_bits=5)], timesteps=7)
    inputs = random_inputs(program, 5, seed=3)
    assert_equal(program, inputs, batch=2)
    trace = TorchBackend(batch=2).compile(program).run(inputs)
    assert list(trace.potentials) == ["cell", "cell.threshold"]
    assert {str(array.dtype) for array in trace.potentials.values()} == {"int32"}
