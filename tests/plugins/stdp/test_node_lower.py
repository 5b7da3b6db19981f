"""A whole network as an integer program: the oracle gives the spikes and potentials of the engine."""

import re
from dataclasses import replace

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.memory import program_memory
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.rounding import Overflow, Rounding
from spikequant_lava.backend import LavaBackend
from spikequant_stdp.engine import Formats, Parameters, State, TorchEngine
from spikequant_stdp.lava_diehl_cook import Neurons
from spikequant_stdp.lower import usnn_program
from spikequant_stdp.nir_mapping import DiehlCookMapping
from spikequant_stdp.node import DiehlCook
from spikequant_torch.backend import TorchBackend

KINDS = {DiehlCook.kind: DiehlCookMapping()}
PARAMETERS = Parameters(inputs=40, neurons=7, timesteps=60)
FORMATS = Formats(w=QFormat(1, 6), V=QFormat(11, 6), Vth=QFormat(11, 4), rounding=Rounding.RN, seed=11)
VOTES = np.arange(21).reshape(3, 7) % 5


def network(**changes):
    """A network whose neurons all fire now and then, many of them in the same step."""
    p = replace(PARAMETERS, **changes)
    rng = np.random.default_rng(3)
    w = rng.random((p.inputs, p.neurons), np.float32) ** 2
    w[:, 1] = w[:, 0]
    theta = rng.random(p.neurons).astype(np.float32) * 4
    theta[1] = theta[0]
    return p, State(w if p.synapse == "current" else w * np.float32(0.5), theta)


def spikes_of(p, n=5):
    rng = np.random.default_rng(5)
    return (rng.random((n, p.timesteps, p.inputs)) < rng.random((n, 1, p.inputs)) * 0.4).astype(np.uint8)


def arriving(spikes):
    """The program's input: the spikes one step later, none at first; time before samples."""
    return np.concatenate([np.zeros_like(spikes[:, :1]), spikes[:, :-1]], axis=1).swapaxes(0, 1).astype(np.int64)


CASES = {
    "nearest": (FORMATS, {}),
    "truncated": (replace(FORMATS, rounding=Rounding.TR), {}),
    "stochastic": (replace(FORMATS, rounding=Rounding.SR), {}),
    "unsigned weights, finer than V": (replace(FORMATS, w=QFormat(1, 10, signed=False), V=QFormat(8, 1)), {}),
    "thresholds finer than V": (replace(FORMATS, V=QFormat(8, 0), Vth=QFormat(7, 9)), {}),
    "saturating": (replace(FORMATS, V=QFormat(7, 3), rounding=Rounding.SR), {"inhibition": 90.0}),
    "wrapping": (replace(FORMATS, V=QFormat(7, 3), overflow=Overflow.WRAP), {"rest": -60.0}),
    "other constants": (FORMATS, {"reset": -60.0, "refractory": 2, "tau_ms": 17.0, "inhibition": 17.0}),
    "no refractory period": (FORMATS, {"refractory": 0}),
}
G = {"synapse": "conductance"}
CASES |= {
    "conductance": (replace(FORMATS, g=QFormat(7, 6)), G),
    "conductance, truncated": (replace(FORMATS, g=QFormat(5, 3), rounding=Rounding.TR), G),
    "conductance, stochastic": (replace(FORMATS, g=QFormat(6, 4, signed=False), rounding=Rounding.SR), G),
    "conductance, slow, clipped": (replace(FORMATS, g=QFormat(2, 2)), G | {"tau_g_ms": 3.0}),
}


def lowered(name):
    formats, changes = CASES[name]
    p, state = network(**changes)
    return (
        usnn_program(p, formats, state, VOTES, {}),
        TorchEngine().infer_spikes(p, formats, state, spikes_of(p)),
        formats,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_gives_every_spike_and_state_of_the_engine(name):
    program, recorded, formats = lowered(name)
    trace = run_oracle(program, arriving(spikes_of(PARAMETERS)))
    assert np.array_equal(trace.spikes["exc"], recorded.spikes)
    assert np.array_equal(trace.potentials["exc"] * formats.V.step, recorded.potential)
    assert np.array_equal(trace.potentials["exc.refractory"], recorded.refractory)
    if recorded.g is not None:
        assert np.array_equal(trace.potentials["exc.conductance"] * formats.g.step, recorded.g)
    fired = recorded.spikes.sum(axis=(0, 1))
    assert (fired > 0).sum() >= 3, fired
    assert recorded.spikes.sum(axis=2).max() == 1


def test_the_cases_reach_the_rules():
    """Saturation, wrapping and crossings by several neurons at a time happen in them, for what they test."""
    for name in ("saturating", "wrapping", "conductance, slow, clipped"):
        program, _, _ = lowered(name)
        trace = run_oracle(program, arriving(spikes_of(PARAMETERS)))
        assert trace.counts.nodes["exc"].saturations > 10, name
    _, recorded, _ = lowered("nearest")
    assert (recorded.refractory == PARAMETERS.refractory).sum() > recorded.spikes.sum()


@pytest.mark.parametrize("name", ["stochastic", "conductance, stochastic"])
def test_it_survives_a_file_and_runs_in_torch(name, tmp_path):
    program, recorded, _ = lowered(name)
    write_program(program, tmp_path / "usnn.nir", kinds=KINDS)
    read = read_program(tmp_path / "usnn.nir", kinds=KINDS)
    trace = TorchBackend().build(read).run(arriving(spikes_of(PARAMETERS)))
    assert np.array_equal(trace.spikes["exc"], recorded.spikes)
    expected = run_oracle(program, arriving(spikes_of(PARAMETERS)))
    for key, series in expected.potentials.items():
        assert np.array_equal(trace.potentials[key], series), key
    assert np.array_equal(trace.outputs["readout"], expected.outputs["readout"])


@pytest.mark.parametrize("name", ["stochastic", "wrapping", "conductance, stochastic"])
def test_the_file_for_lava_gives_the_engines_spikes(name):
    program, recorded, formats = lowered(name)
    node = program.by_name["exc"]
    population = Neurons(dict(DiehlCookMapping().fields(node)), (7,))
    x = arriving(spikes_of(PARAMETERS))
    codes, code = program.by_name["fc"].codes, program.by_name["lateral"].code
    for image in range(2):
        population.reset()
        fired = [np.zeros(7, np.int64)] * 2
        for t in range(PARAMETERS.timesteps):
            lateral = code * (fired[t].sum() - fired[t])
            spikes, stored = population.step(codes @ x[t, image] + lateral, t)
            fired.append(spikes)
            assert np.array_equal(spikes, recorded.spikes[t, image])
            assert np.array_equal(stored["potential"] * formats.V.step, recorded.potential[t, image])


@pytest.mark.parametrize("name", ["wrapping", "conductance, stochastic"])
def test_lava_gives_the_whole_trace(name):
    backend = LavaBackend()
    available = backend.availability()
    if not available.ready:
        pytest.skip(f"Lava: {available.detail}; {available.remedy}")
    program, recorded, _ = lowered(name)
    inputs = arriving(spikes_of(PARAMETERS))
    with backend.compile(program) as executable:
        trace = executable.run(inputs)
    expected = run_oracle(program, inputs)
    assert np.array_equal(trace.spikes["exc"], recorded.spikes)
    assert trace.potentials.keys() == expected.potentials.keys()
    for key, series in expected.potentials.items():
        assert np.array_equal(trace.potentials[key], series), key
    assert np.array_equal(trace.outputs["readout"], expected.outputs["readout"])
    assert trace.counts.nodes["exc"].saturations == expected.counts.nodes["exc"].saturations


def test_the_votes_are_summed_over_time():
    program, recorded, _ = lowered("nearest")
    trace = run_oracle(program, arriving(spikes_of(PARAMETERS)))
    assert np.array_equal(trace.outputs["readout"][-1], recorded.spikes.sum(axis=0).astype(int) @ VOTES.T)


def test_fields_follow_from_parameters_and_formats():
    p, state = network()
    program = usnn_program(p, replace(FORMATS, seed=(1 << 64) - 2), state, VOTES, {"from": "a test"})
    exc = program.by_name["exc"]
    assert (exc.decay, exc.rest, exc.reset, exc.refractory, exc.x_frac_bits, exc.seed) == (64884, -65, -65, 5, 6, -2)
    assert program.by_name["lateral"].code == -120 * 64
    assert (program.timesteps, program.dt, program.input.coding, program.input.bits) == (60, 1e-3, "per_step", 1)
    assert program.by_name["fc"].lsb == 2**-6
    assert dict(program.provenance) == {"from": "a test"}


def test_memory_counts_every_state_variable_of_each_neuron():
    """V Q11.6 is 18 bits, the count to 5 takes 3; weights take 8 bits each."""
    p, state = network()
    nodes = {node.name: node for node in program_memory(usnn_program(p, FORMATS, state, VOTES, {})).nodes}
    assert nodes["exc"].state_bits == 7 * (18 + 3)
    assert nodes["fc"].weights_bits == 40 * 7 * 8
    p, state = network(synapse="conductance")
    formats = replace(FORMATS, g=QFormat(7, 6))
    nodes = {node.name: node for node in program_memory(usnn_program(p, formats, state, VOTES, {})).nodes}
    assert nodes["exc"].state_bits == 7 * (18 + 3 + 14)


def test_weights_that_are_never_negative_have_no_sign_bit():
    """UQ0.6 weights take 6 bits, votes of 0..255 take 8, and votes of 0..4 take 3."""
    p, state = network()
    formats = replace(FORMATS, w=QFormat(0, 6, signed=False))
    program = usnn_program(p, formats, state, VOTES, {})
    nodes = {node.name: node for node in program_memory(program).nodes}
    assert nodes["fc"].weights_bits == 40 * 7 * 6
    assert nodes["votes"].weights_bits == 3 * 7 * 3
    assert program.by_name["fc"].codes.max() > 31
    recorded = TorchEngine().infer_spikes(p, formats, state, spikes_of(p))
    assert np.array_equal(run_oracle(program, arriving(spikes_of(p))).spikes["exc"], recorded.spikes)
    votes = usnn_program(p, formats, state, VOTES * 51 + 51, {}).by_name["votes"]
    assert (votes.codes.max(), votes.bits, votes.signed) == (255, 8, False)
    votes = usnn_program(p, formats, state, VOTES - 4, {}).by_name["votes"]
    assert (votes.bits, votes.signed) == (3, True)


def test_counts_of_a_run_hold_the_neurons_operations():
    program, recorded, _ = lowered("nearest")
    counts = run_oracle(program, arriving(spikes_of(PARAMETERS))).counts.nodes["exc"]
    steps = 60 * 5 * 7
    assert (counts.kind, counts.steps, counts.fires) == ("diehl_cook", steps, int(recorded.spikes.sum()))
    assert sum(o.count for o in counts.operations if o.name == "multiply") == steps


@pytest.mark.parametrize(("name", "example"), [("w", "Q1.8"), ("V", "Q11.8"), ("Vth", "Q11.8")])
def test_floats_are_refused_by_name(name, example):
    p, state = network()
    message = f"{name} is FP32, and an integer program holds no floats; quantize {name}, for example as {example}"
    with pytest.raises(UsageError, match=rf"^{re.escape(message)}$"):
        usnn_program(p, replace(FORMATS, **{name: None}), state, VOTES, {})


def test_a_conductance_needs_a_format():
    p, state = network(synapse="conductance")
    with pytest.raises(UsageError, match=r"^g is FP32, and .*; quantize g, for example as Q11\.8$"):
        usnn_program(p, FORMATS, state, VOTES, {})


@pytest.mark.parametrize(
    ("changes", "votes", "message"),
    [
        ({"rest": -64.5}, VOTES, "rest is -64.5; an integer program needs a whole number"),
        ({"inhibition": 0.005}, VOTES, "inhibition is 0.005; an integer program needs a multiple of 2**-6"),
        ({"inputs": 39}, VOTES, "the weights have the shape (40, 7); 39 inputs and 7 neurons need (39, 7)"),
        ({}, VOTES[:, :5], "votes have the shape (3, 5); they must be (classes, 7)"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, votes, message):
    _, state = network()
    with pytest.raises(UsageError, match=rf"^{re.escape(message)}$"):
        usnn_program(replace(PARAMETERS, **changes), FORMATS, state, votes, {})
