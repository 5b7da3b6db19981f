"""Each step of the dynamics on networks of two or three neurons, worked out by hand.

Without a leak (a time constant of 1e12) and around a rest of 0 every potential is a whole number.
"""

import math

import numpy as np
import pytest

from spikequant.formats import QFormat
from spikequant_stdp.engine import Formats, Parameters, State, TorchEngine

HALF = 1 / math.log(2)
"""A time constant that halves in each step."""


def parameters(neurons, timesteps, **options):
    plain = {
        "inputs": 2,
        "rest": 0.0,
        "reset": 0.0,
        "threshold": 10.0,
        "refractory": 2,
        "tau_ms": 1e12,
        "inhibition": 4.0,
        "theta_plus": 0.0,
        "w_max": 16.0,
    }
    return Parameters(**{**plain, "neurons": neurons, "timesteps": timesteps, **options})


def state(*rows):
    w = np.array(rows, dtype=np.float32)
    return State(w, np.zeros(w.shape[1], dtype=np.float32))


def given(*inputs_of_each_step):
    """Input spikes (1, timesteps, 2) of a list of spiking inputs per step."""
    spikes = np.zeros((1, len(inputs_of_each_step), 2), dtype=np.uint8)
    for t, inputs in enumerate(inputs_of_each_step):
        spikes[0, t, inputs] = 1
    return spikes


def inferred(p, weights, spikes, formats=None):
    return TorchEngine().infer_spikes(p, formats or Formats(), weights, spikes)


def test_an_input_spike_acts_one_step_later_and_the_last_one_never():
    recorded = inferred(parameters(2, 4), state([1, 2], [3, 5]), given([0], [], [0, 1], [1]))
    assert recorded.potential[:, 0].tolist() == [[0, 0], [1, 2], [1, 2], [5, 9]]
    assert not recorded.spikes.any()


def test_a_neuron_fires_at_its_threshold_not_below_and_is_reset():
    recorded = inferred(parameters(2, 3, reset=-1.0), state([10, 9], [0, 0]), given([0], [], []))
    assert recorded.spikes[:, 0].tolist() == [[0, 0], [1, 0], [0, 0]]
    assert recorded.potential[:, 0].tolist() == [[0, 0], [-1, 9], [-1, 9]]


def test_theta_raises_the_threshold_of_its_neuron():
    weights = state([10, 10], [0, 0])
    weights.theta[0] = 0.5
    assert inferred(parameters(2, 2), weights, given([0], [])).spikes[1, 0].tolist() == [0, 1]


def test_of_all_that_cross_the_lowest_spikes_and_every_one_is_reset_and_waits():
    recorded = inferred(parameters(3, 3), state([3, 12, 11], [0, 0, 0]), given([0], [], []))
    assert recorded.spikes[1, 0].tolist() == [0, 1, 0]
    assert recorded.potential[1, 0].tolist() == [3, 0, 0]
    assert recorded.refractory[:, 0].tolist() == [[0, 0, 0], [0, 2, 2], [0, 1, 1]]


@pytest.mark.parametrize("refractory", [0, 1, 3])
def test_a_neuron_takes_no_input_for_the_refractory_steps(refractory):
    p = parameters(1, 6, refractory=refractory, threshold=10.0, inhibition=0.0)
    recorded = inferred(p, state([10], [0]), given(*[[0]] * 6))
    expected = [0] * 6
    for t in range(1, 6, refractory + 1):
        expected[t] = 1
    assert recorded.spikes[:, 0, 0].tolist() == expected


def test_a_spike_inhibits_all_other_neurons_two_steps_later():
    recorded = inferred(parameters(3, 5), state([1, 10, 2], [0, 0, 0]), given([0], [], [], [], []))
    assert recorded.potential[:, 0].tolist() == [[0, 0, 0], [1, 0, 2], [1, 0, 2], [-3, 0, -2], [-3, 0, -2]]


def test_a_spike_does_not_inhibit_its_own_neuron():
    """Neuron 0 does not wait, and gains 3 in the step in which neuron 1 gains 3 and loses 4."""
    p = parameters(2, 4, refractory=0)
    recorded = inferred(p, state([10, 1], [3, 3]), given([0], [], [1], []))
    assert recorded.potential[3, 0].tolist() == [3, 0]


def test_a_waiting_neuron_is_not_inhibited():
    """Neuron 1 crosses together with neuron 0 and waits while neuron 0's inhibition arrives."""
    recorded = inferred(parameters(3, 4), state([10, 10, 1], [0, 0, 0]), given([0], [], [], []))
    assert recorded.potential[3, 0].tolist() == [0, 0, -3]


def test_the_potential_decays_toward_rest_and_not_what_arrives():
    p = parameters(1, 4, rest=-8.0, tau_ms=HALF)
    assert inferred(p, state([12], [0]), given([0], [], [], [])).potential[:, 0, 0].tolist() == [-8, 4, -2, -5]


def test_a_conductance_pulls_toward_zero_by_its_product_with_the_potential():
    """g = 2, 1, 1/2 from step 1 on: V gains 2 * 64 / 128 = 1, then 1 * 63 / 128, each from the V before."""
    p = parameters(1, 4, rest=-64.0, synapse="conductance", tau_g_ms=HALF)
    recorded = inferred(p, state([2], [0]), given([0], [], [], []))
    assert recorded.g[:, 0, 0].tolist() == [0, 2, 1, 0.5]
    second = -63 + 63 / 128
    expected = [-64, -63, second, float(np.float32(second) - np.float32(0.5) * np.float32(second) / np.float32(128))]
    assert recorded.potential[:, 0, 0].tolist() == expected


def test_training_keeps_theta_for_every_neuron_that_crosses_and_decays_it_first():
    """Thetas of 4 halve to 2, 1, 1/2, and in step 1 neurons 0 and 1 cross their 11 and gain 3."""
    p = parameters(3, 3, theta_plus=3.0, tau_theta_ms=HALF, eta_pre=0.0, eta_post=0.0, norm=20.0)
    weights = state([11, 11, 10.25], [0, 0, 0])
    weights.theta[:] = 4.0
    training = TorchEngine().train_spikes(p, Formats(), weights, given([0], [], []))
    assert training.counts.tolist() == [[1, 0, 0]]
    assert weights.theta.tolist() == [2.0, 2.0, 0.5]


def test_inference_changes_neither_theta_nor_weights():
    weights = state([12, 11], [3, 4])
    before = weights.copy()
    inferred(parameters(2, 3, theta_plus=3.0, tau_theta_ms=1.0), weights, given([0], [1], []))
    TorchEngine().infer(parameters(2, 3), [(Formats(), weights)], np.full((1, 2), 255, dtype=np.uint8))
    assert np.array_equal(weights.w, before.w)
    assert np.array_equal(weights.theta, before.theta)


def learned(rule="pairwise", mu=1.0, **options):
    """Weights after three steps of one neuron: input 0 at step 0, the neuron at step 1, input 1 at step 2.

    Before normalisation, which this undoes: the sum is the norm.
    """
    rates = {"tau_trace_ms": HALF, "eta_pre": 0.25, "eta_post": 0.5, "w_max": 8.0, "threshold": 4.0, **options}
    weights = state([4], [2])
    p = parameters(1, 3, rule=rule, mu=mu, norm=1.0, **rates)
    TorchEngine().train_spikes(p, Formats(), weights, given([0], [], [1]))
    return (weights.w[:, 0] / weights.w[:, 0].sum()).tolist()


def in_parts(*weights):
    total = np.float32(0)
    for weight in weights:
        total += np.float32(weight)
    parts = np.array(weights, dtype=np.float32) * (np.float32(1) / total)
    return (parts / parts.sum()).tolist()


def test_pairwise_adds_the_inputs_trace_at_a_spike_and_takes_the_neurons_at_an_input():
    """Step 1: trace of input 0 is 1/2, of input 1 is 0: w = 4 + 0.5 * 0.5. Step 2: trace of the neuron is 1/2."""
    assert learned() == in_parts(4.25, 2 - 0.5 * 0.25)


def test_weight_dependent_scales_with_the_room_above_and_with_the_weight():
    assert learned("weight-dependent", 1.0) == in_parts(4 + 0.25 * (8 - 4), 2 - 0.125 * 2)
    assert learned("weight-dependent", 2.0) == in_parts(4 + 0.25 * (8 - 4) ** 2, 2 - 0.125 * 2**2)
    assert learned("weight-dependent", 0.5) == in_parts(4 + 0.25 * 2, 2 - 0.125 * np.sqrt(np.float32(2)))
    assert learned("weight-dependent", 0.0) == learned()


def test_other_powers_come_from_the_table():
    table = parameters(1, 1, mu=3.0, w_max=8.0).power_table
    assert (len(table), table[2048], table[4096]) == (4097, 64.0, 512.0)
    expected = in_parts(4 + 0.0078125 * 4**3, 2 - 0.125 * 2**3)
    assert learned("weight-dependent", 3.0, eta_post=0.015625) == expected


def test_an_input_and_the_neuron_in_one_step_are_clamped_once():
    """Input 0 and the neuron spike together in step 1, both traces 1: ((15.75 - 0.25) + 0.5), no clamp between."""
    p = parameters(1, 2, eta_pre=0.25, eta_post=0.5, norm=32.0, w_max=15.875)
    weights = state([15.75], [1])
    TorchEngine().train_spikes(p, Formats(), weights, given([0], [0]))
    gained = np.float32(15.75) - np.float32(0.25) + np.float32(0.5)
    factor = np.float32(32) / (np.float32(15.875) + np.float32(1))
    assert gained == 16.0
    assert weights.w[:, 0].tolist() == [np.float32(15.875) * factor, factor]


def test_a_weight_above_the_largest_is_clamped_by_the_first_step_of_training():
    weights = state([20, 1], [4, 3])
    p = parameters(2, 1, norm=20.0)
    TorchEngine().train_spikes(p, Formats(), weights, given([]))
    assert weights.w.tolist() == [[16, 5], [4, 15]]


def test_the_room_above_a_weight_beyond_the_largest_is_none():
    """The neuron fires in step 0 by itself, at a threshold of rest, with a weight that is above w_max."""
    p = parameters(1, 1, threshold=0.0, rule="weight-dependent", mu=0.5, norm=18.0, eta_pre=0.0)
    weights = state([20], [2])
    training = TorchEngine().train_spikes(p, Formats(), weights, given([0]))
    assert training.counts.tolist() == [[1]]
    assert weights.w.tolist() == [[16], [2]]


def test_normalisation_scales_each_column_to_its_sum_and_leaves_a_zero_column():
    weights = state([1, 0, 6], [3, 0, 2])
    TorchEngine().train_spikes(parameters(3, 1, norm=8.0), Formats(), weights, given([]))
    assert weights.w.tolist() == [[2, 0, 6], [6, 0, 2]]


def test_a_column_whose_factor_no_float32_holds_is_left_as_it_is():
    """2**-100 + 0 would need 2**130 to reach its norm, and infinity times 0 is no weight."""
    weights = state([2.0**-100, 1], [0, 3])
    TorchEngine().train_spikes(parameters(2, 1, norm=2.0**30, w_max=2.0**30), Formats(), weights, given([]))
    assert weights.w.tolist() == [[2.0**-100, 2.0**28], [0, 3 * 2.0**28]]


@pytest.mark.parametrize(("rounding", "values"), [("RN", [0, 3.0, 1.5, 1.0, 0.5]), ("TR", [0, 3.0, 1.5, 0.5, 0.0])])
def test_a_quantized_potential_is_rounded_once_per_step(rounding, values):
    """Halves: 3/2 stays, 3/4 goes to 1 or 1/2, and so on, half of an lsb going up under RN."""
    p = parameters(1, 5, tau_ms=HALF)
    formats = Formats(V=QFormat(5, 1), rounding=rounding)
    recorded = inferred(p, state([3], [0]), given([0], [], [], [], []), formats)
    assert recorded.potential[:, 0, 0].tolist() == values


def test_a_quantized_potential_rounds_leak_and_input_together():
    """7/2 + 1.6 = 5.1 is 5; rounded apart it would be 4 + 2 = 6."""
    p = parameters(1, 3, tau_ms=HALF)
    recorded = inferred(p, state([7], [1.6]), given([0], [1], []), Formats(V=QFormat(5, 0)))
    assert recorded.potential[:, 0, 0].tolist() == [0, 7, 5]


@pytest.mark.parametrize(("overflow", "value"), [("saturate", -8), ("wrap", 4)])
def test_a_potential_below_its_range_saturates_or_wraps(overflow, value):
    p = parameters(2, 4, inhibition=12.0, threshold=5.0)
    recorded = inferred(p, state([5, 0], [0, 0]), given([0], [], [], []), Formats(V=QFormat(3, 0), overflow=overflow))
    assert recorded.potential[3, 0].tolist() == [0, value]


def test_a_quantized_threshold_rises_by_3_64ths_where_its_grid_has_them():
    """In Q4.6 it rises from 10 by 3/64; on a grid of 1/8 it stays, as 3/64 is less than half a step."""
    p = parameters(1, 2, theta_plus=0.05, tau_theta_ms=1.0)
    for frac_bits, theta in ((6, 3 / 64), (4, 1 / 16), (3, 0.0)):
        weights = state([12], [0])
        TorchEngine().train_spikes(p, Formats(Vth=QFormat(4, frac_bits)), weights, given([0], []))
        assert weights.theta.dtype == np.float64
        assert weights.theta.tolist() == [theta]


def test_stored_weights_count_the_updates_that_vanish():
    """Step 1: input 0 asks for + 0.25 (less than half of a step of 1, vanishes); step 2: input 1 asks for - 1."""
    p = parameters(1, 3, tau_trace_ms=HALF, eta_pre=2.0, eta_post=0.5, w_max=8.0, threshold=4.0, norm=10.0)
    weights = state([4], [2])
    formats = Formats(w=QFormat(4, 0), weight_mode="stored")
    training = TorchEngine().train_spikes(p, formats, weights, given([0], [], [1]))
    assert (training.updates, training.vanished) == (2, 1)
    assert weights.w.tolist() == [[8], [2]]


def test_master_weights_learn_in_floats_and_act_rounded():
    """1.4 acts as 1, yet stays 1.4 (times the factor of normalisation)."""
    p = parameters(1, 2, norm=2.0)
    weights = state([1.4], [0.6])
    training = TorchEngine().train_spikes(p, Formats(w=QFormat(4, 0)), weights, given([0], []), record=True)
    assert training.recorded.potential[:, 0, 0].tolist() == [0, 1]
    assert weights.w.tolist() == np.array([[1.4], [0.6]], dtype=np.float32).tolist()
    assert (training.updates, training.vanished) == (0, 0)
