"""The quantized model in torch, step by step or folded over time, is the integer program: every spike and state."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from decolle_models import TIMESTEPS, conv, counts, float_model, mlp, quantized

from spikequant import InputCoding
from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.program_inputs import program_inputs
from spikequant.registry import registry
from spikequant.runs.export import model_trace
from spikequant.verify import compare
from spikequant_decolle import run as running
from spikequant_decolle.network import DecolleMlp
from spikequant_decolle.neuron import DecolleNeuron

FORMATS = (
    {"P": "Q0.8", "Q": "Q0.8", "R": "Q1.4", "V": "Q0.4", "w": "Q1.5"},
    {"P": "UQ4.3", "Q": "Q5.2", "R": "UQ2.3", "V": "Q6.1", "w": "Q0.9"},
    {"P": "Q1.16", "Q": "Q1.16", "R": "Q1.16", "V": "Q2.16", "w": "Q1.14"},
    {"P": "Q2.0", "Q": "Q3.1", "R": "Q0.1", "V": "Q1.0", "w": "Q0.2"},
)
RULES = list(itertools.product(("TR", "RN", "SR"), ("saturate", "wrap"), (True, False)))


def identical(model, x):
    program, given = model.lower(), x.numpy().astype(np.int64)
    expected = run_oracle(program, program_inputs(program, given))
    verdict = compare(expected, model_trace(model, given), [node.name for node in program.order])
    assert verdict.identical, verdict
    assert np.array_equal(expected.predictions(), model.predict(x))
    return expected


@pytest.mark.parametrize("formats", FORMATS)
@pytest.mark.parametrize(("rounding", "overflow", "normalised"), RULES)
def test_every_spike_and_state_is_the_programs(formats, rounding, overflow, normalised):
    networks = (conv(), mlp(decode="sum"), conv(decode="sum", pools=(1, 3), features=(7,)), mlp(burn_in=0))
    odd = (rounding == "RN") ^ normalised
    for number in (0 + odd, 2 + odd):
        network = networks[number]
        rho = (0.7, 2, 0, 5.3)[number]
        given = {"overflow": overflow, "normalised": normalised, "rho": rho, "gamma": 0.3 * number}
        identical(quantized(network, rounding=rounding, seed=number, **given, **formats), counts(seed=number))


def test_networks_that_are_compared_do_fire():
    seen = identical(quantized(conv(), "Q1.5", P="Q0.8", Q="Q0.8", R="Q1.4", V="Q0.4"), counts())
    rates = {name: float(spikes.mean()) for name, spikes in seen.spikes.items()}
    assert all(0.01 < rates[name] < 0.9 for name in ("lif1", "lif2")), rates


@pytest.mark.parametrize("most", [1, 5000])
@pytest.mark.parametrize("rounding", ["RN", "SR"])
def test_nothing_depends_on_how_many_timesteps_or_samples_run_together(monkeypatch, most, rounding):
    model = quantized(conv(), "Q1.5", rounding, P="Q0.8", Q="Q0.8", R="Q1.4", V="Q0.4")
    x = counts(5)
    whole = model.record(x)
    monkeypatch.setattr(running, "MOST_VALUES", most)
    parts = [model.record(x[:2]), model.record(x[2:])]
    for group in ("spikes", "potentials"):
        for name, expected in getattr(whole, group).items():
            got = torch.cat([getattr(part, group)[name] for part in parts], dim=1)
            assert torch.equal(expected, got), name
    assert torch.equal(whole.output, torch.cat([part.output for part in parts], dim=1))


def test_mode_counts_the_best_class_of_each_step_after_the_burn_in():
    x = counts()
    given = {"P": "Q0.8", "Q": "Q0.8", "R": "Q1.4", "V": "Q0.4"}
    voting, summing = (quantized(conv(decode=decode), "Q1.5", **given) for decode in ("mode", "sum"))
    scores = summing.record(x).output.diff(dim=0, prepend=torch.zeros_like(summing.record(x).output[:1]))
    best = scores.argmax(-1)[5:]
    votes = torch.stack([(best == label).sum(0) for label in range(5)], dim=-1)
    assert torch.equal(voting.record(x).output[-1], votes)
    assert int(votes.sum()) == (TIMESTEPS - 5) * len(x)
    assert np.array_equal(voting.predict(x), votes.argmax(-1).numpy())


def test_quantities_count_shared_traces_once_and_neurons_before_pooling():
    model = float_model(conv())
    counted = {quantity.name: quantity.count for quantity in model.quantities}
    w, inputs, neurons = 4 * 2 * 9 + 6 * 4 * 9, 2 * 81 + 4 * 16, 4 * 81 + 6 * 16
    expected = {"w": w, "P": inputs, "Q": inputs, "R": neurons, "V": neurons + 10, "G": 5 * 96}
    assert counted == expected | dict.fromkeys(("alpha", "beta", "gamma", "rho"), 2)


def test_observed_ranges_hold_what_every_sample_did():
    model = float_model(mlp())
    seen = model.observe(counts(4))
    assert set(seen.ranges) == {"w", "P", "Q", "R", "V"}
    assert seen.ranges["P"][0] == 0
    assert seen.ranges["V"][0] <= min(float(layer.v_th.min()) for layer in model.layers)
    assert {name: rate.shape for name, rate in seen.rates.items()} == {"lif1": (20,), "lif2": (15,)}
    assert seen.raster["lif1"].shape == (TIMESTEPS, 20)
    halves = [model.observe(counts(4)[part]) for part in (slice(0, 2), slice(2, 4))]
    for name, (low, high) in seen.ranges.items():
        ends = [half.ranges[name] for half in halves]
        assert (low, high) == (min(e[0] for e in ends), max(e[1] for e in ends))


def test_what_is_fp32_is_named_when_integers_are_wanted():
    model = quantized(mlp(), "Q1.5", P="Q0.8")
    with pytest.raises(
        UsageError, match=r"^record\(\) needs integers, and these are FP32: Q, R, V; give each a format"
    ):
        model.record(counts())
    with pytest.raises(UsageError, match=r"^lower\(\) needs integers, and the model computes in floats"):
        float_model(mlp()).lower()


def test_formats_that_floats_cannot_compute_exactly_are_refused():
    model = float_model(mlp(), P="Q8.23", Q="Q8.20", R="Q1.8", V="Q8.20")
    with pytest.raises(UsageError, match=r"^the weighted sum reaches .*: \d+ bits, and 53 are exact; give the formats"):
        model.quantize(lambda: registry().make("quantizer", "qif", {"format": "Q1.22"}))
    assert model.precision == "float"


def test_images_are_refused_with_what_the_network_takes():
    with pytest.raises(UsageError, match=r"^samples have the shape \(2, 9, 9\); this network takes frames"):
        float_model(mlp()).predict(torch.zeros(3, 2, 9, 9))


def test_images_and_a_burn_in_without_an_end_are_refused_before_anything_runs():
    still = InputCoding((1, 8, 8), 5, 16)
    with pytest.raises(UsageError, match=r"takes frames of events, .* is one array \(1, 8, 8\); set data\.name to"):
        DecolleMlp().model(DecolleNeuron, still, 10, 50, seed=0)
    frames = InputCoding((8,), 1, 1, 1e-3)
    with pytest.raises(UsageError, match=r"no timestep is left to vote; set network\.burn_in to at most 7, or give"):
        DecolleMlp(burn_in=8).model(DecolleNeuron, frames, 10, 8, seed=0)
