from __future__ import annotations

import json
import re

import pytest


@pytest.fixture
def recipe(trained):
    return trained.parent / "small.toml"


def test_a_run_folder_holds_recipe_metrics_checkpoints_and_result_and_no_pickle(trained):
    names = {path.name for path in trained.iterdir()} - {".lock"}
    assert names == {
        "recipe.toml",
        "metrics.jsonl",
        "checkpoint.safetensors",
        "float.safetensors",
        "model.safetensors",
        "model.nir",
        "result.json",
    }
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["epoch"]) for row in rows] == [("float", 1), ("integer", 1), ("integer", 2)]


def test_training_prints_the_accuracies_and_json_holds_the_same(spikequant, recipe, tmp_path, trained):
    answer = spikequant("train", recipe, "--out", tmp_path / "run", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["accuracy"] == json.loads((trained / "result.json").read_text())["accuracy"]
    assert "integer epoch   2" in answer.err


def test_a_second_training_in_the_same_folder_is_refused(spikequant, recipe, trained):
    answer = spikequant("train", recipe, "--out", trained)
    assert answer.code == 2
    assert re.fullmatch(r"error: .*run already holds a complete run; choose another folder with --out\n", answer.err)


def test_resuming_a_complete_run_changes_nothing(spikequant, trained):
    before = (trained / "model.safetensors").read_bytes()
    answer = spikequant("train", "--resume", "--out", trained)
    assert answer.code == 0
    assert "complete already" in answer.err
    assert (trained / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--set", "quantizer.bits"],
            r"error: --set 'quantizer.bits' is not of the form table.key=value, such as .*\n",
        ),
        (["--set", "quantizer.name=nope"], r"error: quantizer 'nope' is not installed; known: .*mint.*\n"),
        (
            ["--set", "quantizer.width=3"],
            r"error: quantizer 'mint' has no option 'width'; its options are: bits, init\n",
        ),
        (["--set", "quantizer.bits=1"], r"error: quantizer 'mint' refuses its options: .* between 2 and 16\n"),
        (["--set", "colour=1"], r"error: recipe .*small.toml: 'colour': extra inputs are not permitted\n"),
        (["--set", "timesteps=0"], r"error: recipe .*: 'timesteps': input should be greater than or equal to 1\n"),
        (["--device", "nonsense"], r"error: device 'nonsense' cannot be used: .*; give --device cpu\n"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2_and_leaves_no_run(spikequant, recipe, tmp_path, words, message):
    answer = spikequant("train", recipe, "--out", tmp_path / "run", *words)
    assert answer.code == 2
    assert re.fullmatch(message, answer.err)
    assert not (tmp_path / "run").exists()


def test_without_a_recipe_the_shipped_ones_are_named(spikequant, tmp_path):
    answer = spikequant("train", "--out", tmp_path / "run")
    assert answer.code == 2
    assert re.fullmatch(r"error: give a recipe: a TOML file or one of: .*digits-w4u4.*\n", answer.err)


def test_a_missing_data_set_says_how_to_get_it(spikequant, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEQUANT_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    answer = spikequant("train", recipe, "--out", tmp_path / "run", "--set", "data.name=mnist")
    assert answer.code == 2
    assert "spikequant fetch mnist" in answer.err
