"""Networks that others published, from their files to the figures that belong to them, by the command line alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from spikequant import FloatTrace
from spikequant.trace import Trace

DATA = Path(os.environ.get("SPIKEQUANT_DATA") or Path(__file__).parents[4] / "shared" / "data")
NIR, LAVA = DATA / "nir" / "valid", DATA / "models" / "lava_dl"
needs_data = pytest.mark.skipif(not NIR.is_dir() or not LAVA.is_dir(), reason=f"SPIKEQUANT_DATA: no networks in {DATA}")
SINABS = ("--reset", "subtract", "--option", "v_min=-1")
BRANDY = (*SINABS, "--option", "most_spikes=255", "--timesteps", 30, "--set", "data.whole=true")


@needs_data
@pytest.mark.parametrize(
    ("name", "words", "right", "samples"),
    [
        ("brandy_100", ("--data", "nmnist-small", *BRANDY), 96, 100),
        ("brandy_50", ("--data", "nmnist-small", *BRANDY), 98, 100),
        ("brandy_10", ("--data", "nmnist-small", *BRANDY), 95, 100),
        ("brandy_4", ("--data", "nmnist-small", *BRANDY), 91, 100),
        ("cnn_sinabs", ("--data", "nmnist-small", *SINABS), 98, 100),
    ],
)
def test_the_accuracy_of_a_network_in_floats(spikequant, name, words, right, samples):
    answer = spikequant("run", NIR / f"{name}.nir", *words, "--data-dir", DATA, "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert (said["correct"], said["samples"]) == (right, samples)
    assert {finding["level"] for finding in said["findings"]} <= {"assumed", "ambiguous", "note"}
    assert sum(line.startswith("warning: ") for line in answer.err.splitlines()) > 0


@needs_data
@pytest.mark.parametrize(
    ("name", "reset", "right"),
    [
        ("braille_noDelay_bias_zero", "zero", 829),
        ("braille_noDelay_noBias_subtract", "subtract", 832),
        ("spyx_braille_noDelay_noBias_subtract_subgraph", "subtract", 832),
    ],
)
def test_recurrent_networks_on_all_857_recordings(spikequant, name, reset, right):
    """0.967 and 0.971 of both of our splits together, as the reference has them."""
    found = []
    for split in ("train", "test"):
        words = ("--data", "braille", "--reset", reset, "--split", split, "--data-dir", DATA, "--json")
        found.append(json.loads(spikequant("run", NIR / f"{name}.nir", *words).out))
    assert sum(said["samples"] for said in found) == 857
    assert sum(said["correct"] for said in found) == right


@needs_data
def test_a_single_neuron_gives_norses_own_trace(spikequant, tmp_path):
    recorded = np.loadtxt(DATA / "nir" / "lif_traces" / "lif_norse.csv", delimiter=",")
    np.savetxt(tmp_path / "in.csv", recorded[:, 0])
    words = ("--input", tmp_path / "in.csv", "--dt", 1e-4, "--trace", tmp_path / "t.npz")
    answer = spikequant("run", NIR / "lif_norse.nir", *words)
    assert answer.code == 0, answer.err
    trace = FloatTrace.load(tmp_path / "t.npz")
    (name,) = trace.spikes
    assert np.flatnonzero(trace.spikes[name]).tolist() == [460, 510, 710, 760]
    assert np.array_equal(trace.spikes[name].ravel(), recorded[:, 2])
    assert np.abs(trace.potentials[name].ravel() - recorded[:, 1]).max() < 1e-6  # both are float32


@needs_data
@pytest.mark.parametrize(
    ("name", "words", "formats", "layers"),
    [
        ("brandy_100", ("nmnist-small", *BRANDY), ("w=Q1.4", "V=Q3.8"), ["n2", "n4", "n6", "n8", "n10"]),
        (
            "braille_noDelay_bias_zero",
            ("braille", "--reset", "zero", "--timesteps", 60),
            ("w=Q4.6", "V=Q9.8", "I=Q6.8"),
            ["lif1_lif", "lif2"],
        ),
    ],
)
def test_an_imported_network_goes_the_whole_way(spikequant, tmp_path, name, words, formats, layers):
    run, small, model, data = tmp_path / "run", tmp_path / "small", tmp_path / "small.nir", ("--data-dir", DATA)
    few = ("--set", "data.test_samples=20", "--set", "data.train_samples=20")
    imported = spikequant("import", NIR / f"{name}.nir", "--out", run, "--data", *words, *few, *data)
    assert imported.code == 0, imported.err
    assert spikequant("calibrate", run, "--samples", 10, *data).code == 0
    chosen = [word for fmt in formats for word in ("--format", fmt)]
    quantized = spikequant("quantize", run, "--out", small, *chosen, *data, "--json")
    assert quantized.code == 0, quantized.err
    exported = spikequant("export", small, model, "--samples", 2, *data, "--json")
    assert json.loads(exported.out)["identical"]
    for where in (("--backend", "torch"), ("--trained", small)):
        verified = spikequant("verify", model, "--samples", 2, *data, *where)
        assert verified.code == 0, verified.out
    said = json.loads(spikequant("run", model, *data, "--samples", 20, "--json").out)
    drift = json.loads(spikequant("drift", small, *data, "--samples", 20, "--json").out)
    assert said["accuracy"] == drift["accuracy_integer"] == json.loads(quantized.out)["accuracy"]["trained"]
    assert [layer["name"] for layer in drift["layers"]] == layers
    assert all(0 < layer["spikes"]["share"] < 0.5 for layer in drift["layers"])
    assert all(layer["states"]["potential"]["relative"] is not None for layer in drift["layers"])
    assert spikequant("drift", small, *data, "--samples", 5, "--fail-above", 0.0001).code == 1


@needs_data
def test_an_integer_network_of_lava_gives_its_recorded_spikes(spikequant, tmp_path):
    with np.load(LAVA / "oxford_spikes.npz") as events:
        given, wanted = (raster(events[key]) for key in ("input", "ground_truth"))
    np.save(tmp_path / "in.npy", given)
    words = ("--input", tmp_path / "in.npy", "--trace", tmp_path / "t.npz")
    answer = spikequant("run", LAVA / "oxford.net", *words, "--json")
    assert answer.code == 0, answer.err
    trace = Trace.load(tmp_path / "t.npz")
    assert int(wanted.sum()) == 10_178
    assert np.array_equal(trace.spikes["lif1"][:-2, 0], wanted[2:])
    assert not trace.spikes["lif1"][-2:].any()


@needs_data
def test_an_integer_network_of_lava_becomes_a_file_of_our_own(spikequant, tmp_path):
    model = tmp_path / "netx.nir"
    words = ("--timesteps", 20, "--option", "encode=integrate", "--option", "input_shape=1x28x28", "--data", "mnist")
    answer = spikequant("import", LAVA / "netx_mnist.net", "--out", model, *words, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["timesteps"] == 20
    assert "timesteps" not in answer.err
    said = json.loads(spikequant("run", model, "--samples", 200, "--data-dir", DATA, "--json").out)
    assert said["accuracy"] > 0.9
    assert spikequant("verify", model, "--samples", 3, "--data-dir", DATA).code == 0


def raster(events):
    """Events (neuron, 0, time) as spikes (2000, 200); lava-dl rounds times, half to even."""
    spikes = np.zeros((2000, 200), np.uint8)
    spikes[np.rint(events[:, 2]).astype(int), events[:, 0].astype(int)] = 1
    return spikes
