"""A residual network through the commands: trained, quantized, exported, run, verified."""

from __future__ import annotations

import json

import pytest

from spikequant.nir_profile import read_program
from spikequant.program import Add

RECIPE = """
timesteps = 3
[data]
name = "digits"
train_samples = 300
test_samples = 60
[network]
name = "resnet19"
width = 4
[neuron]
name = "mint-lif"
[quantizer]
name = "mint"
bits = 4
[learner]
name = "bptt"
lr = 5e-3
batch_size = 50
[training]
float_epochs = 1
epochs = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("resnet19")
    (place / "small.toml").write_text(RECIPE, encoding="utf-8")
    return place


def test_a_residual_network_goes_the_whole_way(spikequant, folder):
    run = folder / "run"
    for words in (("train", folder / "small.toml", "--out", run), ("export", run)):
        answer = spikequant(*words)
        assert answer.code == 0, answer.err
    model = run / "model.nir"
    for words in (("--trained", run), ("--backend", "torch"), ("--backend", "reference")):
        answer = spikequant("verify", model, *words)
        assert answer.code == 0, answer.out + answer.err
        assert "identical" in answer.out
    program = read_program(model)
    assert [node.name for node in program.nodes if isinstance(node, Add)] == [f"add{n}" for n in range(1, 9)]
    answer = spikequant("run", model, "--backend", "torch", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["accuracy"] == json.loads((run / "result.json").read_text())["accuracy"]["trained"]


def test_a_float_one_is_quantized_after_training(spikequant, folder, tmp_path):
    trained, quantized = tmp_path / "float", tmp_path / "ptq"
    for words in (
        ("train", folder / "small.toml", "--out", trained, "--set", "training.epochs=0"),
        ("quantize", trained, "--out", quantized),
        ("export", quantized),
        ("verify", quantized / "model.nir", "--trained", quantized),
        ("verify", quantized / "model.nir", "--backend", "torch"),
    ):
        answer = spikequant(*words)
        assert answer.code == 0, answer.out + answer.err
