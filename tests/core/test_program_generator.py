"""The random programs cover the semantics: every kind, every rule, ties, saturation, and they reproduce."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings

from spikequant.errors import UsageError
from spikequant.inputs import input_values
from spikequant.oracle import run_oracle
from spikequant.program import Input, Lif
from spikequant.testing import accepted_programs, plain, programs, random_inputs, random_program
from spikequant.testing.limits import ALL_KINDS

PROGRAMS = [random_program(seed) for seed in range(300)]
LIFS = [node for program in PROGRAMS for node in program.nodes if isinstance(node, Lif)]


def described(program):
    return str(program), program.edges, [vars(node) for node in program.nodes]


def test_a_seed_gives_the_same_program_and_inputs_again():
    assert repr(described(random_program(7))) == repr(described(random_program(7)))
    first, second = random_inputs(PROGRAMS[7], 3, 1), random_inputs(PROGRAMS[7], 3, 1)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_every_kind_and_every_rule_appears():
    kinds = Counter(node.kind for program in PROGRAMS for node in program.nodes)
    assert set(kinds) == {"input", *ALL_KINDS}
    assert min(kinds.values()) >= 20
    for rule, options in (
        (lambda n: n.leak.kind, 3),
        (lambda n: n.leak.rounding, 3),
        (lambda n: n.order, 2),
        (lambda n: n.reset.kind, 3),
        (lambda n: n.overflow, 3),
        (lambda n: n.bias is None, 2),
        (lambda n: n.theta.ndim, 3),
        (lambda n: int(np.sign(n.theta.flat[0])), 3),
    ):
        seen = Counter(rule(node) for node in LIFS)
        assert len(seen) >= options
        assert min(seen.values()) >= 10


def test_inputs_of_every_width_sign_and_coding_appear():
    seen = {(n.bits, n.signed, n.coding) for program in PROGRAMS for n in program.inputs}
    assert len(seen) == 2 + 4 * 2 * 2
    assert {program.timesteps for program in PROGRAMS} == set(range(1, 9))
    assert sum(program.recurrent for program in PROGRAMS) >= 50
    assert sum(len(program.inputs) > 1 for program in PROGRAMS) >= 10


def test_runs_spike_and_saturate_but_not_always():
    rates, saturating = [], 0
    for seed, program in enumerate(PROGRAMS[:100]):
        trace = run_oracle(program, random_inputs(program, 4, seed))
        rates += [float(spikes.mean()) for spikes in trace.spikes.values()]
        saturating += trace.counts.saturations > 0
    assert 30 <= saturating <= 95
    assert sum(0.02 < rate < 0.98 for rate in rates) >= len(rates) // 2


def test_thresholds_are_met_exactly():
    """A program that fires strictly above theta differs on many of them: ties happen."""
    differing = 0
    for seed, program in enumerate(PROGRAMS[:100]):
        inputs = random_inputs(program, 4, seed)
        spikes = run_oracle(program, inputs).spikes
        higher = tuple(late(node) if isinstance(node, Lif) else node for node in program.nodes)
        moved = run_oracle(type(program)(higher, program.edges, program.timesteps), inputs).spikes
        differing += any(not np.array_equal(spikes[name], moved[name]) for name in spikes)
    assert differing >= 30


def late(node):
    return type(node)(**{**vars(node), "theta": np.asarray(node.theta + 1)})


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs())
def test_inputs_fit_their_program(program):
    assert input_values(program, random_inputs(program, 2, 0)).keys() == {node.name for node in program.inputs}


def test_programs_shrink_to_small_ones():
    small = find(programs(), lambda p: any(node.kind == "conv2d" for node in p.nodes), settings=settings(deadline=None))
    assert len(small.nodes) <= 5


def test_limits_hold():
    for seed in range(40):
        program = random_program(seed, plain(), timesteps=2)
        assert program.timesteps <= 2
        assert not program.recurrent
        for node in program.nodes:
            assert node.kind in {"input", "dense", "conv2d", "pool_or", "flatten", "lif", "readout"}
            assert not isinstance(node, Input) or node.bits in {1, 8}


def test_accepted_programs_satisfy_the_predicate():
    found = accepted_programs(lambda program: program.recurrent, 5)
    assert all(program.recurrent for _, program in found)
    message = "^0 of 20 random programs were accepted, and 1 are needed; widen the limits$"
    with pytest.raises(UsageError, match=message):
        accepted_programs(lambda program: False, 1, tries=20)
