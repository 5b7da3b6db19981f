"""Kinds that put out several spikes a timestep: ranges, run, trace, counts, memory traffic, refusals."""

import re

import numpy as np
import pytest

from spikequant.energy.memory_traffic import common_assumptions
from spikequant.errors import ProgramError
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, PoolOr, PoolSum, Readout, chain
from spikequant.testing.strangers import Burst
from spikequant.trace import Trace
from spikequant.verify import compare
from spikequant_torch.backend import TorchBackend

DRIVE = [7, 0, 2, -9, 31]
SPIKES = [2, 0, 1, 0, 5]


def program(*after, most=5):
    source = Input("input", (1,), bits=6, signed=True, coding="per_step")
    return chain([source, Burst("cell", u_bits=8, most=most), *after], timesteps=len(DRIVE))


def run(*after):
    return run_oracle(program(*after), np.array(DRIVE).reshape(-1, 1, 1))


def test_all_its_spikes_are_in_the_trace_and_go_on():
    """H = 7, 1, 3, -9, 22: 2, 0, 1, 0 and the most, 5 spikes of 3 each."""
    trace = run(Dense("twice", np.array([[2]]), bits=4), Readout("sum"))
    assert trace.spikes["cell"].ravel().tolist() == SPIKES
    assert trace.potentials["cell"].ravel().tolist() == [1, 1, 0, -9, 7]
    assert trace.outputs["sum"].ravel().tolist() == [4, 4, 6, 6, 16]


def test_the_next_node_knows_how_many_may_come():
    made = program(Dense("twice", np.array([[2]]), bits=4), Lif("lif"))
    assert (made.ranges["cell"], made.ranges["twice"]) == ((0, 5), (0, 10))
    assert made.spiking[0].emitted_bits == 3


def test_counts_hold_firings_set_bits_and_the_width_of_a_count():
    """It fires 3 times; 2, 1 and 5 have 1 + 1 + 2 set bits; three bits for each of five steps are moved."""
    counts = run(Dense("twice", np.array([[2]]), bits=4), Readout("sum")).counts.nodes
    assert counts["cell"].fires == 3
    assert [(o.name, o.count) for o in counts["twice"].operations] == [("accumulate", 4)]
    assert (counts["twice"].inputs, counts["twice"].active) == (5, 3)
    assert [(move.what, move.bits) for move in counts["cell"].traffic] == [("spikes", 15)]


def test_a_trace_keeps_them_and_a_comparison_sees_one_spike_too_many(tmp_path):
    run().save(tmp_path / "run.npz")
    again = Trace.load(tmp_path / "run.npz")
    assert compare(run(), again).identical
    spikes = again.spikes["cell"].copy()
    spikes[4] += 1
    assert not compare(run(), Trace({"cell": spikes}, again.potentials, {}, again.counts)).identical


def test_summed_windows_take_them_and_or_windows_refuse_them():
    image = Input("input", (1, 2, 2), bits=4, coding="per_step")
    made = chain([image, Burst("cell", u_bits=8), PoolSum("pool")], timesteps=1)
    assert made.ranges["pool"] == (0, 20)
    with pytest.raises(
        ProgramError, match=re.escape("node 'pool': pool_or takes spikes in {0, 1}, and its input ranges 0..5")
    ):
        chain([image, Burst("cell", u_bits=8), PoolOr("pool")], timesteps=1)


@pytest.mark.parametrize("most", [0, 256])
def test_more_than_a_byte_of_spikes_is_refused(most):
    text = rf"^node 'cell' \(burst\): emitted_limits is \(0, {most}\); it must be \(0, n\) with n from 1 to 255$"
    with pytest.raises(ProgramError, match=text):
        program(most=most)


def test_energy_says_how_many_bits_their_counts_take():
    (said,) = (text for text in common_assumptions(program(), "oracle") if "a layer's spikes" in text)
    assert said.startswith("a layer's spikes (1 to 3 bits per neuron, timestep and sample")


class Fixed(Burst):
    """Its spikes are an array that nobody may write to."""

    kind = "fixed"

    def step(self, x, u):
        spikes, stored, over = super().step(x, u)
        return np.broadcast_to(spikes[:1], spikes.shape), stored, over


def test_torch_takes_spikes_that_cannot_be_written_to():
    source = Input("input", (2,), bits=4, coding="per_step")
    made = chain([source, Fixed("cell", u_bits=8), Dense("sum", np.array([[1, 1]])), Readout("out")], timesteps=2)
    given = np.repeat(np.arange(4).reshape(2, 1, 2), 3, axis=1) * 4
    with TorchBackend().compile(made) as executable:
        assert compare(run_oracle(made, given), executable.run(given)).identical
