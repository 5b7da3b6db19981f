"""From an engine's record to traces of the program's nodes, and to what calibration shows; by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spikequant import QFormat
from spikequant.model import as_input
from spikequant_stdp.engine import Formats, Parameters, Recorded, State
from spikequant_stdp.recordings import SHOWN, observation, recording

FORMATS = Formats(w=QFormat(1, 2), V=QFormat(8, 1), Vth=QFormat(8, 1), g=QFormat(3, 2))
VOTES = np.array([[255, 0], [0, 100], [10, 10]])


def seen(**changes):
    """Return three steps of one image on two neurons: the first spikes at 0, the second at 2."""
    values = {
        "spikes": np.array([[[1, 0]], [[0, 0]], [[0, 1]]], dtype=np.uint8),
        "potential": np.array([[[-65.0, -64.5]], [[-65.0, -184.0]], [[-65.5, -65.0]]]),
        "refractory": np.array([[[5, 0]], [[4, 0]], [[3, 5]]], dtype=np.int32),
        "g": np.array([[[0.25, 0.0]], [[1.75, 0.5]], [[0.0, 0.0]]]),
    }
    return Recorded(**{**values, **changes})


def test_codes_are_values_in_steps_of_their_format():
    found = recording(seen(), FORMATS, VOTES)
    assert found.potentials["exc"][:, 0].tolist() == [[-130, -129], [-130, -368], [-131, -130]]
    assert found.potentials["exc.conductance"][:, 0].tolist() == [[1, 0], [7, 2], [0, 0]]
    assert found.potentials["exc.refractory"][:, 0].tolist() == [[5, 0], [4, 0], [3, 5]]


def test_an_inhibitor_fires_one_step_after_its_neuron_and_stores_nothing():
    found = recording(seen(), FORMATS, VOTES)
    assert found.spikes["exc"][:, 0].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert found.spikes["inh"][:, 0].tolist() == [[0, 0], [1, 0], [0, 0]]
    assert not found.potentials["inh"].any()


def test_votes_add_up_over_the_steps():
    found = recording(seen(), FORMATS, VOTES)
    assert found.output[:, 0].tolist() == [[255, 0, 10], [255, 0, 10], [255, 100, 20]]


def test_a_current_synapse_has_no_conductance():
    found = recording(seen(g=None), FORMATS, VOTES)
    assert sorted(found.potentials) == ["exc", "exc.refractory", "inh"]
    assert sorted(observation(seen(g=None), STATE, PARAMETERS).ranges) == ["V", "Vth", "w"]


PARAMETERS = Parameters(inputs=2, neurons=2, timesteps=3)
STATE = State(np.array([[0.0, 0.25], [0.75, 0.5]], np.float32), np.array([1.5, 4.25], np.float32))


def test_ranges_are_the_extremes_and_the_threshold_starts_without_adaptation():
    found = observation(seen(), STATE, PARAMETERS)
    assert found.ranges == {"w": (0.0, 0.75), "V": (-184.0, -64.5), "Vth": (-52.0, -47.75), "g": (0.0, 1.75)}
    assert found.values["Vth"].tolist() == [-50.5, -47.75]


def test_rates_are_spikes_per_sample_and_the_raster_is_of_the_first():
    spikes = np.array([[[1, 0], [0, 0]], [[1, 0], [0, 1]], [[1, 0], [1, 0]]], dtype=np.uint8)
    zeros = np.zeros(spikes.shape)
    found = observation(seen(spikes=spikes, potential=zeros, g=None), STATE, PARAMETERS)
    assert found.rates["exc"].tolist() == [2.0, 0.5]
    assert found.raster["exc"].tolist() == [[1, 0], [1, 0], [1, 0]]


def test_of_many_values_a_sample_is_kept():
    many = np.arange(3 * SHOWN + 1, dtype=np.float64).reshape(-1, 1, 1)
    found = observation(seen(potential=many, g=None), STATE, PARAMETERS)
    assert len(found.values["V"]) <= SHOWN + 2 < many.size
    assert found.ranges["V"] == (0.0, 3 * SHOWN)


@pytest.mark.parametrize("synapse", ["current", "conductance"])
def test_a_model_observes_what_it_records(usnn, synapse):
    g = {"g": "Q5.8"} if synapse == "conductance" else {}
    model = usnn.quantized(neuron={"synapse": synapse, **g, **({"tau_g_ms": 5.0} if g else {})})
    x = as_input(usnn.digits()[0].x[:5])
    found, recorded = model.observe(x), model.record(x)
    potential = recorded.potentials["exc"].numpy() / 256
    assert found.ranges["V"] == (potential.min(), potential.max())
    assert np.array_equal(found.rates["exc"], recorded.spikes["exc"].sum(dim=0).double().mean(dim=0).numpy())
    assert np.array_equal(found.raster["exc"], recorded.spikes["exc"][:, 0].numpy())
    assert found.ranges["w"] == (float(model.w.min()), float(model.w.max()))
