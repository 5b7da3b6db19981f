from __future__ import annotations

import json
import re
import shutil

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
        (["--device", "meta"], r"error: device 'meta' cannot be used: .*; give --device cpu\n"),
        (["--device", "hpu"], r"error: device 'hpu' cannot be used: .*; give --device cpu\n"),
        (["--device", "mkldnn"], r"error: device 'mkldnn' cannot be used: .*; give --device cpu\n"),
        (["--set", "neuron.v_th=nan"], r"error: recipe .*: 'neuron.v_th': input is nan; give a finite number\n"),
        (["--set", "learner.lr=inf"], r"error: recipe .*: 'learner.lr': input is inf; give a finite number\n"),
        (["--set", "seed=1\nx=2"], r"error: --set 'seed=1\\nx=2' holds a line break .*; give one value in one line\n"),
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


@pytest.mark.parametrize(("option", "value"), [("--threads", 1025), ("--threads", 0), ("--seed", 1 << 63)])
def test_numbers_out_of_range_are_refused(spikequant, recipe, tmp_path, option, value):
    answer = spikequant("train", recipe, "--out", tmp_path / "run", option, value)
    assert answer.code == 2
    assert f"Invalid value for '{option}': {value} is not in the range" in answer.err
    assert not (tmp_path / "run").exists()


def test_training_that_runs_away_is_one_line_and_the_corrected_one_may_follow(spikequant, recipe, tmp_path):
    words = ["train", recipe, "--out", tmp_path / "run", "--set", "data.train_samples=40"]
    answer = spikequant(*words, "--set", "learner.lr=1e38")
    assert answer.code == 2
    assert re.fullmatch(r"error: float epoch 1: .*; lower learner.lr, or raise .* thresholds; .*\n", answer.err)
    assert spikequant(*words).code == 0


@pytest.mark.parametrize("words", [["train", "--resume", "--out"], ["export"]])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "does not say by which recipe it was made; train in another folder"),
        ("[]", "is damaged: it does not hold a table"),
    ],
)
def test_a_malformed_result_is_one_line(spikequant, trained, tmp_path, words, content, message):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text(content)
    answer = spikequant(*words, tmp_path / "run")
    assert (answer.code, answer.err) == (2, f"error: {tmp_path / 'run' / 'result.json'} {message}\n")


def test_an_edited_recipe_is_refused_by_every_command(spikequant, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    path = run / "recipe.toml"
    path.write_text(path.read_text().replace("bits = 4", "bits = 3"))
    message = rf"error: {path} was changed since result.json was made: 'quantizer.bits'; change it back, .*\n"
    for words in (
        ["export", run],
        ["train", "--resume", "--out", run],
        ["verify", run / "model.nir", "--trained", run],
    ):
        answer = spikequant(*words)
        assert answer.code == 2
        assert re.fullmatch(message, answer.err)


def test_a_folders_name_is_printed_as_it_is(spikequant, trained, tmp_path):
    """Brackets and colons are no markup."""
    run = tmp_path / "[" / "b]:smile:"
    shutil.copytree(trained, run)
    answer = spikequant("export", run)
    assert answer.code == 0
    assert answer.out.endswith(f"written: {run / 'model.nir'}\n")


def test_float_ends_train_for_comparison_and_are_not_exported(spikequant, recipe, tmp_path):
    changes = ("--set", "training.ends=float", "--set", "network.hidden=[24,24]")
    answer = spikequant("train", recipe, "--out", tmp_path / "run", *changes, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["accuracy"]["trained"] > 0.3
    assert spikequant("train", "--resume", "--out", tmp_path / "run").code == 0
    answer = spikequant("export", tmp_path / "run")
    assert answer.code == 2
    assert re.fullmatch(r"error: the first and last layer of .*run are floats \(training.ends\); .*\n", answer.err)
    assert not (tmp_path / "run" / "model.nir").exists()
