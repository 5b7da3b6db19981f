"""Programs of the four kinds give the oracle's integers and counts on Lava."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cuba_programs import Draw, dense_program, drive, image_program

from spikequant.oracle import run_oracle
from spikequant.verify import compare
from spikequant_cuba.grid import RULES
from spikequant_cuba.nir_mapping import NODE_MAPPINGS
from spikequant_lava import environment
from spikequant_lava.backend import LavaBackend
from spikequant_lava.selftest import check


@pytest.fixture(scope="module")
def lava_python() -> Path:
    environment.setup(check=check)
    return environment.current().python


@pytest.mark.parametrize("seed", range(8))
def test_random_programs_equal_the_oracle(seed, lava_python):
    """Even seeds: images; odd ones: a recurrent dense network. Every rounding twice."""
    program = (dense_program if seed % 2 else image_program)(Draw(100 + seed, RULES[seed // 2]))
    inputs = drive(program, seed)
    with LavaBackend(kinds=NODE_MAPPINGS).compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    assert any(counts.fires for counts in got.counts.nodes.values())


def test_several_spikes_a_step_reach_the_next_layer(lava_python):
    """The first of these seeds whose first layer puts out three spikes and more."""
    for seed in range(200, 260):
        program = dense_program(Draw(seed))
        inputs = drive(program, seed)
        expected = run_oracle(program, inputs)
        if "first" in expected.spikes and expected.spikes["first"].max() >= 3:
            break
    with LavaBackend(kinds=NODE_MAPPINGS).compile(program) as executable:
        got = executable.run(inputs)
    assert got.spikes["first"].max() >= 3
    assert compare(expected, got, [node.name for node in program.order]).identical
