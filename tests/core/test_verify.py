"""Verify finds a planted difference, names it exactly, and counts."""

from dataclasses import replace

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, Readout, chain
from spikequant.trace import Trace
from spikequant.verify import Difference, compare


@pytest.fixture
def trace():
    rng = np.random.default_rng(0)
    nodes = [
        Input("input", (1, 4, 4), bits=4),
        Conv2d("conv", rng.integers(-7, 8, (2, 1, 3, 3)), bits=4),
        Lif("hidden", theta=np.array(9)),
        Flatten("flat"),
        Dense("fc", rng.integers(-7, 8, (3, 8)), bits=4),
        Lif("last", theta=np.array(3)),
        Dense("out", rng.integers(-7, 8, (5, 3)), bits=4),
        Readout("readout"),
    ]
    return run_oracle(chain(nodes, timesteps=4), rng.integers(0, 16, (3, 1, 4, 4)))


def planted(trace, field, name, *indices):
    """A copy of ``trace`` in which some values are off by one."""
    arrays = {key: array.copy() for key, array in getattr(trace, field).items()}
    for index in indices:
        arrays[name][index] ^= 1
    return replace(trace, **{field: arrays})


def test_equal_traces_are_identical_and_counted(trace):
    verdict = compare(trace, trace)
    assert verdict.identical
    assert str(verdict) == "identical (132 spikes, 132 states and 60 outputs compared)"


def test_a_planted_potential_is_found_to_the_element(trace):
    potential = trace.potentials["hidden"]
    wrong = planted(trace, "potentials", "hidden", (2, 1, 1, 0, 1))
    verdict = compare(trace, wrong)
    expected, got = int(potential[2, 1, 1, 0, 1]), int(potential[2, 1, 1, 0, 1]) ^ 1
    assert verdict.differences == 1
    assert verdict.first == Difference("hidden", "potential", 2, 1, (1, 0, 1), expected, got)
    assert str(verdict) == (
        "1 differences (132 spikes, 132 states and 60 outputs compared); first: node 'hidden', timestep 2,"
        f" sample 1, element (1, 0, 1): potential expected {expected}, got {got}"
    )


def test_a_planted_spike_and_a_planted_output(trace):
    spike = compare(trace, planted(trace, "spikes", "last", (0, 2, 1))).first
    assert (spike.node, spike.what, spike.timestep, spike.sample, spike.element) == ("last", "spike", 0, 2, (1,))
    assert {spike.expected, spike.got} == {0, 1}
    output = compare(trace, planted(trace, "outputs", "readout", (3, 0, 4))).first
    assert (output.node, output.what, output.timestep, output.element) == ("readout", "output", 3, (4,))


def test_the_first_difference_has_the_lowest_timestep_then_the_earliest_node(trace):
    late = planted(trace, "spikes", "hidden", (1, 0, 0, 0, 0))
    assert compare(trace, planted(late, "spikes", "last", (0, 0, 0))).first.node == "last"
    both = planted(planted(trace, "spikes", "last", (1, 0, 0)), "potentials", "hidden", (1, 2, 1, 1, 1))
    assert compare(trace, both, ["hidden", "last", "readout"]).first.node == "hidden"
    assert compare(trace, both, ["last", "hidden", "readout"]).first.node == "last"
    assert compare(trace, both).differences == 2


def test_order_among_outputs_and_spikes_of_one_timestep(trace):
    both = planted(planted(trace, "outputs", "readout", (1, 0, 0)), "spikes", "last", (1, 2, 2))
    assert compare(trace, both, ["hidden", "last", "readout"]).first.node == "last"


def test_values_are_not_cut_to_the_narrower_type(trace):
    """255 in uint8 is not -1 in int8."""
    wide = {name: array.astype(np.int64) for name, array in trace.spikes.items()}
    wide["last"][0, 0, 0] += 256
    assert compare(trace, replace(trace, spikes=wide)).differences == 1


def test_traces_of_different_models_cannot_be_compared(trace):
    fewer = replace(trace, spikes={"hidden": trace.spikes["hidden"]})
    message = (
        r"^the traces hold different nodes in 'spikes': \['hidden', 'last'\] and \['hidden'\];"
        " compare traces of the same model$"
    )
    with pytest.raises(UsageError, match=message):
        compare(trace, fewer)


def test_traces_of_different_batches_cannot_be_compared(trace):
    shorter = replace(trace, outputs={"readout": trace.outputs["readout"][:, :2]})
    message = r"^node 'readout': outputs have shapes \(4, 3, 5\) and \(4, 2, 5\); run both on the same samples$"
    with pytest.raises(UsageError, match=message):
        compare(trace, shorter)


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.complex128, np.bool_, np.str_, object])
def test_only_integers_are_compared(trace, kind):
    """A half is not nought: nothing is cast before it is compared."""
    other = replace(trace, spikes={**trace.spikes, "last": trace.spikes["last"].astype(kind)})
    for pair in ((trace, other), (other, trace)):
        with pytest.raises(UsageError, match=r"^node 'last': spikes are of type \S+; a trace holds integers$"):
            compare(*pair)


def test_values_beyond_63_bits_are_compared_as_they_are():
    most, least = np.full((1, 1, 2), 1 << 63, np.uint64), np.full((1, 1, 2), -(1 << 63), np.int64)
    verdict = compare(Trace(outputs={"r": most}), Trace(outputs={"r": least}))
    assert verdict.differences == 2
    assert (verdict.first.expected, verdict.first.got) == (1 << 63, -(1 << 63))
    assert compare(Trace(outputs={"r": most}), Trace(outputs={"r": most.copy()})).identical


@pytest.mark.parametrize("nothing", [Trace(), Trace(outputs={"r": np.zeros((3, 0, 10), int)})])
def test_nothing_is_never_identical(nothing):
    message = "^the traces hold no spike, potential or output, so nothing was compared; record a run$"
    with pytest.raises(UsageError, match=message):
        compare(nothing, nothing)


def test_arrays_without_samples_are_no_trace():
    flat = Trace(outputs={"r": np.arange(3)})
    message = r"^node 'r': outputs have shape \(3,\); a trace holds \(timesteps, samples, ...\) of them$"
    with pytest.raises(UsageError, match=message):
        compare(flat, flat)


def test_potentials_alone_can_differ(trace):
    only = replace(trace, spikes={}, outputs={})
    assert compare(only, planted(only, "potentials", "last", (0, 0, 1))).first.node == "last"
