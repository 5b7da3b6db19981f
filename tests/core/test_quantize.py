"""Quantizing a trained run: a run folder of its own, from the same float model."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from spikequant.errors import PluginError, RunError, UsageError
from spikequant.explore import Scheme, Setting
from spikequant.explore.evaluate import RunEvaluator
from spikequant.formats import parse_format
from spikequant.quantize import chosen_setting, quantize_run
from spikequant.rounding import Rounding
from spikequant.runs import RunFolder, Watcher, load_model, parse_recipe, train
from spikequant.runs.checkpoint import load_checkpoint
from spikequant.runs.export import export_run

USNN = {"w": "Q1.6", "V": "Q9.4", "Vth": "Q7.4"}
MINT = {"w": "INT3", "U": "INT5"}


def setting(formats, rounding="RN", scheme="PTQ", scratch=False):
    pairs = tuple((name, parse_format(text)) for name, text in formats.items())
    return Setting(Scheme(scheme), Rounding(rounding), pairs, scratch)


def parameters(path):
    return load_checkpoint(path)["model"]


def same(one, two):
    return one.keys() == two.keys() and all(one[name].equal(two[name]) for name in one)


CASES = [
    ("trained_usnn", USNN, "TR"),
    ("trained_usnn", USNN, "SR"),
    ("trained_usnn", {**USNN, "w": "UQ0.5"}, "RN"),
    ("trained", MINT, "RN"),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[2]}")
def case(request):
    name, formats, rounding = request.param
    return request.getfixturevalue(name), formats, rounding


def test_post_training_quantization_is_the_float_model_in_other_formats(case, tmp_path):
    run, formats, rounding = case
    chosen, out, source = setting(formats, rounding), RunFolder(tmp_path / "q"), RunFolder(run)
    result = quantize_run(run, out, chosen)
    assert result["accuracy"]["float"] == source.result()["accuracy"]["float"]
    assert same(parameters(out.float_model), parameters(source.float_model))
    (evaluation,) = RunEvaluator(run)([chosen])
    assert result["accuracy"]["trained"] == evaluation.accuracy
    assert out.metrics() == [row for row in source.metrics() if row["phase"] == "float"]
    assert export_run(out, tmp_path / "q.nir", samples=10).verdict.identical


@pytest.mark.parametrize("scratch", [False, True], ids=["finetune", "scratch"])
def test_training_in_low_precision_is_what_exploration_evaluates(case, tmp_path, scratch):
    run, formats, rounding = case
    chosen, out = setting(formats, rounding, "ITQ", scratch), RunFolder(tmp_path / "q")
    result = quantize_run(run, out, chosen)
    (evaluation,) = RunEvaluator(run)([chosen])
    assert result["accuracy"]["trained"] == evaluation.accuracy
    floats = RunFolder(run).result()["accuracy"]["float"]
    assert result["accuracy"]["float"] == (None if scratch else floats)
    phases = [row["phase"] for row in out.metrics()]
    trained = RunFolder(run).recipe().training
    epochs = trained.epochs or trained.float_epochs
    assert phases == ["float"] * (0 if scratch else trained.float_epochs) + ["integer"] * epochs
    assert export_run(out, tmp_path / "q.nir", samples=10).verdict.identical


def test_finetuned_in_the_formats_of_the_run_it_is_the_trained_run(trained, tmp_path):
    out = RunFolder(tmp_path / "q")
    quantize_run(trained, out, setting({"w": "INT4", "U": "INT4"}, scheme="ITQ"))
    source = RunFolder(trained)
    assert same(parameters(out.model), parameters(source.model))
    assert out.result()["accuracy"] == source.result()["accuracy"]
    assert out.metrics() == source.metrics()


def test_epochs_may_be_given(trained_usnn, tmp_path):
    out = RunFolder(tmp_path / "q")
    quantize_run(trained_usnn, out, setting(USNN, scheme="ITQ"), epochs=2)
    assert [row["phase"] for row in out.metrics()] == ["float", "integer", "integer"]
    assert out.recipe().training.epochs == 2


def test_stored_weights_are_on_their_grid(trained_usnn, tmp_path):
    source = RunFolder(trained_usnn)
    table = source.recipe().table()
    table["learner"]["weight_mode"] = "stored"
    stored = RunFolder(tmp_path / "stored")
    train(parse_recipe(table, "test"), stored)
    out = RunFolder(tmp_path / "q")
    quantize_run(stored.path, out, setting(USNN, "SR", "ITQ"))
    codes = parameters(out.model)["w"] * 64
    assert codes.equal(codes.floor())
    assert 0 < out.metrics()[-1]["vanished"] < 1
    assert export_run(out, tmp_path / "q.nir", samples=10).verdict.identical


def test_what_is_not_named_keeps_its_format(trained_usnn, tmp_path):
    out = RunFolder(tmp_path / "q")
    quantize_run(trained_usnn, out, setting({"V": "Q9.2"}))
    before, after = RunFolder(trained_usnn).recipe().table(), out.recipe().table()
    assert after == {**before, "neuron": {**before["neuron"], "V": "Q9.2", "rounding": "RN"}}
    assert str(load_model(out).formats.V) == "Q9.2"
    assert str(load_model(out).formats.w) == "Q1.8"


def test_the_run_it_came_from_is_left_alone(trained_usnn, tmp_path):
    before = {path.name: path.read_bytes() for path in trained_usnn.iterdir() if path.is_file()}
    quantize_run(trained_usnn, RunFolder(tmp_path / "q"), setting(USNN))
    assert {path.name: path.read_bytes() for path in trained_usnn.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("scratch", [False, True], ids=["finetune", "scratch"])
def test_stopped_and_resumed_as_any_run_it_ends_with_the_same_bits(trained_usnn, tmp_path, scratch):
    chosen = setting(USNN, "SR", "ITQ", scratch)
    quantize_run(trained_usnn, RunFolder(tmp_path / "whole"), chosen, epochs=2)
    stopped = RunFolder(tmp_path / "stopped")

    def epoch(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_run(trained_usnn, stopped, chosen, epochs=2, watcher=Watcher(epoch=epoch))
    train(stopped.recipe(), stopped, resume=True)
    for name in ("model.safetensors", "float.safetensors", "metrics.jsonl", "result.json"):
        assert (stopped.path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("scheme", ["PTQ", "ITQ"])
def test_a_folder_that_holds_a_run_is_refused(trained_usnn, tmp_path, scheme):
    out = RunFolder(tmp_path / "q")
    quantize_run(trained_usnn, out, setting(USNN))
    before = out.model.read_bytes()
    message = f"{out.path} already holds a complete run; choose another folder with --out"
    for scratch in (False, True):
        with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
            quantize_run(trained_usnn, out, setting({"w": "Q1.2"}, scheme=scheme, scratch=scratch))
    assert out.model.read_bytes() == before


@pytest.mark.parametrize(
    ("formats", "rounding", "error", "message"),
    [
        ({"x": "Q1.6"}, "RN", UsageError, "quantity 'x' takes no format from a plugin; those that do: w, V, Vth"),
        (
            {"theta": "Q1.6"},
            "RN",
            UsageError,
            "quantity 'theta' takes no format from a plugin; those that do: w, V, Vth",
        ),
        (
            {"w": "INT4"},
            "RN",
            PluginError,
            "quantizer 'qif' cannot give 'w' the format INT4; it takes FP32 and formats like Q1.6 and UQ0.6",
        ),
        (
            {"w": "Q1.6"},
            "TR",
            UsageError,
            "weights have the rounding and overflow TR, saturate, and the neuron's variables RN, saturate; set them"
            " alike in [quantizer] and [neuron]",
        ),
        (
            {"V": "Q5.8"},
            "RN",
            UsageError,
            "rest is -65.0, and V has the format Q5.8, -32.0..31.99609375; give it more integer bits",
        ),
    ],
)
@pytest.mark.parametrize("scheme", ["PTQ", "ITQ"])
def test_formats_that_cannot_be_are_refused_and_leave_no_folder(
    trained_usnn, tmp_path, formats, rounding, error, message, scheme
):
    for scratch in (False, True):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            quantize_run(trained_usnn, RunFolder(tmp_path / "q"), setting(formats, rounding, scheme, scratch))
    assert not (tmp_path / "q").exists()


def test_epochs_are_not_for_post_training_quantization(trained_usnn, tmp_path):
    message = "^epochs is 2, and PTQ trains no more; leave it out, or use ITQ$"
    with pytest.raises(UsageError, match=message):
        quantize_run(trained_usnn, RunFolder(tmp_path / "q"), setting(USNN), epochs=2)


def test_an_incomplete_run_is_refused(trained_usnn, tmp_path):
    run = shutil.copytree(trained_usnn, tmp_path / "run")
    (run / "result.json").unlink()
    message = f"the run in {run} is not complete; continue it with 'spikequant train --resume'"
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        quantize_run(run, RunFolder(tmp_path / "q"), setting(USNN))
    assert not (tmp_path / "q").exists()


def test_a_run_without_a_float_model_is_quantized_in_training_only(trained_usnn, tmp_path):
    table = RunFolder(trained_usnn).recipe().table()
    table["training"] = {"float_epochs": 0, "epochs": 1}
    table["data"].update(train_samples=10, test_samples=10)
    run = RunFolder(tmp_path / "run")
    train(parse_recipe(table, "test"), run)
    message = f"the run in {run.path} trained no float model (training.float_epochs is 0); use ITQ"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        quantize_run(run.path, RunFolder(tmp_path / "p"), setting(USNN))
    assert not (tmp_path / "p").exists()
    result = quantize_run(run.path, RunFolder(tmp_path / "q"), setting(USNN, scheme="ITQ"))
    assert result["accuracy"]["float"] is None
    assert json.loads((tmp_path / "q" / "metrics.jsonl").read_text())["phase"] == "integer"


def test_a_format_given_twice_is_refused():
    formats = (("w", parse_format("Q1.6")), ("V", parse_format("Q9.4")), ("w", parse_format("Q1.4")))
    with pytest.raises(UsageError, match=r"^--format is given twice for 'w'; give it once$"):
        chosen_setting(formats, Rounding.RN, Scheme.PTQ)
    chosen = chosen_setting(formats[:2], Rounding.SR, Scheme.ITQ, scratch=True)
    assert chosen == Setting(Scheme.ITQ, Rounding.SR, formats[:2], True)
