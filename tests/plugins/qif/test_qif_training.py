"""Digits with Qi.f weights: trained, rounded after training, resumed, exported, and identical on the backends."""

from pathlib import Path

import pytest
import torch

import spikequant_qif
from spikequant.errors import UsageError
from spikequant.model import as_input
from spikequant.nir_profile import read_program
from spikequant.oracle import run_oracle
from spikequant.registry import registry
from spikequant.runs import RunFolder, Watcher, load_data, load_model, parse_recipe, read_recipe, train
from spikequant.runs.export import export_run, model_trace
from spikequant.verify import compare

NETWORK = {"name": "cnn", "channels": [8, 8], "strides": [2, 1], "batch_norm": True}


def recipe(quantizer, *, float_epochs=3, epochs=4, bits=12, **data):
    table = {
        "timesteps": 3,
        "data": {"name": "digits", **data},
        "network": NETWORK,
        "neuron": {"name": "mint-lif", "bits": bits},
        "quantizer": {"name": "qif", **quantizer},
        "learner": {"name": "bptt", "lr": 5e-3, "batch_size": 64},
        "training": {"float_epochs": float_epochs, "epochs": epochs},
    }
    return parse_recipe(table, "test")


@pytest.mark.parametrize(
    ("quantizer", "least"),
    [
        ({"format": "Q1.6", "rounding": "SR"}, 0.9),
        ({"format": "Q1.3", "rounding": "SR", "seed": 3}, 0.9),
        ({"format": "Q1.4", "rounding": "RN"}, 0.9),
        ({"format": "Q1.4", "rounding": "TR"}, 0.9),
        ({"format": "Q1.6", "rounding": "RN", "overflow": "wrap"}, 0.9),
        ({"format": "UQ0.5", "rounding": "RN"}, 0.7),  # no negative weights: less can be said with them
    ],
    ids=lambda value: "-".join(str(option) for option in value.values()) if isinstance(value, dict) else str(value),
)
def test_it_trains_exports_and_is_identical_everywhere(quantizer, least, tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train(recipe(quantizer), folder)
    assert result["accuracy"]["trained"] > least, result

    assert export_run(folder, tmp_path / "model.nir").verdict.identical
    program = read_program(tmp_path / "model.nir")
    _, test = load_data(folder.recipe(), None)
    expected = run_oracle(program, test.x)
    assert (expected.predictions() == test.y).mean() == result["accuracy"]["trained"]
    assert compare(expected, model_trace(load_model(folder), test.x)).identical
    for name, samples in {"torch": None, "reference": 20}.items():
        few = test.head(samples)
        with registry().make("backend", name, {}).compile(program) as executable:
            verdict = compare(run_oracle(program, few.x), executable.run(few.x))
        assert verdict.identical, f"{name}: {verdict}"


@pytest.mark.parametrize("rounding", ["TR", "RN", "SR"])
def test_after_training_ten_fraction_bits_cost_little(rounding, tmp_path):
    """PTQ: no integer epochs; TR takes half a step off each weight on average."""
    folder = RunFolder(tmp_path / "run")
    wanted = recipe({"format": "Q1.10", "rounding": rounding}, float_epochs=8, epochs=0, bits=24)
    result = train(wanted, folder)
    assert result["accuracy"]["float"] > 0.9
    assert result["accuracy"]["trained"] >= result["accuracy"]["float"] - 0.02
    assert export_run(folder, tmp_path / "model.nir").verdict.identical


def test_stopped_and_resumed_stochastic_rounding_ends_with_the_same_bits(tmp_path):
    wanted = recipe({"format": "Q1.4", "rounding": "SR"}, float_epochs=1, epochs=3, train_samples=200, test_samples=50)
    straight, stopped = RunFolder(tmp_path / "straight"), RunFolder(tmp_path / "stopped")
    train(wanted, straight)

    def stop(row):
        if (row["phase"], row["epoch"]) == ("integer", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(wanted, stopped, watcher=Watcher(epoch=stop))
    train(wanted, stopped, resume=True)
    assert stopped.model.read_bytes() == straight.model.read_bytes()
    assert stopped.result() == straight.result()


def test_another_seed_of_the_rounding_trains_another_model(tmp_path):
    found = []
    for seed in (0, 0, 1):
        folder = RunFolder(tmp_path / f"run{len(found)}")
        options = {"format": "Q1.3", "rounding": "SR", "seed": seed}
        train(recipe(options, float_epochs=0, epochs=1, train_samples=100, test_samples=20), folder)
        found.append(torch.cat([part.weight.flatten() for part in load_model(folder).weighted]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_fp32_trains_and_is_not_exported(tmp_path):
    folder = RunFolder(tmp_path / "run")
    wanted = recipe({"format": "FP32"}, float_epochs=1, epochs=1, train_samples=200, test_samples=50)
    train(wanted, folder)
    with pytest.raises(
        UsageError,
        match=r"^lower\(\) needs integers, and layer 'conv1' computes in floats; choose another format, .*$",
    ):
        export_run(folder, tmp_path / "model.nir")
    assert not (tmp_path / "model.nir").exists()


def test_the_bundled_recipe_trains(tmp_path):
    (path,) = spikequant_qif.spikequant_recipes().values()
    assert path.parent == Path(spikequant_qif.__file__).parent / "recipes"
    folder = RunFolder(tmp_path / "run")
    result = train(read_recipe(path), folder)
    assert result["accuracy"]["trained"] > 0.95
    _, test = load_data(folder.recipe(), None)
    model = load_model(folder)
    assert (model.predict(as_input(test.x)) == test.y).mean() == result["accuracy"]["trained"]
