"""Frames through the commands and the steps of the flow: never more of them in memory than one batch."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spikequant import EventFrames, Split
from spikequant.errors import UsageError
from spikequant.explore.evaluate import fingerprint
from spikequant.model import Model, accuracy, as_input, at_once
from spikequant.nir_profile import write_program
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, Readout, chain
from spikequant.program_inputs import DATA_OPTIONS_KEY, program_inputs
from spikequant.registry import registry
from spikequant.runs import build_model, make_dataset, parse_recipe
from spikequant.trace import Trace

OPTIONS = {"frame_steps": 8, "counts": "counts"}
CODES = np.random.default_rng(3).integers(-7, 8, (7, 12))


@pytest.fixture
def braille(tmp_path):
    """Return a data folder with small Braille recordings: 40 of 7 classes."""
    rng = np.random.default_rng(1)
    spikes = rng.integers(0, 2, (40, 256, 12))
    np.savez(tmp_path / "braille7_spikes.npz", x=np.packbits(spikes, axis=-1), y=np.arange(40) % 7)
    return tmp_path


def program(provenance, timesteps=32, coding="per_step"):
    nodes = [Input("input", (12,), bits=4, coding=coding), Dense("fc", CODES, bits=4), Readout("readout")]
    return chain(nodes, timesteps=timesteps, provenance=provenance)


@pytest.fixture
def model(tmp_path):
    """Return a .nir that takes eight steps of Braille as one frame, and says so."""
    path = tmp_path / "m.nir"
    write_program(program({"data": "braille", DATA_OPTIONS_KEY: json.dumps(OPTIONS)}), path, {})
    return path


def test_run_gives_a_program_the_frames_it_was_trained_on(spikequant, braille, model, tmp_path):
    answer = spikequant("run", model, "--data-dir", braille, "--trace", tmp_path / "t.npz", "--json")
    assert answer.code == 0, answer.err
    split = make_dataset("braille", options=OPTIONS, timesteps=32).load("test", (braille,))
    expected = split.x[:].astype(np.int64).sum(axis=1) @ CODES.T
    trace = Trace.load(tmp_path / "t.npz")
    assert np.array_equal(trace.outputs["readout"][-1], expected)
    assert json.loads(answer.out)["correct"] == int((expected.argmax(axis=1) == split.y).sum())


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_verify_takes_frames_batch_by_batch(spikequant, braille, model, backend):
    answer = spikequant("verify", model, "--backend", backend, "--data-dir", braille, "--batch", 3, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["identical"], found["outputs"]) == (True, 32 * 8 * 7)


def test_energy_takes_frames_and_refuses_other_timesteps(spikequant, braille, model):
    nodes = [Input("input", (12,), bits=4, coding="per_step"), Dense("fc", CODES, bits=4), Lif("lif", u_bits=8)]
    ending = [Dense("out", np.eye(7, dtype=int), bits=2), Readout("readout")]
    provenance = {"data": "braille", DATA_OPTIONS_KEY: json.dumps(OPTIONS)}
    write_program(chain([*nodes, *ending], timesteps=32, provenance=provenance), model, {})
    answer = spikequant("energy", model, "--data-dir", braille, "--samples", 4, "--json")
    assert answer.code == 0, answer.err
    refused = spikequant("energy", model, "--data-dir", braille, "--timesteps", "4")
    assert refused.code == 2
    assert "takes other values at each of its 32 timesteps" in refused.err


def test_frames_do_not_fit_a_model_of_still_images(spikequant, braille, tmp_path):
    write_program(program({"data": "braille"}, coding="direct"), tmp_path / "d.nir", {})
    answer = spikequant("run", tmp_path / "d.nir", "--data-dir", braille)
    expected = "data set 'braille' has frames, one per timestep; input 'input' takes one array (direct)"
    assert answer.code == 2
    assert expected in answer.err


def test_damaged_options_in_a_file_are_named(spikequant, braille, tmp_path):
    write_program(program({"data": "braille", DATA_OPTIONS_KEY: "["}), tmp_path / "d.nir", {})
    answer = spikequant("run", tmp_path / "d.nir", "--data-dir", braille)
    assert answer.code == 2
    assert "the program's 'data_options' is damaged" in answer.err


def test_a_set_without_an_address_says_where_it_is_to_be_had(spikequant, tmp_path, monkeypatch):
    monkeypatch.delenv("SPIKEQUANT_DATA", raising=False)
    answer = spikequant("fetch", "braille", "--data-dir", tmp_path)
    assert answer.code == 2
    assert "data set 'braille' has no address to fetch it from; get it from https://zenodo.org/" in answer.err
    found = json.loads(spikequant("doctor", "--data-dir", tmp_path, "--json").out)["findings"]
    remedies = {finding["what"]: finding["remedy"] for finding in found}
    assert remedies["data nmnist"] == "spikequant fetch nmnist"
    assert remedies["data braille"].startswith("get it from https://zenodo.org/")


def test_the_oracle_takes_frames_in_their_own_step(braille):
    split = make_dataset("braille", options=OPTIONS, timesteps=32).load("test", (braille,))
    inputs = program_inputs(program({}), split.x[:3])
    assert np.array_equal(inputs, split.x[:3].transpose(1, 0, 2))
    outputs = run_oracle(program({}), inputs).outputs["readout"]
    assert np.array_equal(outputs, np.cumsum(inputs.astype(np.int64), axis=0) @ CODES.T)


class Watched(EventFrames):
    """Notes how many samples were asked for at once."""

    def __getitem__(self, chosen):
        made = super().__getitem__(chosen)
        asked.append(len(made))
        return made


asked: list[int] = []


def watched(count, timesteps, width):
    rng = np.random.default_rng(0)
    recordings = [(rng.integers(0, timesteps, 5), rng.integers(0, width, 5)) for _ in range(count)]
    return Watched.of(recordings, (width,), timesteps=timesteps, frame_us=1)


def test_accuracy_is_measured_a_few_recordings_at_a_time():
    x = watched(40, 1000, 4096)  # 4.1 million values a sample: 8 at once
    assert at_once(x, 500) == 8
    assert at_once(np.zeros((9, 2), np.uint8), 500) == 500
    assert at_once(watched(4, 10**6, 100), 500) == 1
    asked.clear()
    model = SimpleNamespace(device=torch.device("cpu"), predict=lambda x: x.sum(dim=(1, 2)).numpy().astype(np.int64))
    model.right = lambda models, data: Model.right.__func__(Model, models, data)
    assert accuracy(model, Split(x, np.full(40, 5))) == 1.0
    assert asked == [8] * 5
    assert as_input(x[:2]).shape == (2, 1000, 4096)


def test_a_fingerprint_of_recordings_needs_no_frames(tmp_path):
    (tmp_path / "float.bin").write_bytes(b"weights")

    def of(x):
        recipe = SimpleNamespace(table=dict, seed=0)
        folder = SimpleNamespace(float_model=tmp_path / "float.bin")
        split = Split(x, np.zeros(len(x), np.int64))
        return fingerprint(SimpleNamespace(train=split, test=split, folder=folder, recipe=recipe, device="cpu"))["data"]

    asked.clear()
    x = watched(4, 50, 10)
    assert of(x) == of(watched(4, 50, 10)) != of(x.select([1, 0, 2, 3]))
    assert asked == []


RECIPE = {
    "timesteps": 64,
    "data": {"name": "braille", **OPTIONS},
    "network": {"name": "mlp", "hidden": [4]},
    "neuron": {"name": "mint-lif"},
    "quantizer": {"name": "mint", "bits": 4},
    "learner": {"name": "bptt"},
}


def test_a_network_is_told_the_shape_and_the_duration_of_a_frame(monkeypatch):
    seen = []
    monkeypatch.setattr(registry().get("network", "mlp"), "model", lambda self, neuron, *given, **_: seen.extend(given))
    build_model(parse_recipe(RECIPE, "here"))
    coding, classes, timesteps = seen
    assert (coding.shape, coding.bits, coding.peak, coding.frame_s) == ((12,), 4, 1, 0.04)
    assert (classes, timesteps) == (7, 64)


DIEHL_COOK = {
    "network": {"name": "diehl-cook", "neurons": 4},
    "neuron": {"name": "diehl-cook"},
    "quantizer": {"name": "qif"},
    "learner": {"name": "stdp"},
}


@pytest.mark.parametrize("changes", [{}, DIEHL_COOK])
def test_a_network_for_still_images_refuses_frames(changes):
    message = (
        r"^the data set's samples are frames of shape \(12,\), one per timestep, and this network takes one array "
    )
    with pytest.raises(UsageError, match=message):
        build_model(parse_recipe(RECIPE | changes, "here"))
    still = build_model(parse_recipe(RECIPE | {"data": {"name": "digits"}}, "here")).coding
    assert still.frame_s is None
