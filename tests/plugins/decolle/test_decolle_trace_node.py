"""The traces of a DECOLLE layer by hand-computed integers, their limits, costs and refusals."""

import dataclasses
import re

import numpy as np
import pytest

from spikequant import QFormat
from spikequant.counter_rng import RandomKey, uniforms
from spikequant.errors import ProgramError
from spikequant.memory import program_memory
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, chain
from spikequant.rounding import Overflow, Rounding
from spikequant.testing import node_checks
from spikequant_decolle.trace_node import DecolleTrace

FIELDS = {
    "p_fmt": QFormat(2, 2),
    "q_fmt": QFormat(1, 3),
    "alpha": 3,
    "alpha_shift": 2,
    "beta": 1,
    "beta_shift": 1,
    "p_gain": 1,
    "q_gain": 1,
}


def trace(**fields):
    """P keeps 3/4 and takes Q / 4, Q keeps and takes a half; P in quarters up to 4, Q in eighths up to 2."""
    return DecolleTrace("trace", **(FIELDS | fields))


def advanced(node, x, p, q, t=0):
    emitted, state, over = node.advance(np.array([x]), (np.array([p]), np.array([q])), t)
    assert np.array_equal(emitted, state[0])
    return [part[0].tolist() for part in (*state, over)]


def program(node, bits=4, steps=6, shape=(3,)):
    return chain([Input("input", shape, bits=bits, coding="per_step"), node], steps)


def test_both_lines_see_the_state_before_the_step():
    """P: 3/4 * 8/4 + 4/8 / 4 = 1.625 = 6.5 quarters, 7 by RN. Q: 4/8 / 2 + 3 / 2 = 1.75 = 14 eighths."""
    assert advanced(trace(), [3], [8], [4]) == [[7], [14], [0]]


def test_one_spike_rises_and_falls():
    """Q: 4, 2, 1, 1 (half of 1 rounds up) for ever; P in quarters follows: 0, 4/8/4 = 1/2 -> 1, then 3/4 + 1/4 = 1."""
    found = run_oracle(program(trace(), shape=(1,)), np.array([1, 0, 0, 0, 0, 0]).reshape(6, 1, 1))
    assert found.potentials["trace.synaptic"].ravel().tolist() == [4, 2, 1, 1, 1, 1]
    assert found.potentials["trace"].ravel().tolist() == [0, 1, 1, 1, 1, 1]
    assert found.spikes == {}


@pytest.mark.parametrize(("rounding", "p", "q"), [("TR", [-3, -1, 0], [-2, 0, 2]), ("RN", [-2, -1, 1], [-1, 1, 3])])
def test_roundings_of_negative_and_positive_halves(rounding, p, q):
    """P's sums are -2.25, -0.75 and 0.75 quarters, Q's -1.5, 0.5 and 2.5 eighths."""
    node = trace(rounding=Rounding(rounding))
    assert advanced(node, [0, 0, 0], [-3, -1, 1], [-3, 1, 5])[1] == q
    assert advanced(node, [0, 0, 0], [-3, -1, 1], [0, 0, 0])[0] == p


def test_stochastic_rounding_adds_one_where_the_chance_is_below_the_rest():
    """A rest of 3/4 in P, of 1/2 in Q, keyed by seed, variable, timestep and the flat index of the input."""
    node = trace(rounding=Rounding.SR, seed=5)
    p, q, _ = advanced(node, np.zeros((2, 50), int), np.ones((2, 50), int), np.ones((2, 50), int) * 5, t=9)
    chances = {name: uniforms(RandomKey(5, name, 9), np.arange(100)).reshape(2, 50) for name in "PQ"}
    rest = (3 / 4 + 5 / 8) % 1
    assert p == (1 + (chances["P"] < rest)).tolist()
    assert q == (2 + (chances["Q"] < 1 / 2)).tolist()
    assert advanced(node, np.zeros((2, 50), int), np.ones((2, 50), int), np.ones((2, 50), int) * 5, t=8)[0] != p


def test_a_full_register_saturates_or_wraps():
    """Q of 15 eighths and 6 counts: 7.5 + 24 = 31.5 -> 32, beyond 15; P of 15 and Q of 15: 11.25 + 1.875 fits."""
    assert advanced(trace(), [6], [15], [15]) == [[13], [15], [1]]
    assert advanced(trace(overflow=Overflow.WRAP), [6], [15], [15]) == [[13], [0], [1]]


def test_overflow_of_either_variable_is_told():
    node = trace(p_gain=4)
    assert advanced(node, [0, 0], [15, 0], [15, 0]) == [[15, 0], [8, 0], [1, 0]]


def test_gains_of_one_take_what_arrives_whole():
    """Q-SpiNN's Eq. 2: P = 3/4 P + Q, Q = Q / 2 + S."""
    assert advanced(trace(p_gain=4, q_gain=2), [1], [4], [2]) == [[4], [9], [0]]


def test_unsigned_formats_hold_twice_as_much_and_no_negative_value():
    node = trace(p_fmt=QFormat(2, 2, signed=False), q_fmt=QFormat(1, 3, signed=False))
    assert node.state_limits == ((0, 15), (0, 15))
    assert advanced(node, [-3], [0], [0]) == [[0], [0], [1]]


def test_a_decay_of_zero_keeps_nothing_and_a_shift_of_zero_drops_nothing():
    node = trace(alpha=0, alpha_shift=0, p_gain=1, beta=0, beta_shift=0, q_gain=1, q_fmt=QFormat(3, 2))
    assert advanced(node, [2], [7], [9]) == [[9], [8], [0]]


def test_what_it_puts_out_and_stores_has_its_formats_width():
    net = program(trace())
    assert net.ranges["trace"] == (-16, 15)
    assert net.by_name["trace"].u_bits == 5
    (memory,) = program_memory(net).nodes
    assert (memory.potentials, memory.state_bits) == (6, 3 * (5 + 5))


def test_what_one_input_computes():
    """P's sum reaches 15 * 6 + 15 = 105 eighths of a quarter: 8 bits; Q's 15 + 15 * 8 = 135: 9 bits."""
    found = [(o.name, o.bits, o.count) for o in trace().operations(4)]
    p = [("multiply", 5, 1), ("multiply", 5, 1), ("add", 8, 1), ("add", 8, 1), ("shift", 8, 1), ("register", 5, 1)]
    q = [("multiply", 5, 1), ("multiply", 4, 1), ("add", 9, 1), ("add", 9, 1), ("shift", 9, 1), ("register", 5, 1)]
    assert found == p + q


def test_gains_of_one_and_zero_need_no_product():
    names = [o.name for o in trace(alpha=0, p_gain=4, q_gain=2, rounding=Rounding.TR).operations(4)]
    assert names == ["add", "shift", "register", "multiply", "add", "shift", "register"]


@node_checks(
    program(trace()),
    program(trace(rounding=Rounding.SR, overflow=Overflow.WRAP, seed=-7), shape=(2, 3, 4)),
    program(trace(p_fmt=QFormat(0, 31), q_fmt=QFormat(7, 0), rounding=Rounding.TR), bits=1),
    program(trace(p_fmt=QFormat(12, 3), q_fmt=QFormat(2, 20, signed=False)), bits=8),
)
def test_contract(program, check):
    check(program)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p_fmt": "Q1.2"}, "p_fmt is 'Q1.2'; it must be of type QFormat"),
        ({"p_fmt": QFormat(20, 12)}, "p_fmt is Q20.12, 33 bits; it must be 2 to 32 bits wide, 31 without sign"),
        ({"p_fmt": QFormat(0, 0)}, "p_fmt is Q0.0, 1 bits; it must be 2 to 32 bits wide, 31 without sign"),
        (
            {"q_fmt": QFormat(0, 32, signed=False)},
            "q_fmt is UQ0.32, 32 bits; it must be 1 to 32 bits wide, 31 without sign",
        ),
        ({"alpha": 5}, "alpha is 5; it must be an integer from 0 to 4"),
        ({"alpha": 0.75}, "alpha is 0.75; it must be an integer from 0 to 4"),
        ({"alpha_shift": 25}, "alpha_shift is 25; it must be an integer from 0 to 24"),
        ({"p_gain": -1}, "p_gain is -1; it must be an integer from 0 to 4"),
        ({"beta": True}, "beta is True; it must be an integer from 0 to 2"),
        ({"beta_shift": -1}, "beta_shift is -1; it must be an integer from 0 to 24"),
        ({"q_gain": 3}, "q_gain is 3; it must be an integer from 0 to 2"),
        ({"rounding": "RN"}, "rounding is 'RN'; it must be of type Rounding"),
        ({"overflow": None}, "overflow is None; it must be of type Overflow"),
        ({"seed": 1 << 63}, f"seed is {1 << 63}; it must be an integer from {-(1 << 63)} to {(1 << 63) - 1}"),
    ],
)
def test_a_field_out_of_its_domain_is_refused(fields, message):
    with pytest.raises(ProgramError, match=rf"^node 'trace' \(decolle_trace\): {re.escape(message)}$"):
        trace(**fields)


@pytest.mark.parametrize(
    ("fields", "bits", "variable"),
    [
        ({"p_fmt": QFormat(31, 0), "q_fmt": QFormat(0, 31), "alpha": 1, "alpha_shift": 1}, 1, "P"),
        ({"q_fmt": QFormat(0, 31), "beta_shift": 8, "q_gain": 256}, 32, "Q"),
    ],
)
def test_formats_that_together_leave_63_bits_are_refused(fields, bits, variable):
    text = rf"^node 'trace' \(decolle_trace\): {variable}'s sum is -?\d+\.\.\d+ in units .*; use fewer fraction bits$"
    with pytest.raises(ProgramError, match=text):
        program(trace(**fields), bits=bits)


def test_it_feeds_weights_with_all_its_bits():
    fc = Dense("fc", np.array([[3, -2]]), bits=4)
    net = chain([Input("input", (2,), bits=4, coding="per_step"), trace(), fc], 2)
    assert net.ranges["fc"] == (3 * -16 - 2 * 15, 3 * 15 + 2 * 16)


def test_its_width_follows_its_format_when_it_is_replaced():
    assert dataclasses.replace(trace(), p_fmt=QFormat(3, 4)).u_bits == 8
