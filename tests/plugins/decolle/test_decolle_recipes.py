"""The shipped recipes on real recordings: their accuracy, few bits, and one arithmetic everywhere."""

import json
import os
from pathlib import Path

import pytest

from spikequant.data_folders import places

BESIDE = Path(__file__).parents[4] / "shared" / "data"
FOLDERS = (Path(os.environ.get("SPIKEQUANT_DATA") or BESIDE),)


def needs(name, file):
    if not any((place / file).is_file() for place in places(name, FOLDERS)):
        pytest.skip(f"needs {file} of {name} in SPIKEQUANT_DATA")
    return ("--data-dir", FOLDERS[0])


@pytest.fixture
def ran(spikequant):
    def answer(*words):
        found = spikequant(*words)
        assert found.code == 0, found.err
        return found.out

    return answer


def test_n_mnist_reaches_its_accuracy_and_keeps_it_in_few_bits(ran, tmp_path):
    data, run = needs("nmnist-small", "nmnist_small.npz"), tmp_path / "run"
    ran("train", "nmnist-decolle", "--out", run, *data)
    result = json.loads((run / "result.json").read_text())
    assert result["test_samples"] == 100
    assert result["accuracy"]["float"] >= 0.90
    levels = ("--group", "N=P,Q,R,V", "--levels", "w=8,4,3", "--levels", "N=8,5,3")
    found = json.loads(ran("explore", run, *levels, "--roundings", "RN,SR", "--target", "4", "--json", *data))
    losses = [(c["saving"], result["accuracy"]["float"] - c["accuracy"]) for c in found["candidates"]]
    assert min(loss for saving, loss in losses if saving >= 2) <= 0.02
    assert min(loss for saving, loss in losses if saving >= 4) <= 0.04
    assert json.loads(ran("export", run, "--json", *data))["identical"]
    exported = json.loads(ran("run", run / "model.nir", "--json", *data))
    assert (exported["samples"], exported["accuracy"]) == (100, result["accuracy"]["trained"])
    assert json.loads(ran("verify", run / "model.nir", "--trained", run, "--samples", "20", "--json", *data))[
        "identical"
    ]
    for backend, samples in (("torch", "20"), ("lava", "2")):
        words = ("--backend", backend, "--samples", samples, "--json")
        assert json.loads(ran("verify", run / "model.nir", *words, *data))["identical"]


def test_braille_reaches_its_accuracy(ran, tmp_path):
    data, run = needs("braille", "braille7_spikes.npz"), tmp_path / "run"
    ran("train", "braille-decolle", "--out", run, *data)
    result = json.loads((run / "result.json").read_text())
    assert result["test_samples"] == 172
    assert result["accuracy"]["float"] >= 0.90
    ran("export", run, *data)
    exported = json.loads(ran("run", run / "model.nir", "--json", *data))
    assert exported["accuracy"] == result["accuracy"]["trained"]
    for backend, samples in (("torch", "172"), ("lava", "10")):
        words = ("--backend", backend, "--samples", samples, "--json")
        assert json.loads(ran("verify", run / "model.nir", *words, *data))["identical"]
