"""Programs with delayed edges, ``add`` and ``lateral`` give the oracle's integers; loops leave no state behind."""

import itertools

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
    Lateral,
    Leak,
    Lif,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.testing.programs import accepted_programs, random_inputs
from spikequant.verify import compare
from spikequant_lava.backend import LavaBackend, LavaExecutable
from spikequant_lava.job import Plan
from spikequant_lava.lags import lags_of, steps_taken
from spikequant_lava.wiring import Wiring


def assert_equal(program, python, batch=4, seed=0):
    inputs = random_inputs(program, batch, seed)
    expected, got = run_oracle(program, inputs), LavaExecutable(program, python).run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


def edges_of(text):
    """Read ``a > b`` as an edge and ``a ~ b`` as a delayed one; chains and several of them are fine."""
    found = []
    for path in text.split(","):
        words = path.split()
        for source, arrow, target in zip(words[::2], words[1::2], words[2::2], strict=False):
            found.append(Edge(source, target, delayed=arrow == "~"))
    return tuple(found)


def dense(rng, name, fan_out, fan_in, bias=False):
    codes = rng.integers(-8, 8, (fan_out, fan_in))
    return Dense(name, codes, rng.integers(-9, 10, fan_out) if bias else None, bits=4)


def lif(rng, name, theta=12):
    return Lif(
        name,
        u_bits=int(rng.choice([5, 8, 16])),
        theta=np.array(rng.integers(1, theta)),
        leak=Leak.by_shift(int(rng.integers(1, 3))),
        reset=[Reset("zero"), Reset("subtract"), Reset("value", -3)][rng.integers(3)],
        bias=np.array(rng.integers(0, 3)),
    )


def inhibited(rng, name, size, code):
    """S1's loop: spikes of ``exc`` come back two timesteps later as inhibition of all others."""
    nodes = [
        dense(rng, f"{name}_fc", size, 6),
        Add(f"{name}_sum"),
        lif(rng, f"{name}_exc"),
        Lif(f"{name}_inh", u_bits=2, theta=np.array(1)),
        Lateral(f"{name}_lateral", code),
    ]
    loop = edges_of(
        f"x > {name}_fc > {name}_sum > {name}_exc ~ {name}_inh ~ {name}_lateral, {name}_lateral > {name}_sum"
    )
    return nodes, loop


@pytest.mark.parametrize("seed", range(2))
def test_many_loops_on_one_input_equal_the_oracle(seed, lava_python):
    """One job with every kind of loop: through nothing, one weight, two weights, lateral, convolution, an image."""
    rng = np.random.default_rng(seed)
    nodes = [Input("x", (6,), 2, signed=True, coding="per_step")]
    edges = []
    for name, (size, code) in {"a": (7, -3), "b": (1, -120), "c": (5, 2)}.items():
        more, loop = inhibited(rng, name, size, code)
        nodes += more
        edges += loop
    nodes += [
        *(dense(rng, f"{name}_in", 5, 6, bias=True) for name in ("self", "one", "two")),
        *(Add(f"{name}_sum") for name in ("self", "one", "two")),
        *(lif(rng, f"{name}_lif") for name in ("self", "one", "two")),
        dense(rng, "one_back", 5, 5),
        lif(rng, "two_mid"),
        dense(rng, "two_there", 4, 5),
        dense(rng, "two_back", 5, 4, bias=True),
        dense(rng, "skip_in", 7, 5),
        lif(rng, "skip_lif"),
        Add("skip_sum"),
        Lateral("skip_lateral", 3),
        Readout("skip_out"),
    ]
    edges += edges_of(
        "x > self_in > self_sum > self_lif ~ self_sum,"
        "x > one_in > one_sum > one_lif ~ one_back > one_sum,"
        "x > two_in > two_sum > two_lif > two_there > two_mid ~ two_back > two_sum,"
        "one_lif ~ skip_in > skip_lif > skip_sum, a_exc > skip_sum, skip_lif > skip_sum, a_exc ~ skip_sum,"
        "skip_sum > skip_lateral > skip_out"
    )
    program = Program(tuple(nodes), tuple(edges), timesteps=12)
    trace = assert_equal(program, lava_python, seed=seed)
    assert sum(trace.counts.nodes[name].fires > 0 for name in trace.spikes) > 8


@pytest.mark.parametrize("seed", range(2))
def test_image_loops_and_joins_of_unlike_layouts_equal_the_oracle(seed, lava_python):
    rng = np.random.default_rng(seed)
    conv = lambda name, out, size: Conv2d(name, rng.integers(-4, 5, (out, size, 3, 3)), bits=4, padding=(1, 1))  # noqa: E731
    nodes = (
        Input("x", (2, 3, 4), 2, coding="per_step"),
        conv("conv", 3, 2),
        Add("sum"),
        lif(rng, "lif"),
        conv("back", 3, 3),
        Lateral("lateral", -2),
        Flatten("flat"),
        Flatten("late"),
        Dense("fc", rng.integers(-4, 5, (36, 36)), bits=4),
        Add("join"),
        Dense("out", rng.integers(-4, 5, (3, 36)), rng.integers(-9, 10, 3), bits=4),
        Readout("votes"),
        Readout("late_votes"),
    )
    edges = edges_of(
        "x > conv > sum > lif ~ back > sum, lif ~ lateral > sum, lif > flat > fc > join, flat > join, flat ~ join,"
        "lif ~ late > join, join > out > votes, out ~ late_votes"
    )
    assert_equal(Program(nodes, edges, timesteps=7), lava_python, seed=seed)


def test_random_recurrent_programs_equal_the_oracle(lava_python):
    """What the contract's kit draws, recurrent ones alone."""
    accept = lambda program: program.recurrent and not LavaBackend().refusals(program)  # noqa: E731
    for seed, program in accepted_programs(accept, 4):
        assert_equal(program, lava_python, batch=3, seed=seed)


def test_a_delayed_edge_brings_zero_at_the_first_timestep_of_every_sample(lava_python):
    """By hand: ``a`` fires at every timestep; ``b`` sees it one later, in the second sample as in the first."""
    nodes = (Input("x", (1,), 1), Lif("a", theta=np.array(1)), Lif("b", theta=np.array(1)))
    program = Program(nodes, edges_of("x > a ~ b"), timesteps=3)
    trace = LavaExecutable(program, lava_python).run(np.array([[1], [1], [0]]))
    assert trace.spikes["a"][:, :, 0].T.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert trace.spikes["b"][:, :, 0].T.tolist() == [[0, 1, 1], [0, 1, 1], [0, 0, 0]]


def test_inhibition_acts_two_timesteps_after_the_spike(lava_python):
    """By hand, no leak: each input spike adds 1, theta is 2; the neuron that fires takes 3 from the other."""
    nodes = (
        Input("x", (2,), 1, coding="per_step"),
        Add("sum"),
        Lif("exc", theta=np.array(2), leak=Leak()),
        Lif("inh", u_bits=2, theta=np.array(1)),
        Lateral("lateral", -3),
    )
    program = Program(nodes, edges_of("x > sum > exc ~ inh ~ lateral, lateral > sum"), timesteps=5)
    inputs = np.array([[1, 0], [1, 1], [0, 0], [0, 0], [0, 1]])[:, None]
    trace = LavaExecutable(program, lava_python).run(inputs)
    assert trace.spikes["exc"][:, 0].tolist() == [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0]]
    assert trace.potentials["exc"][:, 0].tolist() == [[1, 0], [0, 1], [0, 1], [0, -2], [0, -1]]


def test_two_inputs_of_one_graph_run(lava_python):
    rng = np.random.default_rng(3)
    nodes = (
        Input("x", (4,), 3),
        Input("y", (2,), 5, signed=True, coding="per_step"),
        dense(rng, "a", 5, 4),
        dense(rng, "b", 5, 2, bias=True),
        Add("sum"),
        lif(rng, "lif"),
    )
    assert_equal(Program(nodes, edges_of("x > a > sum, y > b > sum, sum > lif"), timesteps=4), lava_python)


def loop_of(weights, delays, in_front=False):
    """A loop of ``weights`` dense layers, each followed by neurons, of which the last ``delays`` edges are delayed."""
    eye = np.eye(2, dtype=int)
    names = [name for i in range(weights) for name in (f"fc{i}", f"lif{i}")]
    ring = ["sum", *names, "sum"]
    loop = [Edge(a, b) for a, b in itertools.pairwise(ring)]
    spiking = [i for i, edge in enumerate(loop) if edge.source.startswith("lif")][-delays:]
    loop = [Edge(e.source, e.target, delayed=i in spiking) for i, e in enumerate(loop)]
    nodes = [Dense(name, eye) if name.startswith("fc") else Lif(name) for name in names]
    return Program((Input("x", (2,)), Dense("in", eye), Add("sum"), *nodes), (*edges_of("x > in > sum"), *loop), 1)


def test_lags_are_the_smallest_that_fit():
    """By hand, S1's program: dense layers are one late; ``inh`` runs ahead, as its delay gives it the time."""
    eye = np.eye(3, dtype=int)
    nodes = (
        Input("x", (3,)),
        Dense("fc", eye),
        Add("sum"),
        Lif("exc"),
        Lif("inh"),
        Lateral("lateral", -1),
        Dense("votes", eye),
        Readout("out"),
    )
    edges = edges_of("x > fc > sum > exc ~ inh ~ lateral, lateral > sum, exc > votes > out")
    wiring = Wiring(Program(nodes, edges, 1))
    assert wiring.lags == {"x": 0, "fc": 1, "sum": 1, "exc": 1, "inh": 0, "lateral": 0, "votes": 2, "out": 2}
    relays = {relay.name: (relay.sources, relay.depth, relay.masked) for relay in wiring.relays}
    assert sorted(relays.values()) == [(("exc",), 0, True), (("inh",), 1, True), (("lateral",), 1, False)]
    assert {relays[name][0] for name in wiring.feeds["inh"]} == {("exc",)}


@pytest.mark.parametrize(("weights", "delays", "late"), [(1, 1, 1), (2, 2, 2), (3, 1, 1), (3, 2, 2)])
def test_a_loop_keeps_as_many_of_lavas_own_processes_as_it_has_delays(weights, delays, late):
    program = loop_of(weights, delays)
    steps = steps_taken(program)
    assert [steps[f"fc{i}"] for i in range(weights)] == [1] * late + [0] * (weights - late)
    assert steps["in"] == 1
    reasons = {name: placed.reason for name, placed in Plan(program).placements.items()}
    immediate = "its loop has no delayed edge for the step that Lava's process takes"
    assert [reasons[f"fc{i}"] for i in range(weights)] == [""] * late + [immediate] * (weights - late)


def test_steps_that_no_lags_fit_are_an_error():
    with pytest.raises(ValueError, match=r"some loop takes more steps than it has delayed edges$"):
        lags_of(loop_of(2, 1), {"fc0": 1, "fc1": 1})


def test_one_relay_serves_all_that_want_the_same_and_a_port_is_connected_once():
    nodes = (Input("x", (2,), 1), Lif("a"), Add("twice"), Lif("b"), Lif("c"))
    wiring = Wiring(Program(nodes, edges_of("x > a > twice, a > twice, twice > b, a ~ c, a ~ twice"), 1))
    assert [(relay.sources, relay.depth, relay.masked) for relay in wiring.relays] == [
        (("a",), 0, False),
        (("a",), 1, True),
    ]
    assert wiring.feeds["b"] == ("a", "relay-0", "relay-1")
    assert wiring.feeds["c"] == ("relay-1",)


def test_a_bias_stays_with_its_weights_where_a_delayed_edge_follows(lava_python):
    nodes = [Input("x", (1,)), Dense("fc", np.array([[1]]), bias=np.array([5])), Readout("now"), Readout("late")]
    program = Program(tuple(nodes), edges_of("x > fc > now, fc ~ late"), timesteps=3)
    trace = LavaExecutable(program, lava_python).run(np.array([[1], [2]]))
    assert trace.outputs["now"][:, :, 0].T.tolist() == [[6, 12, 18], [7, 14, 21]]
    assert trace.outputs["late"][:, :, 0].T.tolist() == [[0, 6, 12], [0, 7, 14]]


def test_a_chain_needs_no_relay():
    rng = np.random.default_rng(0)
    program = chain([Input("x", (4,)), dense(rng, "a", 5, 4), lif(rng, "b"), dense(rng, "c", 2, 5), Readout("d")], 2)
    wiring = Wiring(program)
    assert wiring.relays == []
    assert wiring.lags == {"x": 0, "a": 1, "b": 1, "c": 2, "d": 2}
