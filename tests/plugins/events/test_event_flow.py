"""From a recipe on frames to an exported model that names its data with their options, and back."""

import json

import numpy as np

from spikequant.cli.common import load_program
from spikequant.program_inputs import data_options

RECIPE = """
timesteps = 16
[data]
name = "braille"
frame_steps = 16
counts = "binary"
[network]
name = "decolle-mlp"
burn_in = 2
[neuron]
name = "decolle"
[quantizer]
name = "qif"
[learner]
name = "decolle"
[training]
float_epochs = 1
epochs = 0
"""
FORMATS = ("w=Q2.6", "P=Q2.8", "Q=Q3.8", "R=Q1.8", "V=Q5.8")


def test_the_whole_flow_on_frames(spikequant, tmp_path):
    rng = np.random.default_rng(1)
    spikes = rng.random((60, 256, 12)) < 0.1
    np.savez(tmp_path / "braille7_spikes.npz", x=np.packbits(spikes, axis=-1), y=np.arange(60) % 7)
    (tmp_path / "r.toml").write_text(RECIPE)
    where = ("--data-dir", tmp_path)

    def ran(*words):
        answer = spikequant(*words, *where)
        assert answer.code == 0, answer.err
        return answer.out

    ran("train", tmp_path / "r.toml", "--out", tmp_path / "run")
    ran("calibrate", tmp_path / "run")
    formats = [word for fmt in FORMATS for word in ("--format", fmt)]
    ran("quantize", tmp_path / "run", "--out", tmp_path / "q", *formats)
    exported = json.loads(ran("export", tmp_path / "q", "--json"))
    assert (exported["identical"], exported["samples"]) == (True, 48)
    path = tmp_path / "q" / "model.nir"
    program = load_program(path)
    assert program.provenance["data"] == "braille"
    assert data_options(program.provenance) == {"frame_steps": 16, "counts": "binary"}
    found = json.loads(ran("run", path, "--json"))
    trained = json.loads((tmp_path / "q" / "result.json").read_text())["accuracy"]["trained"]
    assert (found["samples"], found["accuracy"]) == (12, trained)
    assert json.loads(ran("verify", path, "--trained", tmp_path / "q", "--json"))["identical"]
