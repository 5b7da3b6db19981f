"""The four kinds by hand: each rule of docs/cuba.md on numbers that fit on a line, and each refusal."""

import numpy as np
import pytest

from spikequant.errors import ProgramError
from spikequant.program import Dense, Input, chain, integers
from spikequant_cuba import CubaLi, CubaLif, FixedLi, FixedLif

HALF = {"decay": integers(1), "decay_bits": 1}
WHOLE = {"decay": integers(1), "decay_bits": 0}


def run(node, *drive):
    """Emitted values and states of one neuron."""
    state, emitted, states = node.initial(1, (1,)), [], []
    for t, x in enumerate(drive):
        out, state, _ = node.advance(np.array([[x]]), state, t)
        emitted.append(int(out[0, 0]))
        states.append(tuple(int(part[0, 0]) for part in state))
    return emitted, states if len(states[0]) > 1 else [part[0] for part in states]


@pytest.mark.parametrize(
    ("rounding", "kept"), [("floor", [-3, -2, -1, -1]), ("toward_zero", [-3, -1, 0, 0]), ("nearest", [-3, -1, 0, 0])]
)
def test_a_leak_rounds_by_its_word(rounding, kept):
    assert run(FixedLi("n", **HALF, rounding=rounding), -3, 0, 0, 0) == (kept, kept)


def test_stochastic_rounding_draws_for_each_neuron_and_step_alike_in_all_samples():
    node = FixedLi("n", **HALF, rounding="stochastic", u_bits=8)
    _, (v,), _ = node.advance(np.zeros((3, 200), np.int64), (np.full((3, 200), 7),), 2)
    assert set(v.ravel().tolist()) == {3, 4}
    assert (v == v[0]).all()
    assert 60 < int((v[0] == 4).sum()) < 140


def test_the_three_resets_with_no_leak():
    assert run(FixedLif("n", **WHOLE, theta=integers(5)), 3, 3, 3) == ([0, 1, 0], [3, 0, 3])
    assert run(FixedLif("n", **WHOLE, theta=integers(5), reset="subtract"), 3, 3, 9) == ([0, 1, 1], [3, 1, 5])
    back = FixedLif("n", **WHOLE, theta=integers(5), reset="value", reset_value=integers(-2))
    assert run(back, 3, 3, 3) == ([0, 1, 0], [3, -2, 1])


def test_a_potential_at_the_threshold_fires():
    assert run(FixedLif("n", **WHOLE, theta=integers(5)), 4, 1)[0] == [0, 1]


def test_several_spikes_take_as_many_thresholds():
    node = FixedLif("n", **WHOLE, theta=integers(5), reset="subtract", most_spikes=3)
    assert run(node, 12, 0, 21, -9) == ([2, 0, 3, 0], [2, 2, 8, -1])
    assert (node.emitted_limits, node.emitted_bits) == ((0, 3), 2)


def test_a_late_reset_acts_on_the_next_step():
    """snnTorch: V keeps the H that fired, and theta goes from the next H, whatever that is."""
    node = FixedLif("n", **WHOLE, theta=integers(5), reset="subtract", reset_delay=1)
    assert run(node, 6, 3, 0, 0) == ([1, 0, 0, 0], [6, 4, 4, 4])
    zero = FixedLif("n", **WHOLE, theta=integers(5), reset_delay=1)
    assert run(zero, 6, 9, 9) == ([1, 0, 1], [6, 0, 9])
    back = FixedLif("n", **WHOLE, theta=integers(5), reset="value", reset_value=integers(2), reset_delay=1)
    assert run(back, 6, 9, 9) == ([1, 0, 1], [6, 2, 11])
    many = FixedLif("n", u_bits=10, **WHOLE, theta=integers(5), reset="subtract", reset_delay=1, most_spikes=9)
    assert run(many, 23, 0, 0) == ([4, 0, 0], [23, 3, 3])


def test_the_current_comes_first_or_last():
    fields = {"u_bits": 8, "i_bits": 8, **HALF, "i_decay": integers(1)}
    assert run(CubaLi("n", **fields), 4, 0, 0) == ([4, 4, 3], [(4, 4), (4, 2), (3, 1)])
    late = CubaLi("n", **fields, order="potential_first")
    assert run(late, 4, 0, 0) == ([0, 4, 4], [(0, 4), (4, 2), (4, 1)])


def test_inputs_and_currents_move_between_grids():
    assert run(FixedLi("n", **WHOLE, input_shift=2), 3)[0] == [12]
    assert run(FixedLi("n", **WHOLE, input_shift=-1, rounding="nearest"), 3)[0] == [2]
    node = CubaLi("n", u_bits=8, i_bits=8, **WHOLE, i_decay=integers(0), input_shift=1, i_shift=-2, rounding="floor")
    assert run(node, 3, -3) == ([1, -1], [(1, 6), (-1, -6)])


def test_registers_overflow_by_their_word_and_a_minimum_comes_before():
    given = [(-8, [-8]), (-9, [-8]), (9, [7])]
    for x, kept in given:
        assert run(FixedLi("n", u_bits=4, **WHOLE), x)[0] == kept
    assert run(FixedLi("n", u_bits=4, **WHOLE, overflow="symmetric"), -9)[0] == [-7]
    assert run(FixedLi("n", u_bits=4, **WHOLE, overflow="wrap"), 9)[0] == [-7]
    assert run(FixedLi("n", u_bits=4, **WHOLE, v_min=integers(-1)), -9, 4)[0] == [-1, 3]
    node = CubaLi("n", u_bits=8, i_bits=4, **WHOLE, i_decay=integers(1))
    _, state, acted = node.advance(np.array([[9, 7]]), node.initial(1, (2,)), 0)
    assert [part.tolist() for part in (*state, acted)] == [[[7, 7]], [[7, 7]], [[1, 0]]]


def test_constants_may_differ_by_channel_and_by_neuron():
    node = FixedLif("n", **WHOLE, theta=integers([2, 9]), bias=integers([[[1, 0]], [[0, 5]]]))
    spikes, _, _ = node.advance(np.full((1, 2, 1, 2), 4), node.initial(1, (2, 1, 2)), 0)
    assert spikes.tolist() == [[[[1, 1]], [[0, 1]]]]


def test_loihis_neuron_decays_toward_zero():
    """3072/4096 of -3 is -2.25, kept as -2; 3968/4096 of -2 is -1.9, kept as -1."""
    fields = {"u_bits": 24, "i_bits": 24, "decay_bits": 12, "rounding": "toward_zero", "input_shift": 6}
    node = CubaLif("n", decay=integers(3968), i_decay=integers(3072), theta=integers(64), **fields)
    _, state, _ = node.advance(np.array([[0]]), (np.array([[-2]]), np.array([[-3]])), 0)
    assert [part.tolist() for part in state] == [[[-3]], [[-2]]]
    assert run(node, 1)[0] == [1]


@pytest.mark.parametrize(
    ("kind", "fields", "needed"),
    [
        (FixedLi, {"decay": integers(3), "decay_bits": 1}, "decay is 3..3; it must be from 0 to 2"),
        (FixedLi, {**HALF, "decay_bits": 25}, "decay_bits is 25; it must be an integer from 0 to 24"),
        (
            FixedLi,
            {**HALF, "rounding": "RN"},
            "rounding is 'RN'; it must be one of floor, nearest, toward_zero, stochastic",
        ),
        (FixedLi, {**HALF, "overflow": "clip"}, "overflow is 'clip'; it must be one of symmetric, saturate, wrap"),
        (FixedLi, {**HALF, "input_shift": 33}, "input_shift is 33; it must be an integer from -32 to 32"),
        (FixedLi, {**HALF, "u_bits": 1}, "u_bits is 1; it must be an integer from 2 to 32"),
        (FixedLi, {**HALF, "v_min": integers(200)}, "v_min is 200..200; it must be from -281474976710655 to 127"),
        (
            FixedLi,
            {**HALF, "bias": np.ones(2)},
            r"bias is a float64 array of shape \(2,\); it must be a non-empty int64 array.*",
        ),
        (FixedLi, {**HALF, "lsb": np.array(0.0)}, "lsb is 0.0..0.0; it must be positive and finite"),
        (FixedLif, {**HALF, "most_spikes": 256}, "most_spikes is 256; it must be an integer from 1 to 255"),
        (
            FixedLif,
            {**HALF, "most_spikes": 2, "theta": integers(0)},
            "theta is 0..0; it must be from 1 to 281474976710655",
        ),
        (FixedLif, {**HALF, "reset": "none"}, "reset is 'none'; it must be one of zero, subtract, value"),
        (
            FixedLif,
            {**HALF, "reset_value": integers(3)},
            "reset_value is other than 0; it must be 0 where reset is 'zero'",
        ),
        (FixedLif, {**HALF, "reset_delay": 2}, "reset_delay is 2; it must be an integer from 0 to 1"),
        (CubaLi, {**HALF, "i_bits": 33, "i_decay": integers(1)}, "i_bits is 33; it must be an integer from 2 to 32"),
        (
            CubaLi,
            {**HALF, "i_bits": 8, "i_decay": integers(1), "order": "old"},
            "order is 'old'; it must be one of current_first, potential_first",
        ),
    ],
)
def test_a_field_out_of_its_domain_is_refused_by_name(kind, fields, needed):
    with pytest.raises(ProgramError, match=rf"^node 'n' \({kind.kind}\): {needed}$"):
        kind("n", **fields)


def test_a_constant_that_fits_no_neuron_is_refused():
    with pytest.raises(
        ProgramError, match=r"^node 'n' \(fixed_lif\): theta is an array of shape \(3,\); it must be of"
    ):
        FixedLif("n", **HALF, theta=integers([1, 2, 3])).initial(1, (2,))


def test_a_sum_beyond_63_bits_is_refused():
    cell = FixedLi("n", **HALF, input_shift=32)
    with pytest.raises(
        ProgramError, match=r"^node 'n' \(fixed_li\): H is .* within 63 bits; use a smaller input_shift"
    ):
        chain([Input("input", (1,), bits=32), Dense("fc", integers([[127]])), cell], timesteps=1)


def test_counts_hold_a_product_where_something_decays():
    names = [operation.name for operation in FixedLi("n", **HALF).operations(8)]
    assert names == ["multiply", "shift", "add", "register"]
    assert [operation.name for operation in FixedLi("n", **WHOLE).operations(8)] == ["add", "register"]
    loihi = CubaLif(
        "n", u_bits=24, i_bits=24, decay=integers(3968), i_decay=integers(3072), decay_bits=12, input_shift=6
    )
    names = [operation.name for operation in loihi.operations(8)]
    assert names == ["shift", "multiply", "shift", "add", "register", "multiply", "shift", "add", "compare", "register"]
