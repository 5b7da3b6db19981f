"""The Diehl-Cook node by hand-computed integers, its limits and its refusals."""

import re

import numpy as np
import pytest

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.errors import ProgramError
from spikequant.fixed_point import rounded
from spikequant.formats import QFormat
from spikequant.memory import program_memory
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, chain
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_rules import Conductance

HALF = 1 << 15


def cell(**fields):
    """A neuron with one fraction bit and the factor 1/2, at rest at 0 unless told."""
    given = {
        "fmt": QFormat(6, 1),
        "vth": np.array(40),
        "vth_frac_bits": 1,
        "x_frac_bits": 1,
        "rest": 0,
        "reset": -1,
        "refractory": 2,
        "decay": HALF,
    }
    return DiehlCook("exc", **(given | fields))


def advanced(node, x, *state, t=0):
    spikes, after, over = node.advance(np.array([x], np.int64), tuple(np.array([part], np.int64) for part in state), t)
    return spikes[0].tolist(), [part[0].tolist() for part in after], over[0].tolist()


def test_it_starts_at_rest():
    state = cell(rest=-13).initial(2, (3,))
    assert [part.tolist() for part in state] == [[[-26] * 3] * 2, [[0] * 3] * 2]
    assert cell(rest=-13).variables == ("potential", "refractory")


@pytest.mark.parametrize(
    ("rounding", "codes"), [(Rounding.TR, [2, 2, 1, -1, -2, -2]), (Rounding.RN, [3, 2, 2, 0, -1, -2])]
)
def test_one_rounding_of_leak_and_input_together(rounding, codes):
    """5, 4, 3, -1, -3 and -4 halves, halved: 2.5, 2, 1.5, -0.5, -1.5, -2; the first gets a quarter more."""
    x = [1, 0, 0, 0, 0, 0]
    v = [5, 4, 3, -1, -3, -4]
    _, (after, _), over = advanced(cell(rounding=rounding, x_frac_bits=3), x, v, [0] * 6)
    assert (after, over) == (codes, [0] * 6)


def test_stochastic_rounding_compares_one_number_for_each_neuron_with_the_rest():
    """V = odd halves: the rest is 1/2 everywhere, also below zero."""
    v = [3, -1, 1, -3, 5, -5, 7, -7]
    up = (uniforms(RandomKey(4, "V", 9), np.arange(8)) < 0.5).astype(int)
    assert 0 < up.sum() < 8
    node = cell(rounding=Rounding.SR, seed=4)
    _, (after, _), _ = advanced(node, [0] * 8, v, [0] * 8, t=9)
    assert after == [k // 2 + int(u) for k, u in zip(v, up, strict=True)]


def test_stochastic_rounding_is_the_same_for_every_sample():
    node = cell(rounding=Rounding.SR, seed=1)
    v = np.tile(np.array([1, 3, 5, 7, 9, 11]), (3, 1))
    _, (after, _), _ = node.advance(np.zeros_like(v), (v, np.zeros_like(v)), 5)
    assert (after == after[0]).all()


def test_decay_is_toward_rest_and_not_toward_zero():
    """-65 + (-61 + 65) / 2 = -63."""
    _, (after, _), _ = advanced(cell(fmt=QFormat(7, 1), rest=-65, reset=-65), [0], [-122], [0])
    assert after == [-126]


def test_the_threshold_is_reached_at_equality_and_every_crossing_resets():
    """19.5, 20, 30 and 20 against 20: the last three cross and wait, the lowest of them fires."""
    spikes, (v, waits), _ = advanced(cell(), [39, 40, 60, 40], [0] * 4, [0] * 4)
    assert (spikes, v, waits) == ([0, 1, 0, 0], [39, -2, -2, -2], [0, 2, 2, 2])


def test_without_the_rule_of_one_spike_all_crossings_fire():
    spikes, _, _ = advanced(cell(one_spike=False), [39, 40, 60, 40], [0] * 4, [0] * 4)
    assert spikes == [0, 1, 1, 1]


def test_one_spike_counts_for_each_sample():
    node, x = cell(), np.array([[40, 40], [0, 40], [0, 0]])
    spikes, _, _ = node.advance(x, node.initial(3, (2,)), 0)
    assert spikes.tolist() == [[1, 0], [0, 1], [0, 0]]


def test_one_spike_takes_the_lowest_index_in_c_order():
    node, x = cell(), np.array([[[0, 40], [40, 40]]])
    spikes, _, _ = node.advance(x, node.initial(1, (2, 2)), 0)
    assert spikes.tolist() == [[[0, 1], [0, 0]]]


def test_a_neuron_that_waits_takes_no_input_and_still_leaks():
    """The count is looked at before it falls: with 1 left no input counts, with 0 it does."""
    _, (v, waits), _ = advanced(cell(), [8, 8, 8], [8, 8, 8], [2, 1, 0])
    assert (v, waits) == ([4, 4, 12], [1, 0, 0])


def test_after_a_spike_the_input_is_without_effect_for_the_refractory_period():
    node = cell(refractory=3, reset=0)
    state, spikes = node.initial(1, (1,)), []
    for t in range(9):
        fired, state, _ = node.advance(np.array([[50]]), state, t)
        spikes.append(int(fired[0, 0]))
    assert spikes == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_saturation_acts_before_the_comparison_and_is_reported():
    """Q2.1 holds -4..3.5: 5 becomes 3.5, which does not reach 4."""
    node = cell(fmt=QFormat(2, 1), vth=np.array(8))
    spikes, (v, _), over = advanced(node, [10, -30, 6], [0] * 3, [0] * 3)
    assert (spikes, v, over) == ([0, 0, 0], [7, -8, 6], [1, 1, 0])


def test_wrap_acts_before_the_comparison():
    """5 = 10 halves becomes 10 - 16 = -6 halves."""
    node = cell(fmt=QFormat(2, 1), vth=np.array(8), overflow=Overflow.WRAP)
    spikes, (v, _), over = advanced(node, [10, -9], [0] * 2, [0] * 2)
    assert (spikes, v, over) == ([0, 0], [-6, 7], [1, 1])


@pytest.mark.parametrize(("vth", "frac", "fires"), [(81, 2, 0), (80, 2, 1), (20, 0, 1), (21, 0, 0)])
def test_thresholds_may_lie_on_another_grid(vth, frac, fires):
    spikes, _, _ = advanced(cell(vth=np.array(vth), vth_frac_bits=frac), [40], [0], [0])
    assert spikes == [fires]


def test_an_input_finer_than_the_potential_is_not_rounded_first():
    """A tie goes up, also below zero; 2**-20 beside it decides."""
    node = cell(fmt=QFormat(6, 0), x_frac_bits=20, vth=np.array(60))
    almost, tie = (1 << 19) - 1, 1 << 19
    _, (v, _), _ = advanced(node, [almost, tie, -tie, -tie - 1], [0] * 4, [0] * 4)
    assert v == [0, 1, 0, -1]


# The conductance synapse: g in halves with the factor 1/2, E = 8, scale 2**-1, count from bit 6.
G = Conductance(QFormat(4, 1), decay=HALF, e_exc=8, shift=1, inhibition=10, count_bit=6)


def test_g_is_rounded_once_and_drives_the_potential_of_the_step_before():
    """g = 1.5/2 + 1 = 1.75, up to 2 (4 halves); V = 4/2 + 2 * (8 - 4) / 2 = 6."""
    node = cell(synapse=G)
    assert node.variables == ("potential", "refractory", "conductance")
    _, (v, _, g), over = advanced(node, [2], [8], [0], [3])
    assert (v, g, over) == ([12], [4], [0])


def test_the_product_is_rounded_with_the_leak_and_not_by_itself():
    """g = 1/2: V = 1.5/2 + 0.5 * (8 - 1.5) / 2 = 2.375, which is 4.75 halves."""
    _, (v, _, g), _ = advanced(cell(synapse=G, rounding=Rounding.TR), [0], [3], [0], [2])
    assert (v, g) == ([4], [1])
    _, (v, _, _), _ = advanced(cell(synapse=G), [0], [3], [0], [2])
    assert v == [5]


@pytest.mark.parametrize(
    ("x", "g", "v"), [(-64, 0, -20), (-128, 0, -40), (5 - 64, 5, 0), (-32, -32, -128), (31, 31, 124)]
)
def test_excitation_and_inhibitors_share_the_input(x, g, v):
    """V = g * 8 / 2 - 10 n; -32 is all excitation, and so is 31. In halves: 4 g - 20 n."""
    node = cell(synapse=G, reset=0, vth=np.array(125))
    _, (after, _, conducted), _ = advanced(node, [x], [0], [0], [0])
    assert (after, conducted) == ([v], [g])


def test_a_neuron_that_waits_keeps_its_conductance_up():
    _, (v, waits, g), _ = advanced(cell(synapse=G), [4 - 64], [8], [1], [4])
    assert (v, waits, g) == ([4], [0], [6])


def test_a_clipped_conductance_is_reported():
    _, (_, _, g), over = advanced(cell(synapse=Conductance(QFormat(2, 1), HALF, 8, 1, 10, 6)), [9], [0], [0], [0])
    assert (g, over) == ([7], [1])


def test_g_draws_numbers_of_its_own():
    node = cell(synapse=G, rounding=Rounding.SR, seed=2)
    odd = [1, 3, 5, 7, 9, 11, 13, 15]
    _, (_, _, g), _ = advanced(node, [0] * 8, [0] * 8, [1] * 8, odd, t=3)
    up = uniforms(RandomKey(2, "g", 3), np.arange(8)) < 0.5
    assert g == [k // 2 + int(u) for k, u in zip(odd, up, strict=True)]


def test_the_state_is_counted_whole():
    """Potential 8 bits, refractory count 0..2 in 2, conductance 6; three neurons."""
    fc = Dense("fc", np.ones((3, 2), int))
    for synapse, bits in ((None, 10), (G, 16)):
        program = chain([Input("input", (2,), bits=1, coding="per_step"), fc, cell(synapse=synapse)], 2)
        (memory,) = (m for m in program_memory(program).nodes if m.name == "exc")
        assert (memory.state_bits, memory.potentials) == (3 * bits, 9 if synapse else 6)
    assert cell(refractory=0).state_bits == (8, 1)


def test_a_trace_holds_every_variable():
    fc = Dense("fc", np.full((1, 1), 6, int))
    program = chain([Input("input", (1,), bits=1, coding="per_step"), fc, cell(synapse=G)], 2)
    trace = run_oracle(program, np.array([[[1]], [[0]]]))
    found = {name: series.ravel().tolist() for name, series in trace.potentials.items()}
    assert found == {"exc": [24, 6], "exc.refractory": [0, 0], "exc.conductance": [6, 3]}


def test_operations_of_both_synapses():
    def total(node, name):
        return sum(o.count for o in node.operations(8) if o.name == name)

    names = ("add", "multiply", "shift", "compare", "register")
    assert [total(cell(rounding=Rounding.TR), n) for n in names] == [4, 1, 1, 2, 2]
    assert [total(cell(), n) for n in names] == [5, 1, 1, 2, 2]
    assert [total(cell(rounding=Rounding.SR), n) for n in names] == [5, 1, 1, 3, 2]
    assert [total(cell(synapse=G), n) for n in names] == [9, 3, 3, 2, 3]


def test_widths_of_the_operations():
    """V - rest has 9 bits, its product with g 15, which is 29 in H's unit; g has 6, in its sum's unit 22."""
    widths = [(o.name, o.bits) for o in cell(rounding=Rounding.TR, synapse=G).operations(8)]
    v = [("add", 9), ("multiply", 17), ("add", 30), ("shift", 30), ("compare", 8), ("compare", 2), ("add", 2)]
    writes = [("register", 8), ("register", 2), ("register", 6)]
    g = [("multiply", 17), ("add", 23), ("shift", 23), ("add", 9), ("multiply", 9), ("shift", 15), ("add", 30)]
    assert widths == v + writes + g


def test_a_chance_equal_to_the_rest_does_not_round_up():
    rest = np.array([3, 3, -5], np.int64)
    chances = (rest & 7) << 50
    assert rounded(rest, 3, Rounding.SR, chances).tolist() == [0, 0, -1]
    assert rounded(rest, 3, Rounding.SR, chances - 1).tolist() == [1, 1, 0]


def test_bounds_are_reached_by_the_worst_input():
    """V -128..127 halves leaks to -64..63.5 halves; x adds -6..10 halves; H counts 2**-17."""
    low, high = cell().pre_reset_limits(-6, 10)
    assert (low, high) == ((-128 * HALF) - (6 << 16), 127 * HALF + (10 << 16))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rest": -65}, "rest is -65; it must be a value of V's format Q6.1, -64 to 63.5; give V more bits"),
        ({"reset": 64}, "reset is 64; it must be a value of V's format Q6.1, -64 to 63.5; give V more bits"),
        ({"fmt": QFormat(20, 12)}, "fmt is Q20.12, 33 bits; it must be 2 to 32 bits wide, 31 without sign"),
        ({"decay": 65537}, "decay is 65537; it must be an integer from 0 to 65536"),
        ({"decay": 0.5}, "decay is 0.5; it must be an integer from 0 to 65536"),
        ({"refractory": -1}, "refractory is -1; it must be an integer from 0 to 65535"),
        ({"rounding": "RN up"}, "rounding is 'RN up'; it must be of type Rounding"),
        ({"vth": np.array([0.5])}, "vth is a float64 array of shape (1,); it must be a non-empty int64 array;"),
        ({"vth": np.array(1 << 62)}, "vth is 4611686018427387904..4611686018427387904 with 1 fraction bits; it must"),
        ({"synapse": Conductance(decay=-1)}, "synapse.decay is -1; it must be an integer from 0 to 65536"),
    ],
)
def test_fields_out_of_their_domain_are_refused(fields, message):
    with pytest.raises(ProgramError, match=rf"^node 'exc' \(diehl_cook\): {re.escape(message)}.*$"):
        cell(**fields)


def test_formats_too_wide_together_are_refused_by_name():
    inputs = [Input("input", (1,), bits=1), Dense("fc", np.array([[(1 << 31) - 1]]), bits=32)]
    wide = cell(fmt=QFormat(7, 24), synapse=Conductance(QFormat(15, 16), count_bit=33))
    with pytest.raises(
        ProgramError,
        match=r"^node 'exc' \(diehl_cook\): with V Q7\.24, g Q15\.16 and an input of 1 fraction bits, values reach"
        r" -\d+\.\.\d+ in units of their finest step, beyond 63 bits; use fewer fraction bits$",
    ):
        chain([*inputs, wide], 2)


def test_an_excitation_that_reaches_the_count_is_refused():
    fc = Dense("fc", np.array([[32]]))
    with pytest.raises(ProgramError, match=r"^node 'exc' .* reaches 32, .*; raise count_bit to 7 and .*$"):
        chain([Input("input", (1,), bits=1), fc, cell(synapse=G)], 2)


def test_thresholds_of_another_shape_are_refused():
    with pytest.raises(ProgramError, match=r"^node 'exc' .*: vth is an array of shape \(2,\); .* \(\) or \(3,\)$"):
        cell(vth=np.array([1, 2])).initial(1, (3,))


def test_a_plain_neuron_after_it_sees_spikes():
    nodes = [Input("input", (2,), bits=1, coding="per_step"), Dense("fc", np.eye(2, dtype=int) * 60), cell()]
    program = chain([*nodes, Dense("out", np.array([[1, 2]])), Lif("end", theta=np.array(2))], 2)
    trace = run_oracle(program, np.ones((2, 1, 2), int))
    assert trace.spikes["exc"].tolist() == [[[1, 0]], [[0, 0]]]
    assert trace.spikes["end"].ravel().tolist() == [0, 0]
