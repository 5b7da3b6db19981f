"""With fine formats the integers of every graph and rule follow the floats: the gains went to the right places."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from nir_model_graphs import DT, GRAPHS, chain, model, quantizer, samples

from spikequant import States
from spikequant.model import as_input
from spikequant_cuba import CubaNeuron
from spikequant_nir.dynamics import cell_of
from spikequant_nir.engine_groups import groups
from spikequant_nir.rules import Rules

FINE = CubaNeuron(V="Q7.24", I="Q7.24", decay_bits=24)
TOLERANCE = 1e-3
"""Weights are whole numbers of 2**-18, whose errors add up over at most 30 inputs and 7 steps."""
RULES = {
    "to value": {},
    "zero at the threshold": {"reset": "zero", "fire": ">="},
    "subtract, bounded": {"reset": "subtract", "v_min": -0.25},
    "delayed": {"reset": "subtract", "reset_delay": 1},
    "delayed zero": {"reset": "zero", "reset_delay": 1, "current": "old"},
    "several spikes": {"reset": "subtract", "most_spikes": 3, "fire": ">=", "integrate": "exponential"},
}


def assert_near(floats: States, integers: States):
    assert floats.spikes.keys() == integers.spikes.keys()
    assert floats.potentials.keys() == integers.potentials.keys()
    for name, spikes in floats.spikes.items():
        assert torch.equal(spikes.double(), integers.spikes[name].double()), name
    for name, potential in floats.potentials.items():
        assert float((potential.double() - integers.potentials[name]).abs().max()) < TOLERANCE, name


@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("name", GRAPHS)
def test_fine_integers_follow_the_floats(name, rules, uneven):
    made = model(GRAPHS[name](7, uneven=uneven), neuron=FINE, rules=Rules(dt=DT, **rules))
    x = as_input(samples(made))
    floats = made.states(x)
    made.quantize(quantizer("qif", format="Q5.18"))
    assert_near(floats, made.states(x))


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("name", GRAPHS)
def test_wide_integer_weights_follow_the_floats_on_the_lattice_of_their_sums(name, bits):
    made = model(GRAPHS[name](7), rules=Rules(dt=DT, reset="subtract"), clip="max")
    x = as_input(samples(made))
    floats = made.states(x)
    made.quantize(quantizer("uq", bits=bits))
    integers = made.states(x)
    apart = [float((a.double() - integers.potentials[n]).abs().mean()) for n, a in floats.potentials.items()]
    assert max(apart) < 200 * 2.0**-bits


@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF"])
def test_a_lif_by_hand(kind):
    """The equations of the rules, written out in float64 for one neuron."""
    graph = chain(1, kind, "I")
    rules = Rules(dt=DT, reset="subtract")
    made = model(graph, rules=rules)
    x = as_input(samples(made, count=1))
    states = made.states(x)
    constants = graph.by_name["a"].arrays
    cell = cell_of(kind, {key: torch.from_numpy(array) for key, array in constants.items()}, rules)
    assert float(cell.gain) > 0
    first = graph.by_name["fc1"].arrays
    v, i = np.zeros(8), np.zeros(8)
    for t in range(made.timesteps):
        drive = first["weight"] @ x[0, t].double().numpy() + first["bias"]
        if kind == "IF":
            v = v + constants["r"] * drive
        elif kind == "LIF":
            v = v + DT / constants["tau"] * (constants["v_leak"] - v + constants["r"] * drive)
        else:
            i = i + DT / constants["tau_syn"] * (constants["w_in"] * drive - i)
            v = v + DT / constants["tau_mem"] * (constants["v_leak"] - v + constants["r"] * i)
        spikes = v > constants["v_threshold"]
        v = v - spikes * constants["v_threshold"]
        assert np.array_equal(states.spikes["a"][t, 0].numpy(), spikes)
        assert np.abs(states.potentials["a"][t, 0].numpy() - v).max() < 1e-5  # float32 against float64


def test_a_delayed_reset_acts_one_step_later():
    graph = chain(2, "IF", "I")
    now, later = (
        model(graph, rules=Rules(dt=DT, reset="subtract", reset_delay=delay)).states(
            as_input(samples(model(graph), count=1))
        )
        for delay in (0, 1)
    )
    threshold = float(graph.by_name["a"].arrays["v_threshold"])
    first = int(now.spikes["a"][:, 0].any(1).nonzero()[0])
    spiked = now.spikes["a"][first, 0].bool()
    kept = later.potentials["a"][first, 0][spiked] - now.potentials["a"][first, 0][spiked]
    assert torch.allclose(kept, torch.full_like(kept, threshold), atol=1e-6)


def test_cycles_come_whole_and_in_order():
    names = ["a", "b", "c", "d", "e"]
    assert groups(names, {"a": ["c"], "c": ["b"], "b": ["c", "d"], "d": ["e"], "e": ["e"]}) == [
        ["a"],
        ["b", "c"],
        ["d"],
        ["e"],
    ]
