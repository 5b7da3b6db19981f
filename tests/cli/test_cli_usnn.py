"""The U-SNN from training to every backend, through the command line."""

import json
import re
import shutil

import numpy as np
import pytest

from spikequant.cli import main
from spikequant.model import as_input
from spikequant.runs import RunFolder, load_data, load_model
from spikequant.trace import Trace

CONDUCTANCE = ("--set", "neuron.synapse=conductance", "--set", "neuron.tau_g_ms=5.0", "--set", "neuron.g=Q4.6")
SMALL = ("--set", "data.train_samples=40", "--set", "data.test_samples=20", "--set", "timesteps=40")


@pytest.fixture(scope="module")
def recipe(trained_usnn):
    return trained_usnn.parent / "usnn.toml"


@pytest.fixture(scope="module")
def quantized(trained_usnn, tmp_path_factory):
    """Return models by the way they were made: current and conductance synapse, PTQ and ITQ, each rounding."""
    folder = tmp_path_factory.mktemp("models")
    stored = folder / "stored"
    words = ["--set", "learner.weight_mode=stored", *SMALL]
    main(["train", str(trained_usnn.parent / "usnn.toml"), "--out", str(stored), *words])
    conductance = folder / "conductance"
    main(["train", str(trained_usnn.parent / "usnn.toml"), "--out", str(conductance), *CONDUCTANCE, *SMALL])
    formats = ["--format", "w=UQ0.6", "--format", "V=Q9.4", "--format", "Vth=Q7.4"]
    made = {
        "ptq": [trained_usnn, "--rounding", "TR"],
        "itq": [trained_usnn, "--rounding", "SR", "--scheme", "itq"],
        "scratch": [trained_usnn, "--rounding", "RN", "--scheme", "itq", "--itq", "scratch"],
        "stored": [stored, "--rounding", "SR", "--scheme", "itq"],
        "conductance": [conductance, "--rounding", "SR", "--scheme", "itq", "--format", "g=UQ4.3"],
    }
    for name, (run, *words) in made.items():
        main(["quantize", str(run), "--out", str(folder / "q" / name), *formats, *words])
        main(["export", str(folder / "q" / name), "--samples", "10"])
    return folder / "q"


WAYS = ["ptq", "itq", "scratch", "stored", "conductance"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("backend", "samples"), [("reference", 20), ("torch", 20), ("lava", 3)])
def test_every_backend_is_identical(spikequant, quantized, way, backend, samples):
    model = quantized / way / "model.nir"
    answer = spikequant("verify", model, "--backend", backend, "--samples", samples, "--json")
    assert answer.code == 0, answer.out + answer.err
    found = json.loads(answer.out)
    assert found["identical"]
    assert found["spikes"] > 0
    assert found["states"] > found["spikes"]


@pytest.mark.parametrize("way", WAYS)
def test_the_trained_model_is_identical_and_run_counts_its_accuracy(spikequant, quantized, way):
    model = quantized / way / "model.nir"
    answer = spikequant("verify", model, "--trained", quantized / way, "--json")
    assert json.loads(answer.out)["identical"]
    result = RunFolder(quantized / way).result()
    words = ("--backend", "torch", "--samples", result["test_samples"], "--json")
    ran = json.loads(spikequant("run", model, *words).out)
    assert ran["accuracy"] == result["accuracy"]["trained"]
    assert ran["spikes"] > ran["samples"]


def test_small_batches_give_the_same_trace(spikequant, quantized, tmp_path):
    model = quantized / "itq" / "model.nir"
    for name, batch in (("one", 3), ("two", 500)):
        words = ("--backend", "torch", "--samples", 10, "--batch", batch, "--trace", tmp_path / f"{name}.npz")
        assert spikequant("run", model, *words).code == 0
    assert spikequant("verify", tmp_path / "one.npz", tmp_path / "two.npz").code == 0


def test_the_trace_is_what_the_trained_model_predicts(spikequant, quantized, tmp_path):
    run = RunFolder(quantized / "itq")
    spikequant("run", run.path / "model.nir", "--backend", "reference", "--samples", 20, "--trace", tmp_path / "t.npz")
    trace, (_, test) = Trace.load(tmp_path / "t.npz"), load_data(run.recipe(), None)
    model = load_model(run)
    assert np.array_equal(trace.predictions(), model.predict(as_input(test.x[:20])))
    recorded = model.record(as_input(test.x[:20])).spikes["exc"].numpy()
    assert np.array_equal(trace.spikes["exc"], recorded)


def test_training_says_how_far_it_is(spikequant, recipe, tmp_path):
    answer = spikequant("train", recipe, "--out", tmp_path / "run", *SMALL)
    assert answer.code == 0
    assert re.fullmatch(r"float   epoch   1  test accuracy \d+\.\d\d %\n", answer.err)
    assert re.fullmatch(r"test accuracy, float: \d+\.\d\d %\ntest accuracy, trained: \d+\.\d\d %\n", answer.out)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["learner.name=bptt"],
            "learner 'bptt' trains models with a differentiable forward(), and was given a UsnnModel; choose another"
            " network, or the learner of this one",
        ),
        (["learner.mu=11"], "learner 'stdp' refuses its options: mu is 11.0; it must be a finite number, 0 to 10"),
        (
            ["learner.itq=['w','U']"],
            "learner 'stdp': option 'itq' is [\"w\", \"U\"]; it must be a list, each item one of w, V, Vth, g",
        ),
        (
            ["quantizer.rounding=TR"],
            "weights have the rounding and overflow TR, saturate, and the neuron's variables RN, saturate; set them"
            " alike in [quantizer] and [neuron]",
        ),
        (["neuron.rounding=UP"], "neuron 'diehl-cook': option 'rounding' is \"UP\"; it must be one of TR, RN, SR"),
        (
            ["neuron.V=Q5.8"],
            "rest is -65.0, and V has the format Q5.8, -32.0..31.99609375; give it more integer bits",
        ),
        (
            ["neuron.synapse=conductance"],
            "V has the format Q11.8 and g is FP32; give g a format too, since V's step uses it",
        ),
        (["training.ends=float"], "training.ends is 'float'; this network has one layer, so set it to 'integer'"),
        (
            ["network.neurons=2000000"],
            "network 'diehl-cook' refuses its options: network 'diehl-cook': neurons is 2000000; it must be between"
            " 1 and 1,000,000",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused_before_anything_is_trained(
    spikequant, recipe, tmp_path, changes, message
):
    words = [word for change in changes for word in ("--set", change)]
    answer = spikequant("train", recipe, "--out", tmp_path / "run", *words)
    assert (answer.code, answer.out, answer.err) == (2, "", f"error: {message}\n")
    assert not (tmp_path / "run").exists()


def recipe_with(recipe, path, **tables):
    text = recipe.read_text()
    for name, lines in tables.items():
        text = re.sub(rf"\[{name}\]\n(?:[^\[]*\n)?", f"[{name}]\n{lines}\n", text, count=1)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"neuron": 'name = "mint-lif"'},
            "network 'diehl-cook' runs neuron 'diehl-cook' only, and was given 'mint-lif'; set neuron.name to"
            " 'diehl-cook', or choose another network",
        ),
        (
            {"quantizer": 'name = "mint"'},
            "quantizer 'mint' gives the weights INT8; network diehl-cook takes Qi.f, so set quantizer.name to 'qif'",
        ),
        (
            {"network": 'name = "mlp"'},
            "learner 'stdp' trains network 'diehl-cook' only, and was given 'mlp'; set network.name to 'diehl-cook',"
            " or choose another learner",
        ),
        (
            {"network": 'name = "mlp"', "learner": 'name = "bptt"'},
            "neuron 'diehl-cook' cannot stand in a chain of layers; choose another neuron, or the network it is for",
        ),
    ],
)
def test_so_are_parts_of_other_networks(spikequant, recipe, tmp_path, tables, message):
    changed = recipe_with(recipe, tmp_path / "r.toml", **tables)
    answer = spikequant("train", changed, "--out", tmp_path / "run")
    assert (answer.code, answer.out, answer.err) == (2, "", f"error: {message}\n")
    assert not (tmp_path / "run").exists()


def test_float_variables_are_trained_and_not_exported(spikequant, recipe, tmp_path):
    words = ("--set", "neuron.V=FP32", "--set", "neuron.Vth=FP32", *SMALL)
    assert spikequant("train", recipe, "--out", tmp_path / "run", *words).code == 0
    answer = spikequant("export", tmp_path / "run")
    assert (answer.code, answer.err) == (
        2,
        "error: lower() needs integers, and V, Vth is FP32; give each a format like Q11.8\n",
    )


def test_a_complete_run_is_left_alone_by_resume(spikequant, trained_usnn, tmp_path):
    run = shutil.copytree(trained_usnn, tmp_path / "run")
    before = (run / "model.safetensors").read_bytes()
    answer = spikequant("train", "--resume", "--out", run)
    assert answer.code == 0
    assert (run / "model.safetensors").read_bytes() == before
