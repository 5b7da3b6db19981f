"""Every rule of the lif node on integers worked out by hand."""

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import Input, Leak, Lif, Reset, chain


def run(node, drive):
    """Drive one neuron with a list of integers; return its spikes, potentials and saturations."""
    source = Input("input", (1,), bits=16, signed=True, coding="per_step")
    trace = run_oracle(chain([source, node], timesteps=len(drive)), np.array(drive).reshape(-1, 1, 1))
    spikes, potentials = trace.spikes[node.name], trace.potentials[node.name]
    assert (spikes.dtype, potentials.dtype) == (np.uint8, np.int32)
    return spikes.ravel().tolist(), potentials.ravel().tolist(), trace.counts.nodes[node.name].saturations


def test_mint_algorithm_1():
    """Four timesteps at 4 bits, theta 5: H = X + (U >> 1); spike and zero at H >= theta; U kept in [-7, 7].

    H: 3+0, 3+1, 4+2 (fires), -9+0 (clamped), 4 + (-7 >> 1) = 4-4, 5+0 (fires: equality).
    """
    spikes, potentials, saturations = run(Lif("lif", u_bits=4, theta=np.array(5)), [3, 3, 4, -9, 4, 5])
    assert spikes == [0, 0, 1, 0, 0, 1]
    assert potentials == [3, 4, 0, -7, 0, 0]
    assert saturations == 1


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        (Leak(), -5),
        (Leak.by_shift(1, "floor"), -3),
        (Leak.by_shift(1, "toward_zero"), -2),
        (Leak.by_shift(1, "nearest"), -2),  # -2.5 + 0.5 rounded down
        (Leak.by_shift(2, "nearest"), -1),  # -1.25
        (Leak.by_shift(2, "floor"), -2),
        (Leak("multiply", 3, 5, "floor"), -4),  # -25/8 = -3.125
        (Leak("multiply", 3, 5, "toward_zero"), -3),
        (Leak("multiply", 3, 5, "nearest"), -3),
        (Leak("multiply", 2, 0, "floor"), 0),
        (Leak("multiply", 0, 1, "nearest"), -5),
    ],
)
def test_leak_of_minus_five(leak, expected):
    assert run(Lif("lif", u_bits=8, theta=np.array(100), leak=leak), [-5, 0])[1] == [-5, expected]


@pytest.mark.parametrize(("rounding", "expected"), [("floor", 2), ("toward_zero", 2), ("nearest", 3)])
def test_leak_of_plus_five_halved(rounding, expected):
    assert run(Lif("lif", theta=np.array(100), leak=Leak.by_shift(1, rounding)), [5, 0])[1] == [5, expected]


def test_a_floor_leak_keeps_minus_one_for_ever():
    assert run(Lif("lif", theta=np.array(9)), [-1, 0, 0, 0])[1] == [-1, -1, -1, -1]


def test_leak_on_store_leaks_before_it_saturates():
    """H = 12: stored as 12 >> 1 = 6, within 4 bits; on read it saturates to 7 first and leaks to 3."""
    stored = Lif("lif", u_bits=4, theta=np.array(99), order="leak_on_store")
    assert run(stored, [12, 0]) == ([0, 0], [6, 3], 0)
    assert run(Lif("lif", u_bits=4, theta=np.array(99)), [12, 0]) == ([0, 0], [7, 3], 1)


def test_leak_on_store_leaks_what_a_reset_leaves():
    node = Lif("lif", u_bits=8, theta=np.array(10), order="leak_on_store", reset=Reset("subtract"))
    assert run(node, [17, 0]) == ([1, 0], [3, 1], 0)


@pytest.mark.parametrize(("reset", "left"), [(Reset(), 0), (Reset("subtract"), 3), (Reset("value", -6), -6)])
def test_reset(reset, left):
    assert run(Lif("lif", u_bits=8, theta=np.array(10), reset=reset), [13])[:2] == ([1], [left])


def test_a_reset_value_beyond_the_register_saturates_and_is_counted():
    assert run(Lif("lif", u_bits=4, theta=np.array(1), reset=Reset("value", 50)), [1]) == ([1], [7], 1)


@pytest.mark.parametrize(
    ("overflow", "low", "high"),
    [("symmetric", -7, 7), ("saturate", -8, 7), ("wrap", 7, -8)],
)
def test_overflow_of_four_bits(overflow, low, high):
    node = Lif("lif", u_bits=4, theta=np.array(99), overflow=overflow)
    assert run(node, [-9]) == ([0], [low], 1)
    assert run(node, [8]) == ([0], [high], 1)


@pytest.mark.parametrize(("overflow", "changed"), [("symmetric", 1), ("saturate", 0), ("wrap", 0)])
def test_only_symmetric_registers_lack_the_lowest_code(overflow, changed):
    assert run(Lif("lif", u_bits=4, theta=np.array(99), overflow=overflow), [-8])[2] == changed


@pytest.mark.parametrize(("drive", "spike"), [(4, 0), (5, 1), (6, 1)])
def test_equality_fires(drive, spike):
    assert run(Lif("lif", theta=np.array(5)), [drive])[0] == [spike]


def test_zero_and_negative_thresholds_fire_at_rest():
    assert run(Lif("lif", theta=np.array(0)), [0, -1, 0])[0] == [1, 0, 0]
    assert run(Lif("lif", theta=np.array(-2)), [-2, -3])[0] == [1, 0]


def test_bias_is_added_at_every_timestep_before_the_comparison():
    node = Lif("lif", theta=np.array(5), bias=np.array(2))
    assert run(node, [3, 1, 2]) == ([1, 0, 1], [0, 3, 0], 0)


def test_threshold_and_bias_per_channel_and_per_neuron():
    drive = np.full((1, 2, 1, 2), 5)
    source = Input("input", (2, 1, 2), bits=4)
    channel = Lif("lif", theta=np.array([5, 6]))
    neuron = Lif("lif", theta=np.array([[[5, 6]], [[7, 8]]]), bias=np.array([[[0, 1]], [[1, 3]]]))
    assert run_oracle(chain([source, channel], 1), drive).spikes["lif"].tolist() == [[[[[1, 1]], [[0, 0]]]]]
    assert run_oracle(chain([source, neuron], 1), drive).spikes["lif"].tolist() == [[[[[1, 1]], [[0, 1]]]]]
