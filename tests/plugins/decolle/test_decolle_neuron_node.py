"""The neurons of a DECOLLE layer by hand-computed integers, their limits, costs and refusals."""

import re

import numpy as np
import pytest

from spikequant import QFormat
from spikequant.counter_rng import RandomKey, uniforms
from spikequant.errors import ProgramError
from spikequant.memory import program_memory
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Input, chain
from spikequant.rounding import Overflow, Rounding
from spikequant.testing import node_checks
from spikequant_decolle.neuron_node import DecolleNeurons

FIELDS = {
    "v_fmt": QFormat(2, 1),
    "r_fmt": QFormat(1, 2),
    "gamma": 1,
    "gamma_shift": 1,
    "r_gain": 1,
    "rho": 2,
    "rho_shift": 1,
    "x_frac_bits": 3,
    "vth": np.array(2),
}


def neurons(**fields):
    """V in halves, threshold 1; R in quarters keeps a half and takes a half per spike; rho is 1; x in eighths."""
    return DecolleNeurons("lif", **(FIELDS | fields))


def advanced(node, x, r, t=0):
    spikes, (v, after), over = node.advance(np.array([x]), (np.zeros_like([x]), np.array([r])), t)
    return [part[0].tolist() for part in (spikes, v, after, over)]


def program(node, shape=(3,), bits=6, steps=6):
    return chain([Input("input", shape, bits=bits, signed=True, coding="per_step"), node], steps)


def test_a_spike_lowers_the_potential_from_the_next_step_on():
    """x is 1 for ever. V = 1 fires, R = 2/4; V = 1/2, R = 1/4; V = 3/4 -> 1 fires, R = 5/8 -> 3/4; V = 1/4 -> 1/2."""
    found = run_oracle(program(neurons(), shape=(1,), steps=5), np.full((5, 1, 1), 8))
    assert found.spikes["lif"].ravel().tolist() == [1, 0, 1, 0, 0]
    assert found.potentials["lif"].ravel().tolist() == [2, 1, 2, 1, 1]
    assert found.potentials["lif.refractory"].ravel().tolist() == [2, 1, 3, 2, 1]


def test_equality_with_the_threshold_fires_after_rounding():
    """6 eighths are 1.5 halves: 2 by RN, which reaches the threshold of 2 halves; 1 by TR."""
    assert advanced(neurons(), [5, 6, 8], [0, 0, 0])[:2] == [[0, 1, 1], [1, 2, 2]]
    assert advanced(neurons(rounding=Rounding.TR), [5, 6, 8], [0, 0, 0])[:2] == [[0, 0, 1], [1, 1, 2]]


def test_potential_and_refractory_state_meet_on_the_finest_grid_and_are_rounded_once():
    """-1 eighth - 3 quarters = -7/8 = -1.75 halves: -2 by RN and TR; -3 eighths - 0 = -0.75 halves: -1 by both."""
    for rounding in (Rounding.RN, Rounding.TR):
        assert advanced(neurons(rounding=rounding), [-1, -3], [3, 0])[1] == [-2, -1]
    assert advanced(neurons(), [-2, -2], [0, 1])[1] == [0, -1]


def test_rho_scales_what_the_refractory_state_takes():
    assert advanced(neurons(rho=6), [8, 8], [1, 2])[1] == [1, -1]
    assert advanced(neurons(rho=0), [8, 8], [1, 2])[1] == [2, 2]


def test_a_gain_of_one_adds_a_whole_spike():
    """Q-SpiNN's Eq. 2: R = R / 2 + S."""
    assert advanced(neurons(r_gain=2), [9, 0], [0, 3])[2] == [4, 2]


def test_thresholds_of_channels_and_of_neurons():
    x = np.full((1, 2, 1, 2), 8)
    zeros = (np.zeros_like(x), np.zeros_like(x))
    per_channel = neurons(vth=np.array([2, 3])).advance(x, zeros, 0)[0]
    assert per_channel[0, :, 0].tolist() == [[1, 1], [0, 0]]
    per_neuron = neurons(vth=np.array([[[2, 3]], [[3, -5]]])).advance(x, zeros, 0)[0]
    assert per_neuron[0, :, 0].tolist() == [[1, 0], [0, 1]]


def test_thresholds_that_fit_neither_are_refused():
    message = (
        r"node 'lif' \(decolle\): vth is an array of shape \(2,\); it must be of shape \(\), \(3,\) or \(3, 4, 4\)"
    )
    with pytest.raises(ProgramError, match=f"^{message}$"):
        run_oracle(program(neurons(vth=np.array([1, 2])), shape=(3, 4, 4)), np.zeros((6, 1, 3, 4, 4), int))


def test_stochastic_rounding_draws_for_both_variables():
    """V's sum is 2.25 halves, R's 0.5 of 3 quarters and no spike."""
    node = neurons(rounding=Rounding.SR, seed=-3, vth=np.array(7))
    _, v, r, _ = advanced(node, np.full((5, 20), 15), np.full((5, 20), 3), t=4)
    chances = {name: uniforms(RandomKey(-3, name, 4), np.arange(100)).reshape(5, 20) for name in "VR"}
    assert v == (2 + (chances["V"] < 1 / 4)).tolist()
    assert r == (1 + (chances["R"] < 1 / 2)).tolist()


def test_a_full_register_saturates_or_wraps():
    assert advanced(neurons(), [31, 40, -40], [0, 0, 0]) == [[1, 1, 0], [7, 7, -8], [2, 2, 0], [1, 1, 1]]
    assert advanced(neurons(overflow=Overflow.WRAP), [31, 40, -40], [0, 0, 0]) == [
        [0, 0, 1],
        [-8, -6, 6],
        [0, 0, 2],
        [1, 1, 1],
    ]


def test_overflow_of_the_refractory_state_is_told():
    """7 / 2 + 4 quarters are 7.5, rounded to 8 and beyond 7; without a spike they are 3.5."""
    assert advanced(neurons(r_gain=2), [15], [7]) == [[0], [0], [4], [0]]
    assert advanced(neurons(r_gain=2), [30], [7]) == [[1], [4], [7], [1]]


def test_state_has_the_formats_widths_and_thresholds_are_constants():
    net = program(neurons(vth=np.array([2, 3, -1])))
    (memory,) = program_memory(net).nodes
    assert (memory.potentials, memory.state_bits, memory.constants, memory.constants_bits) == (6, 3 * 8, 3, 3 * 3)
    assert net.by_name["lif"].u_bits == 4
    assert net.ranges["lif"] == (0, 1)


def test_what_one_neuron_computes():
    """V's sum reaches 255 + 16 eighths: 10 bits; R's 7 + 4 eighths: 5 bits. rho is 1: no product."""
    found = [(o.name, o.bits, o.count) for o in neurons().operations(8)]
    v = [("add", 10, 1), ("add", 10, 1), ("shift", 10, 1), ("register", 4, 1), ("compare", 4, 1)]
    r = [("multiply", 4, 1), ("add", 5, 1), ("add", 5, 1), ("shift", 5, 1), ("register", 4, 1)]
    assert found == v + r


def image():
    conv = Conv2d("conv", np.random.default_rng(0).integers(-7, 9, (2, 1, 3, 3)), bits=5)
    node = neurons(vth=np.array([2, -1]), rounding=Rounding.SR)
    return chain([Input("input", (1, 5, 6), bits=2, coding="per_step"), conv, node], 6)


@node_checks(
    program(neurons()),
    program(neurons(v_fmt=QFormat(2, 20), rounding=Rounding.SR, overflow=Overflow.WRAP, seed=9)),
    program(neurons(r_fmt=QFormat(0, 3, signed=False), x_frac_bits=60, rounding=Rounding.SR), bits=2),
    image(),
)
def test_contract(program, check):
    check(program)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"v_fmt": QFormat(20, 12)}, "v_fmt is Q20.12, 33 bits; it must be 2 to 32 bits wide, 31 without sign"),
        ({"r_fmt": 3}, "r_fmt is 3; it must be of type QFormat"),
        ({"gamma": 3}, "gamma is 3; it must be an integer from 0 to 2"),
        ({"gamma_shift": 25}, "gamma_shift is 25; it must be an integer from 0 to 24"),
        ({"r_gain": 3}, "r_gain is 3; it must be an integer from 0 to 2"),
        ({"rho": -1}, "rho is -1; it must be an integer from 0 to 2147483647"),
        ({"rho_shift": 25}, "rho_shift is 25; it must be an integer from 0 to 24"),
        ({"x_frac_bits": 63}, "x_frac_bits is 63; it must be an integer from 0 to 62"),
        ({"vth": 2}, "vth is 2; it must be a non-empty int64 array; use spikequant.program.integers()"),
        (
            {"vth": np.array([2.0])},
            "vth is a float64 array of shape (1,); it must be a non-empty int64 array; use"
            " spikequant.program.integers()",
        ),
        ({"vth": np.array([3, 8])}, "vth is 3..8; it must be codes of V's format Q2.1, -8..7"),
        ({"rounding": 1}, "rounding is 1; it must be of type Rounding"),
        ({"overflow": "wrap"}, "overflow is 'wrap'; it must be of type Overflow"),
        ({"seed": 0.5}, f"seed is 0.5; it must be an integer from {-(1 << 63)} to {(1 << 63) - 1}"),
    ],
)
def test_a_field_out_of_its_domain_is_refused(fields, message):
    with pytest.raises(ProgramError, match=rf"^node 'lif' \(decolle\): {re.escape(message)}$"):
        neurons(**fields)


@pytest.mark.parametrize(
    ("fields", "variable"),
    [
        ({"v_fmt": QFormat(2, 29), "x_frac_bits": 0}, None),
        ({"r_fmt": QFormat(0, 31), "rho_shift": 24, "x_frac_bits": 0}, "V"),
        ({"rho": 2147483647, "rho_shift": 0, "r_fmt": QFormat(31, 0), "x_frac_bits": 3}, "V"),
    ],
)
def test_formats_that_together_leave_63_bits_are_refused(fields, variable):
    if variable is None:
        assert program(neurons(**fields), bits=32)
        return
    text = rf"^node 'lif' \(decolle\): {variable}'s sum is -?\d+\.\.\d+ in units .*; use fewer fraction bits$"
    with pytest.raises(ProgramError, match=text):
        program(neurons(**fields), bits=32)
