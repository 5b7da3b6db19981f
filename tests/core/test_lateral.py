"""The node ``lateral`` and delayed lateral inhibition, on integers worked out by hand."""

import re

import nir
import numpy as np
import pytest

from spikequant.energy.report import energy_of, load_table
from spikequant.errors import NirError, ProgramError
from spikequant.memory import program_memory
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle, value_of
from spikequant.program import (
    Add,
    Dense,
    Edge,
    Flatten,
    Input,
    Lateral,
    Leak,
    Lif,
    Operation,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.testing import random_inputs, random_program
from spikequant.verify import compare

EDGES = (
    Edge("input", "fc"),
    Edge("fc", "sum"),
    Edge("sum", "exc"),
    Edge("exc", "inh", delayed=True),
    Edge("inh", "lateral", delayed=True),
    Edge("lateral", "sum"),
    Edge("exc", "votes"),
    Edge("votes", "out"),
)


def inhibition(neurons=3, code=-4, timesteps=5):
    """Excitatory neurons whose spike at t reaches the others as ``code`` at t + 2."""
    nodes = (
        Input("input", (neurons,), bits=1, coding="per_step"),
        Dense("fc", 6 * np.eye(neurons, dtype=int), bits=4),
        Add("sum"),
        Lif("exc", theta=np.array(6), leak=Leak(), u_bits=8),
        Lif("inh", theta=np.array(1), leak=Leak(), u_bits=2),
        Lateral("lateral", code),
        Dense("votes", np.ones((2, neurons), int), bits=2),
        Readout("out"),
    )
    return Program(nodes, EDGES, timesteps)


def test_each_element_gets_the_sum_of_the_others_times_the_code():
    x = np.array([[1, 2, 4], [0, 0, 1], [0, 0, 0]])
    assert value_of(Lateral("l", -3), [x]).tolist() == [[-18, -15, -9], [-3, -3, 0], [0, 0, 0]]


def test_it_is_the_dense_matrix_without_diagonal():
    rng = np.random.default_rng(0)
    x, matrix = rng.integers(-9, 10, (5, 7)), 11 * (1 - np.eye(7, dtype=int))
    assert np.array_equal(value_of(Lateral("l", 11), [x]), value_of(Dense("d", matrix), [x]))


def test_it_joins_all_axes_but_the_batch():
    x = np.random.default_rng(1).integers(0, 2, (3, 2, 2, 2))
    flat = value_of(Lateral("l", 5), [x.reshape(3, 8)])
    assert np.array_equal(value_of(Lateral("l", 5), [x]), flat.reshape(x.shape))


def test_one_element_has_no_others():
    assert value_of(Lateral("l", 5), [np.array([[3]])]).tolist() == [[0]]


def test_a_spike_inhibits_the_others_two_steps_later():
    """exc 0 fires at t = 0, so inh 0 fires at t = 1 and the others lose 4 at t = 2; 6 - 4 is no spike."""
    x = np.zeros((5, 1, 3), int)
    x[0, 0, 0] = 1
    x[2, 0] = 1
    trace = run_oracle(inhibition(), x)
    assert trace.spikes["exc"][:, 0].tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert trace.spikes["inh"][:, 0].tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert trace.potentials["exc"][:, 0].tolist() == [[0, 0, 0], [0, 0, 0], [0, 2, 2], [0, 2, 2], [0, -2, -2]]
    assert trace.outputs["out"][-1, 0].tolist() == [2, 2]


def test_ranges_are_those_of_all_others_at_once():
    program = chain([Input("x", (4,), 2), Lateral("l", -5), Readout("out")], 2)
    assert program.ranges["l"] == (-45, 0)
    signed = chain([Input("x", (4,), 2, signed=True), Lateral("l", 5), Readout("out")], 2)
    assert signed.ranges["l"] == (-30, 15)
    assert inhibition().ranges["lateral"] == (-8, 0)
    assert chain([Input("x", (1, 1, 1), 8), Lateral("l", 9)], 1).ranges["l"] == (0, 0)


@pytest.mark.parametrize("seed", range(200, 260))
def test_values_stay_within_the_ranges(seed):
    program = random_program(seed, kinds=("dense", "add", "lateral", "lif", "readout"))
    trace = run_oracle(program, random_inputs(program, 4, seed))
    for name, array in trace.outputs.items():
        assert program.ranges[name][0] <= array.min() <= array.max() <= program.ranges[name][1]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (1 << 31, "code is 2147483648; it must be between -2147483647 and 2147483647"),
        (-(1 << 31), "code is -2147483648; it must be between -2147483647 and 2147483647"),
        (1.0, "code is of type float; it must be an int; use int()"),
        (True, "code is of type bool; it must be an int; use int()"),
        (np.int8(3), "code is of type int8; it must be an int; use int()"),
    ],
)
def test_a_code_that_is_none(code, why):
    with pytest.raises(ProgramError, match=rf"^node 'l' \(lateral\): {re.escape(why)}$"):
        chain([Input("x", (2,), 1), Lateral("l", code)], 1)


def test_a_sum_beyond_63_bits_is_refused():
    nodes = [Input("x", (2,), 32), Lateral("l", (1 << 31) - 1), Readout("out")]
    with pytest.raises(ProgramError, match=r"^node 'l' \(lateral\): values reach .*, beyond 63 bits; .*$"):
        chain(nodes, 1)


def test_counts_are_those_of_the_sparse_dense():
    """Five set bits in, two others each; no code is read, and three inputs of two bits are."""
    program = chain([Input("x", (3,), 2), Lateral("l", -5), Readout("out")], 1)
    counts = run_oracle(program, np.array([[1, 3, 3]])).counts.nodes["l"]
    assert counts.operations == (Operation("accumulate", 6, 10),)
    assert [(t.what, t.bits) for t in counts.traffic] == [("inputs", 6)]
    assert (counts.inputs, counts.active) == (3, 3)


def test_energy_bills_its_accumulates_as_synaptic_and_only_its_inputs_as_traffic():
    program = chain([Input("x", (3,), 2), Lateral("l", -5), Readout("out")], 1)
    counts, table = run_oracle(program, np.array([[1, 3, 3]])).counts, load_table("sata32")
    lines = energy_of(counts, table, accounting="synaptic").lines
    assert [(line.node, line.what, line.count) for line in lines] == [("l", "accumulate", 10)]
    moved = [line for line in energy_of(counts, table, accounting="with_memory").lines if "sram" in line.what]
    assert [(line.node, line.count) for line in moved] == [("l", 6)]


def test_memory_is_one_constant():
    memory = {node.name: node for node in program_memory(inhibition(code=-120)).nodes}["lateral"]
    assert (memory.weights, memory.constants, memory.constants_bits, memory.potentials) == (0, 1, 8, 0)
    assert memory.accumulators_bits == 3 * 9  # -240..0


def test_it_is_written_as_the_whole_matrix_and_one_code(tmp_path):
    program = inhibition(code=-4)
    write_program(program, tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    node = graph.nodes["lateral"]
    assert type(node) is nir.Linear
    assert node.weight.dtype == np.float32
    assert node.weight.tolist() == [[0, -4, -4], [-4, 0, -4], [-4, -4, 0]]
    assert node.metadata["spikequant"]["code"] == -4
    assert graph.metadata["spikequant"]["profile"] == 2
    assert ("exc", "inh") in graph.edges


def test_the_recurrent_program_survives_the_file(tmp_path):
    program = inhibition(5, -120 << 8, 12)
    write_program(program, tmp_path / "net.nir")
    again = read_program(tmp_path / "net.nir")
    assert again.edges == program.edges
    assert again.by_name["lateral"].code == -120 << 8
    inputs = random_inputs(program, 4, seed=3)
    a, b = run_oracle(program, inputs), run_oracle(again, inputs)
    assert compare(a, b).identical
    assert a.counts == b.counts


def test_random_recurrent_programs_survive_the_file(tmp_path):
    kinds = ("dense", "add", "lateral", "lif", "readout")
    limits = {"kinds": kinds, "bias": False, "input_bits": (1, 3), "code_bits": (4, 6), "u_bits": 16}
    laterals = delayed = 0
    for seed in range(100):
        program = random_program(seed, **limits)
        write_program(program, tmp_path / "net.nir")
        again, inputs = read_program(tmp_path / "net.nir"), random_inputs(program, 3, seed)
        assert again.edges == program.edges, seed
        assert compare(run_oracle(program, inputs), run_oracle(again, inputs)).identical, seed
        laterals += any(node.kind == "lateral" for node in program.nodes)
        delayed += any(e.delayed and again.by_name[e.target].kind == "lif" for e in again.edges)
    assert laterals >= 20
    assert delayed >= 10


def test_a_program_without_it_keeps_the_version_that_older_readers_know(tmp_path):
    write_program(chain([Input("x", (2,), 1), Lif("lif")], 1), tmp_path / "net.nir")
    assert nir.read(tmp_path / "net.nir").metadata["spikequant"]["profile"] == 1


def test_what_nir_cannot_hold_is_refused_by_name(tmp_path):
    image = chain([Input("x", (1, 2, 2), 1), Lateral("l", 1), Flatten("f"), Readout("out")], 1)
    large = chain([Input("x", (8193,), 1), Lateral("l", 1), Readout("out")], 1)
    wide = chain([Input("x", (2,), 1), Lateral("l", -(1 << 24)), Readout("out")], 1)
    cases = {
        r"it joins values of shape \(1, 2, 2\), and NIR's Linear takes flat ones; put a flatten before it": image,
        r"it joins 8193 neurons, and NIR holds the whole matrix of 8193\*\*2 weights; at most 8192 neurons can be"
        r" written": large,
        r"code is -16777216, and float32 is exact only below 2\*\*24; use fewer weight bits": wide,
    }
    for text, program in cases.items():
        with pytest.raises(NirError, match=rf"^node 'l' \(lateral\): {text}$"):
            write_program(program, tmp_path / "net.nir")
    assert list(tmp_path.iterdir()) == []


def test_a_delayed_edge_from_neurons_into_neurons_survives_the_file(tmp_path):
    """A spike goes round a ring of two: a at t, b at t + 1, a at t + 2."""
    nodes = (
        Input("x", (2,), bits=1, coding="per_step"),
        Add("sum"),
        Lif("a", theta=np.array(1), u_bits=4, reset=Reset("subtract")),
        Lif("b", theta=np.array(1), u_bits=2, leak=Leak()),
    )
    edges = (Edge("x", "sum"), Edge("b", "sum", True), Edge("sum", "a"), Edge("a", "b", True))
    program = Program(nodes, edges, 5)
    write_program(program, tmp_path / "net.nir")
    x = np.array([[1, 0], [0, 0], [0, 0], [0, 0], [0, 0]])[:, None]
    spikes = run_oracle(read_program(tmp_path / "net.nir"), {"x": x}).spikes
    assert spikes["a"][:, 0, 0].tolist() == [1, 0, 1, 0, 1]
    assert spikes["b"][:, 0, 0].tolist() == [0, 1, 0, 1, 0]
