"""The kit of spiking nodes passes the nodes that keep the contract, and catches each way of breaking it."""

import numpy as np
import pytest

from spikequant.program import Dense, Input, Lif, chain
from spikequant.testing import node_checks, random_program
from spikequant.testing.strangers import Gauge, LateLif, Riser, Toggle, graded_programs, with_neuron
from spikequant_mint.scaled_lif import ScaledLif


@node_checks(
    with_neuron(Riser("cell", u_bits=4)),
    with_neuron(Toggle("cell", u_bits=4)),
    with_neuron(LateLif("cell", theta=np.array(2), u_bits=4)),
    chain([Input("x", (2, 3, 3), 8, signed=True), Lif("lif", u_bits=6, theta=np.array(9))], 2),
    chain([Input("x", (3,), 8), Dense("fc", 9 * np.eye(3, dtype=int)), ScaledLif("cell", theta=np.array(90))], 2),
    *graded_programs().values(),
    *(random_program(seed) for seed in range(4)),
)
def test_contract(program, check):
    check(program)


def broken(**methods):
    return with_neuron(type("Broken", (Riser,), methods)("cell", u_bits=4))


def advance_with(change):
    """``advance`` of a riser whose outcome goes through ``change(spikes, state, overflowed)``."""
    return {"advance": lambda self, x, state, t: change(*Riser.advance(self, x, state, t))}


def writes_to_its_state(self, x, state, t):
    state[1][...] += 1
    return Riser.advance(self, x, state, t)


def writes_to_its_input(self, x, state, t):
    x -= 1
    return Riser.advance(self, x, state, t)


def counts_in_the_node(self, x, state, t):
    object.__setattr__(self, "calls", getattr(self, "calls", 0) + 1)
    return Riser.advance(self, x, state, self.calls)


def looks_at_the_whole_batch(self, x, state, t):
    return Riser.advance(self, x - x.max(), state, t)


BROKEN = {
    "starts as a list": ({"initial": lambda self, batch, shape: [np.zeros((batch, *shape), int)]}, "starts"),
    "starts with one variable": ({"initial": lambda self, batch, shape: (np.zeros((batch, *shape), int),)}, "starts"),
    "starts as floats": ({"initial": lambda self, b, s: (np.full((b, *s), 3.0), np.ones((b, *s), int))}, "starts"),
    "starts below its limits": ({"initial": lambda self, b, s: tuple(np.zeros((2, b, *s), int))}, "starts"),
    "starts without a batch": ({"initial": lambda self, b, s: tuple(np.ones((2, *s), int))}, "starts"),
    "spikes of two": (advance_with(lambda s, state, o: (2 * s, state, o)), "advances"),
    "float spikes": (advance_with(lambda s, state, o: (s * 1.0, state, o)), "advances"),
    "overflow for the whole batch": (advance_with(lambda s, state, o: (s, state, o.sum(axis=0))), "advances"),
    "state beyond its limits": (advance_with(lambda s, state, o: (s, (state[0], state[1] + 9), o)), "advances"),
    "narrow state": (advance_with(lambda s, state, o: (s, (state[0].astype(np.int8), state[1]), o)), "advances"),
    "writes to its state": ({"advance": writes_to_its_state}, "arguments_unchanged"),
    "writes to its input": ({"advance": writes_to_its_input}, "arguments_unchanged"),
    "counts in the node": ({"advance": counts_in_the_node}, "repeats"),
    "looks at the whole batch": ({"advance": looks_at_the_whole_batch}, "batch_split"),
}


def test_a_graded_node_that_puts_out_something_else_than_its_potential_is_caught():
    def advance(self, x, state, t):
        emitted, state, overflowed = Gauge.advance(self, x, state, t)
        return emitted & 1, state, overflowed

    program = with_neuron(type("Broken", (Gauge,), {"advance": advance})("cell", u_bits=4))
    assert node_checks.failures(program) == {
        "advances": "node 'cell' (gauge): advance() at timestep 0 puts out something else than its potential; it is"
        " graded"
    }


@pytest.mark.parametrize(("methods", "caught_by"), BROKEN.values(), ids=BROKEN)
def test_a_broken_node_is_caught(methods, caught_by):
    assert caught_by in failures(broken(**methods))


def failures(program):
    """The checks that fail; one that meets a state it cannot work with may raise before its own turn."""
    failed = []
    for check in node_checks.checks:
        try:
            check(program)
        except (AssertionError, ValueError, IndexError):
            failed.append(check.__name__.removeprefix("check_"))
    return failed


def test_a_failure_names_node_variable_and_limits():
    program = broken(**advance_with(lambda s, state, o: (s, (state[0], state[1] + 9), o)))
    assert node_checks.failures(program)["advances"] == (
        "node 'cell' (riser): advance() at timestep 0 gives threshold 11..11; state_limits says 1..7"
    )
