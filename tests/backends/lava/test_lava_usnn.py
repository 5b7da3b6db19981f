"""The unsupervised network of Diehl and Cook runs on Lava: T = 250, its loop of two delays, its own neuron kind."""

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import Add, Dense, Edge, Input, Lateral, Leak, Lif, Program, Readout
from spikequant.verify import compare
from spikequant_lava.backend import LavaBackend
from spikequant_stdp.nir_mapping import DiehlCookMapping
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_rules import Conductance

EDGES = (
    Edge("input", "fc"),
    Edge("fc", "sum"),
    Edge("lateral", "sum"),
    Edge("sum", "exc"),
    Edge("exc", "inh", delayed=True),
    Edge("inh", "lateral", delayed=True),
    Edge("exc", "votes"),
    Edge("votes", "readout"),
)
FRACTION = 8


def usnn(neurons, inputs, synapse, timesteps=250):
    """Each neuron sees a part of the inputs and has a low threshold, so that several neurons win."""
    rng = np.random.default_rng(neurons)
    count = -(1 << synapse.count_bit) if synapse else -120 << FRACTION
    nodes = (
        Input("input", (inputs,), 1, coding="per_step"),
        Dense("fc", rng.integers(0, 1 << FRACTION, (neurons, inputs)) * (rng.random((neurons, inputs)) < 0.3), bits=9),
        Add("sum"),
        DiehlCook("exc", vth=rng.integers(-62 << 4, -60 << 4, neurons), x_frac_bits=FRACTION, synapse=synapse),
        Lif("inh", u_bits=2, theta=np.array(1), leak=Leak()),
        Lateral("lateral", count),
        Dense("votes", rng.integers(0, 2, (10, neurons)), bits=2),
        Readout("readout"),
    )
    return Program(nodes, EDGES, timesteps)


@pytest.mark.parametrize("synapse", [None, Conductance()], ids=["current", "conductance"])
def test_every_spike_and_every_state_is_the_oracles(synapse, lava_python):
    program = usnn(20, 40, synapse)
    rng = np.random.default_rng(2)
    inputs = (rng.random((250, 4, 40)) < 0.1 * (rng.random((4, 40)) < 0.3)).astype(np.int64)
    with LavaBackend(kinds={DiehlCook.kind: DiehlCookMapping()}).compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, str(verdict)
    names = ["exc", "exc.conductance", "exc.refractory", "inh"] if synapse else ["exc", "exc.refractory", "inh"]
    assert sorted(got.potentials) == names
    per_neuron = got.spikes["exc"].sum(axis=(0, 1))
    assert (per_neuron > 0).sum() >= 4
    assert per_neuron.sum() > 40
    assert (got.potentials["exc"] < -100 << 4).any(), "inhibition never acted"
