"""A program with more nodes than processes shares them, and gives the oracle's integers all the same."""

from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import PluginError
from spikequant.oracle import run_oracle
from spikequant.program import Add, Concat, Conv2d, Dense, Edge, Flatten, Input, Leak, Lif, Program, Readout, chain
from spikequant.registry import registry
from spikequant.testing.programs import accepted_programs, random_inputs
from spikequant.verify import compare
from spikequant_lava.backend import LavaBackend, LavaExecutable
from spikequant_lava.job import PROCESSES, Plan
from spikequant_lava.parts import gives_first, parts_of


def assert_equal(program, python, processes, batch=3, seed=0):
    inputs = random_inputs(program, batch, seed)
    expected = run_oracle(program, inputs)
    got = LavaExecutable(program, python, processes=processes).run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


def assert_no_part_waits_for_one_that_waits_for_it(plan):
    """Every value that is taken at once comes from earlier in the one order of all parts."""
    described = {node["name"]: node for node in plan._processes}
    order = [name for part in plan.parts for name in part]
    assert sorted(order) == sorted(described)
    for name, node in described.items():
        for source in node["sources"]:
            at_once = not gives_first(node) and not gives_first(described[source])
            assert not at_once or order.index(source) < order.index(name), f"{source} > {name} in {order}"


@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("processes", [1, 3])
def test_random_programs_in_few_processes_equal_the_oracle(processes, recurrent, lava_python):
    found = accepted_programs(lambda program: program.recurrent is recurrent and not LavaBackend().refusals(program), 5)
    for seed, program in found:
        assert_equal(program, lava_python, processes, seed=seed)


def test_the_order_of_the_parts_cannot_lock_whatever_the_program():
    for _, program in accepted_programs(LavaBackend(), 150):
        for limit in (1, 2, 3, 5):
            plan = Plan(program, processes=limit)
            assert plan.processes == min(limit, len(plan._processes))
            if plan.fused:
                assert_no_part_waits_for_one_that_waits_for_it(plan)


def line(layers, timesteps=3, size=4):
    rng = np.random.default_rng(layers)
    nodes = [Input("x", (size,), 2)]
    for i in range(layers):
        nodes += [
            Dense(f"fc{i}", np.roll(np.eye(size, dtype=int) * 7, i, 0) + rng.integers(-1, 2, (size, size))),
            Lif(f"lif{i}", theta=np.array(4), leak=Leak.by_shift(1)),
        ]
    return chain([*nodes, Readout("out")], timesteps)


def test_a_chain_of_200_small_layers_runs_in_32_processes(lava_python):
    program = line(200)
    trace = assert_equal(program, lava_python, PROCESSES)
    assert trace.counts.nodes["lif199"].fires, "the spikes died out on the way: prove more"
    assert "402 nodes and relays share 32 processes of Lava" in trace.counts.notes
    assert "fc7: own integer dense (it shares its process)" in trace.counts.notes


def test_a_program_that_fits_keeps_lavas_own_processes_and_one_that_does_not_quite_keeps_some():
    fits = Plan(line(15), processes=32)
    assert fits.processes == len(fits._processes) == 32
    assert fits.carried_by("fc3") == "Lava's Dense"
    nearly = Plan(line(2), processes=5)
    assert [len(part) for part in nearly.parts] == [1, 1, 1, 1, 2]
    assert [nearly.carried_by(name) for name in ("fc0", "fc1")] == ["Lava's Dense"] * 2


def test_images_concats_and_skips_across_parts_equal_the_oracle(lava_python):
    rng = np.random.default_rng(3)
    nodes = [
        Input("x", (2, 6, 5), 3, signed=True, coding="per_step"),
        Conv2d("a", rng.integers(-4, 5, (3, 2, 3, 3)), bias=np.array([1, 0, -1]), padding=(1, 1)),
        Lif("a_lif", theta=np.array(9)),
        Conv2d("b", rng.integers(-4, 5, (3, 3, 3, 3)), padding=(1, 1)),
        Conv2d("back", rng.integers(-4, 5, (3, 3, 1, 1))),
        Conv2d("skip", rng.integers(-4, 5, (3, 3, 1, 1))),
    ]
    nodes += [Add("sum"), Lif("b_lif", theta=np.array(7)), Concat("both"), Flatten("flat")]
    nodes += [Dense("fc", rng.integers(-8, 8, (4, 180)), bits=4), Readout("out")]
    pairs = ["x a", "a a_lif", "a_lif b", "a_lif skip", "b sum", "skip sum", "back sum", "sum b_lif"]
    pairs += ["a_lif both", "b_lif both", "both flat", "flat fc", "fc out"]
    edges = (*(Edge(*pair.split()) for pair in pairs), Edge("b_lif", "back", delayed=True))
    program = Program(tuple(nodes), edges, timesteps=6)
    for processes in (1, 2, 4, 7):
        assert_equal(program, lava_python, processes)


def test_the_number_of_processes_is_an_option_of_the_backend():
    assert registry().make("backend", "lava", {"processes": 4})._processes == 4
    with pytest.raises(PluginError, match=r"^backend 'lava' refuses its options: processes is 0; it must be 1 or more"):
        registry().make("backend", "lava", {"processes": 0})


def test_parts_are_even_and_relays_stand_behind_what_they_carry():
    described = [
        {"name": "x", "process": "source", "sources": []},
        {"name": "a", "process": "lif", "sources": ["x", "r"]},
        {"name": "b", "process": "lif", "sources": ["a"]},
        {"name": "r", "process": "relay", "sources": ["b"], "depth": 1},
        {"name": "s", "process": "relay", "sources": ["a"], "depth": 0},
    ]
    assert parts_of(described, 2) == [["x", "a"], ["s", "b", "r"]]


def test_the_time_that_a_run_is_given_does_not_shrink_with_the_processes():
    given = [LavaExecutable(line(20), Path("python"), processes=n).estimated_timeout_s(1000) for n in (1, 8, 1000)]
    assert len(set(given)) == 1
