"""The Diehl-Cook node keeps the contract of spiking nodes, in whole networks and in more than one dimension."""

import numpy as np
import pytest

from spikequant.formats import QFormat
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Input, chain
from spikequant.rounding import Overflow, Rounding
from spikequant.testing import node_checks
from spikequant_stdp.engine import Formats, Parameters, State
from spikequant_stdp.lower import usnn_program
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_rules import Conductance


def network(synapse, rounding=Rounding.RN, overflow=Overflow.SATURATE):
    p = Parameters(inputs=12, neurons=5, timesteps=9, synapse=synapse)
    g = QFormat(4, 3) if synapse == "conductance" else None
    formats = Formats(QFormat(1, 5), QFormat(7, 4), QFormat(7, 6), g, rounding, overflow)
    rng = np.random.default_rng(2)
    state = State(rng.random((12, 5), np.float32), rng.random(5).astype(np.float32))
    return usnn_program(p, formats, state, np.eye(5, dtype=int)[:3], {})


def image(**fields):
    conv = Conv2d("conv", np.random.default_rng(0).integers(-4, 7, (2, 1, 3, 3)))
    node = DiehlCook("exc", x_frac_bits=0, vth=np.array(-60 * 16), **fields)
    return chain([Input("input", (1, 5, 6), bits=1, coding="per_step"), conv, node], 6)


@node_checks(
    network("current"),
    network("conductance"),
    network("current", Rounding.SR, Overflow.WRAP),
    network("conductance", Rounding.SR, Overflow.WRAP),
    image(),
    image(synapse=Conductance(), one_spike=False, rounding=Rounding.TR),
)
def test_contract(program, check):
    check(program)


@pytest.mark.parametrize("one_spike", [True, False])
def test_one_spike_holds_for_a_whole_map(one_spike):
    trace = run_oracle(image(one_spike=one_spike), np.ones((6, 2, 1, 5, 6), int))
    most = trace.spikes["exc"].sum(axis=(2, 3, 4)).max()
    assert most == 1 if one_spike else most > 1
