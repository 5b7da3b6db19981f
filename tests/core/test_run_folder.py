"""A run folder holds one run, is trained in by one process, and says what is wrong with it."""

import re
import resource
import subprocess
import sys

import pytest

from spikequant.errors import RunError
from spikequant.runs import RunFolder, parse_recipe

NAMES = {"data": "digits", "network": "mlp", "neuron": "mint-lif", "quantizer": "mint", "learner": "bptt"}
RECIPE = parse_recipe({kind: {"name": name} for kind, name in NAMES.items()}, "test")

RESULT = {"accuracy": {"float": None, "trained": 0.5}, "test_samples": 30, "epochs": 3}


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "deep" / "run")
    made.create(RECIPE)
    return made


def test_the_recipe_comes_back(folder):
    assert folder.recipe() == RECIPE
    assert not folder.complete


def test_an_unfinished_run_is_not_overwritten(folder):
    message = r"^\S+run already holds an unfinished run; continue it with --resume; choose another folder with --out$"
    folder.checkpoint.touch()
    with pytest.raises(RunError, match=message):
        folder.create(RECIPE)


def test_a_run_that_never_finished_an_epoch_is_replaced(folder):
    other = RECIPE.model_copy(update={"timesteps": 7})
    folder.create(other)
    assert folder.recipe() == other


def test_a_complete_run_is_not_overwritten(folder):
    folder.write_result(RESULT, RECIPE)
    with pytest.raises(RunError, match=r"^\S+run already holds a complete run; choose another folder with --out$"):
        folder.create(RECIPE)
    assert folder.result() == RESULT


def test_an_unfinished_run_has_no_result(folder):
    message = r"^the run in \S+run is not complete; continue it with 'spikequant train --resume'$"
    with pytest.raises(RunError, match=message):
        folder.result()


def test_a_folder_that_is_no_run(tmp_path):
    message = r"^\S+ is not a run folder: it holds no recipe.toml; make one with 'spikequant train', or .* import'$"
    with pytest.raises(RunError, match=message):
        RunFolder(tmp_path).recipe()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"^run folder \S+run cannot be made: Not a directory$"):
        RunFolder(tmp_path / "file" / "run").create(RECIPE)


@pytest.mark.parametrize("text", ["{", "[]", '"text"'])
def test_a_damaged_result_is_named(folder, text):
    (folder.path / "result.json").write_text(text)
    with pytest.raises(RunError, match=r"^\S+result.json is damaged: .+$"):
        folder.result()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"accuracy": []}, "'accuracy' is not a table of 'float' and 'trained'"),
        ({"accuracy": {"float": 0.5}}, "'accuracy' is not a table of 'float' and 'trained'"),
        (
            {"accuracy": {"float": 0.5, "trained": None}},
            "accuracy 'trained' is None, no fraction from 0 to 1",
        ),
        ({"accuracy": {"float": "a", "trained": 0.5}}, "accuracy 'float' is 'a', no fraction from 0 to 1"),
        ({"accuracy": {"float": 1.5, "trained": 0.5}}, "accuracy 'float' is 1.5, no fraction from 0 to 1"),
        ({"test_samples": 0}, "'test_samples' is 0, no whole number from 1"),
        ({"epochs": True}, "'epochs' is True, no whole number from 1"),
    ],
)
def test_a_result_of_another_form_is_named(folder, changes, why):
    folder.write_result({**RESULT, **changes}, RECIPE)
    with pytest.raises(RunError, match=rf"^\S+result.json is damaged: {re.escape(why)}$"):
        folder.result()


def test_a_result_without_its_recipe_is_named(folder):
    (folder.path / "result.json").write_text("{}")
    message = r"^\S+result.json does not say by which recipe it was made; train in another folder$"
    with pytest.raises(RunError, match=message):
        folder.result()


@pytest.mark.parametrize("name", [".lock", "recipe.toml", "metrics.jsonl", "result.json", "checkpoint.safetensors"])
def test_a_folder_in_a_files_place_is_named_before_training(tmp_path, name):
    folder = RunFolder(tmp_path)
    (tmp_path / name).mkdir()
    with pytest.raises(RunError, match=rf"^\S+{re.escape(name)} is a folder and must be a file; remove it$"):
        folder.lock()


@pytest.mark.parametrize("content", [b"{", b"\xff"])
def test_damaged_metrics_are_named(folder, content):
    (folder.path / "metrics.jsonl").write_bytes(content)
    with pytest.raises(RunError, match=r"^\S+metrics.jsonl cannot be read: .+$"):
        folder.metrics()


def test_a_full_disk_leaves_the_old_file_and_no_part(folder):
    folder.write_metrics([{"epoch": 1}])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(
            RunError, match=r"^\S+metrics.jsonl cannot be written: File too large; make room and run the command again$"
        ):
            folder.write_metrics([{"epoch": n} for n in range(100)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert folder.metrics() == [{"epoch": 1}]
    assert not list(folder.path.glob("*.part"))


def test_metrics_are_replaced_as_a_whole(folder):
    assert folder.metrics() == []
    folder.write_metrics([{"epoch": 1, "loss": 1 / 3}])
    folder.write_metrics([{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": 0.1}])
    assert folder.metrics() == [{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": 0.1}]
    assert not list(folder.path.glob("*.part"))


def test_one_process_at_a_time(folder):
    """The other one is a real process; the lock ends with it."""
    program = (
        "import sys; from pathlib import Path; from spikequant.runs import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock():\n"
        "    print('locked', flush=True); sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", program, str(folder.path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        message = r"^another process is training in \S+run; wait for it or choose another --out$"
        with pytest.raises(RunError, match=message):
            folder.lock()
        other.kill()
        other.wait()
    with folder.lock():
        pass
