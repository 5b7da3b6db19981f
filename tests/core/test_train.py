"""A training run can be stopped at any moment and resumed; it ends with the same bits."""

import json
import math
import re
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from spikequant import network
from spikequant.errors import PluginError, RunError, UsageError
from spikequant.model import accuracy
from spikequant.model import model as model_module
from spikequant.runs import RunFolder, Watcher, load_data, load_model, parse_recipe, train
from spikequant.runs.checkpoint import load_checkpoint, save_checkpoint
from spikequant.runs.export import export_run
from spikequant_bptt.learner import Bptt

FLOAT_EPOCHS, EPOCHS = 2, 3
ENDS = ("model.safetensors", "float.safetensors", "metrics.jsonl", "result.json", "checkpoint.safetensors")


def recipe(**changes):
    table = {
        "timesteps": 2,
        "data": {"name": "digits", "train_samples": 60, "test_samples": 30},
        "network": {"name": "cnn", "channels": [4], "strides": [2]},
        "neuron": {"name": "mint-lif"},
        "quantizer": {"name": "mint", "bits": 4},
        "learner": {"name": "bptt", "lr": 1e-2, "batch_size": 20, "shift": 1},
        "training": {"float_epochs": FLOAT_EPOCHS, "epochs": EPOCHS},
    }
    return parse_recipe({**table, **changes}, "test")


def ends(folder):
    return {name: (folder.path / name).read_bytes() for name in ENDS}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run that was never stopped."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "straight")
    train(recipe(), folder)
    return folder


def test_a_run_reports_every_epoch_and_its_accuracies(straight):
    rows = straight.metrics()
    assert [(row["phase"], row["epoch"]) for row in rows] == [
        *(("float", n + 1) for n in range(FLOAT_EPOCHS)),
        *(("integer", n + 1) for n in range(EPOCHS)),
    ]
    result = straight.result()
    assert result["accuracy"]["float"] == rows[FLOAT_EPOCHS - 1]["test_accuracy"]
    assert result["accuracy"]["trained"] == rows[-1]["test_accuracy"]
    assert (result["test_samples"], result["epochs"]) == (30, len(rows))


def test_the_same_recipe_gives_the_same_bits(straight, tmp_path):
    again = RunFolder(tmp_path / "again")
    train(recipe(), again)
    assert ends(again) == ends(straight)


def test_another_seed_gives_another_model(straight, tmp_path):
    other = RunFolder(tmp_path / "other")
    train(recipe(seed=1), other)
    assert other.model.read_bytes() != straight.model.read_bytes()


class Stop:
    """Interrupts a run after a number of epochs, or of batches."""

    def __init__(self, *, epochs=None, batches=None):
        self.epochs, self.batches = epochs, batches

    def watcher(self):
        return Watcher(batch=self._batch, epoch=self._epoch)

    def _epoch(self, row):
        if self.epochs is not None:
            self.epochs -= 1
            if self.epochs == 0:
                raise KeyboardInterrupt

    def _batch(self, *_):
        if self.batches is not None:
            self.batches -= 1
            if self.batches == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize(
    "stop",
    [*({"epochs": n} for n in range(1, FLOAT_EPOCHS + EPOCHS + 1)), {"batches": 1}, {"batches": 5}, {"batches": 8}],
    ids=str,
)
def test_stopped_anywhere_and_resumed_a_run_ends_with_the_same_bits(straight, tmp_path, stop):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), folder, watcher=Stop(**stop).watcher())
    assert not folder.complete
    train(folder.recipe(), folder, resume=True)
    assert ends(folder) == ends(straight)


def test_stopped_again_and_again(straight, tmp_path):
    folder, resume = RunFolder(tmp_path / "run"), False
    for _ in range(FLOAT_EPOCHS + EPOCHS):
        with pytest.raises(KeyboardInterrupt):
            train(recipe(), folder, resume=resume, watcher=Stop(epochs=1).watcher())
        resume = True
    train(recipe(), folder, resume=True)
    assert ends(folder) == ends(straight)


def test_stopped_between_checkpoint_and_metrics_no_row_is_lost(straight, tmp_path, monkeypatch):
    folder, written = RunFolder(tmp_path / "run"), RunFolder.write_metrics

    def stopping(self, rows):
        if len(rows) == FLOAT_EPOCHS + EPOCHS:
            raise KeyboardInterrupt
        written(self, rows)

    monkeypatch.setattr(RunFolder, "write_metrics", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), folder)
    monkeypatch.undo()
    train(recipe(), folder, resume=True)
    assert ends(folder) == ends(straight)


def test_killed_outright_and_resumed_a_run_ends_with_the_same_bits(straight, tmp_path):
    """SIGKILL in the middle of an epoch, as soon as the third checkpoint is there."""
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "recipe.json").write_text(recipe().model_dump_json())
    program = (
        "import json, sys; from pathlib import Path\n"
        "from spikequant.runs import RunFolder, Watcher, parse_recipe, train\n"
        "recipe = parse_recipe(json.loads(Path(sys.argv[1]).read_text()), 'test')\n"
        "def batch(phase, epoch, epochs, done, total):\n"
        "    if (phase, epoch, done) == ('integer', 1, 2):\n"
        "        print('now', flush=True); sys.stdin.read()\n"
        "train(recipe, RunFolder(Path(sys.argv[2])), watcher=Watcher(batch=batch))\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "recipe.json"), str(folder.path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert len(folder.metrics()) == 3
    train(folder.recipe(), folder, resume=True)
    assert ends(folder) == ends(straight)


def test_a_truncated_checkpoint_is_named_and_kept(straight, tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), folder, watcher=Stop(epochs=3).watcher())
    damaged = folder.checkpoint.read_bytes()[:-100]
    folder.checkpoint.write_bytes(damaged)
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be read: .+; train again or restore it$"):
        train(recipe(), folder, resume=True)
    assert folder.checkpoint.read_bytes() == damaged


def test_a_checkpoint_of_another_network_is_named(straight, tmp_path):
    folder = RunFolder(tmp_path / "run")
    other = recipe(network={"name": "cnn", "channels": [6], "strides": [2]})
    folder.create(other)
    folder.checkpoint.write_bytes(straight.checkpoint.read_bytes())
    message = (
        r"^\S+recipe.toml was changed since checkpoint.safetensors was made: 'network.channels';"
        " change it back, or train in another folder$"
    )
    with pytest.raises(RunError, match=message):
        train(other, folder, resume=True)


def test_a_file_of_another_kind_in_the_checkpoints_place_is_named(straight, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(recipe())
    folder.checkpoint.write_bytes(straight.model.read_bytes())
    message = (
        r"^checkpoint \S+ does not belong to this recipe: it holds no state of a training; train in another folder$"
    )
    with pytest.raises(RunError, match=message):
        train(recipe(), folder, resume=True)


def test_two_runs_in_one_folder(straight, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(recipe())
    with folder.lock(), pytest.raises(RunError, match=r"^another process is training in \S+run; .* another --out$"):
        train(recipe(), folder, resume=True)


def test_a_recipe_whose_part_is_missing_makes_no_folder(tmp_path):
    with pytest.raises(PluginError, match=r"^quantizer 'nope' is not installed; known: .+$"):
        train(recipe(quantizer={"name": "nope"}), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_network_beyond_the_memory_is_named_and_makes_no_folder(tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("[enforce fail] can't allocate memory:\nyou tried to allocate 25 TB")

    monkeypatch.setattr(network, "SpikingModel", full)
    message = r"^network 'cnn' cannot be built: .* can't allocate memory: you tried to allocate 25 TB; make it smaller$"
    with pytest.raises(UsageError, match=message):
        train(recipe(), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_without_float_epochs_there_is_no_float_accuracy(tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train(recipe(training={"float_epochs": 0, "epochs": 1}), folder)
    assert result["accuracy"]["float"] is None
    assert [row["phase"] for row in folder.metrics()] == ["integer"]


def test_models_come_back_in_both_precisions(straight):
    _, test = load_data(straight.recipe(), None)
    for precision, name in (("float", "float"), ("integer", "trained")):
        model = load_model(straight, precision=precision)
        assert (model.precision, model.training) == (precision, False)
        assert accuracy(model, test) == straight.result()["accuracy"][name]


def test_accuracy_does_not_depend_on_the_batch_and_leaves_the_mode(straight, monkeypatch):
    _, test = load_data(straight.recipe(), None)
    model = load_model(straight).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert accuracy(model, test) == straight.result()["accuracy"]["trained"]
    monkeypatch.setattr(model_module, "BATCH", 7)
    assert accuracy(model, test) == straight.result()["accuracy"]["trained"]
    assert model.training
    assert all((before[name] == value).all() for name, value in model.state_dict().items())


def test_a_model_of_another_network_is_named(straight, tmp_path):
    folder, other = RunFolder(tmp_path / "run"), recipe(network={"name": "mlp", "hidden": [4]})
    folder.create(other)
    folder.write_result(straight.result(), other)
    folder.model.write_bytes(straight.model.read_bytes())
    message = (
        r"^\S+recipe.toml was changed since model.safetensors was made:"
        r" 'network.name', 'network.channels', 'network.strides', 'network.hidden'; .*$"
    )
    with pytest.raises(RunError, match=message):
        load_model(folder)


def test_parameters_of_another_shape_are_named_in_one_line(straight, tmp_path):
    folder = copied(straight, tmp_path)
    saved = load_checkpoint(folder.model)
    name = next(name for name, value in saved["model"].items() if value.dim() > 1)
    saved["model"][name] = saved["model"][name][:1]
    save_checkpoint(folder.model, saved)
    message = (
        rf"^checkpoint \S+ does not belong to this recipe: parameter '{re.escape(name)}' has shape \(1, .*\),"
        r" and the recipe needs \(\d+, .*\); train in another folder$"
    )
    with pytest.raises(RunError, match=message):
        load_model(folder)
    del saved["model"][name]
    save_checkpoint(folder.model, saved)
    with pytest.raises(RunError, match=rf"^checkpoint \S+ .*: parameter '{re.escape(name)}' is missing; .*$"):
        load_model(folder)


def copied(straight, tmp_path):
    shutil.copytree(straight.path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("timesteps = 2", "timesteps = 3", "timesteps"),
        ("seed = 0", "seed = 1", "seed"),
        ("bits = 4", "bits = 3", "quantizer.bits"),
        ("lr = 0.01", "lr = 0.02", "learner.lr"),
        ("[neuron]", "[neuron]\nv_th = 0.5", "neuron.v_th"),
        ("epochs = 3", "epochs = 4", "training.epochs"),
    ],
)
def test_a_recipe_that_was_edited_is_refused_everywhere(straight, tmp_path, before, after, key):
    folder = copied(straight, tmp_path)
    path = folder.path / "recipe.toml"
    text = path.read_text()
    assert text.count(f"\n{before}\n") + text.startswith(f"{before}\n") == 1
    path.write_text(f"\n{text}".replace(f"\n{before}\n", f"\n{after}\n"))
    for read in (folder.result, lambda: load_model(folder), lambda: export_run(folder, tmp_path / "m.nir")):
        with pytest.raises(RunError, match=rf"^\S+ was changed since \S+ was made: '{re.escape(key)}'; .*$"):
            read()
    (folder.path / "result.json").unlink()
    with pytest.raises(RunError, match=rf"^\S+ was changed since checkpoint\S+ was made: '{re.escape(key)}'; .*$"):
        train(folder.recipe(), folder, resume=True)
    assert not (tmp_path / "m.nir").exists()


def test_a_model_of_another_run_is_refused_though_its_parameters_fit(straight, tmp_path):
    folder = copied(straight, tmp_path)
    other = RunFolder(tmp_path / "other")
    train(recipe(seed=1), other)
    folder.model.write_bytes(other.model.read_bytes())
    with pytest.raises(RunError, match=r"^\S+ was changed since model.safetensors was made: 'seed'; .*$"):
        load_model(folder)


def test_training_that_runs_away_is_named_and_leaves_nothing_in_the_way(tmp_path):
    folder = RunFolder(tmp_path / "run")
    message = r"^float epoch 1: (loss|parameter '\S+') .*; lower learner.lr, or raise .* thresholds; nothing .* kept$"
    with pytest.raises(RunError, match=message):
        train(recipe(learner={"name": "bptt", "lr": 1e38}), folder)
    assert not folder.checkpoint.exists()
    train(recipe(training={"float_epochs": 0, "epochs": 1}), folder)
    assert folder.result()["epochs"] == 1


def test_running_away_later_keeps_the_last_sound_checkpoint(tmp_path, monkeypatch):
    folder, original = RunFolder(tmp_path / "run"), Bptt.epoch

    def poisoned(self, model, data, state, number, **options):
        metrics = original(self, model, data, state, number, **options)
        if number == 1:
            next(model.parameters()).data.flatten()[0] = math.nan
        return metrics

    monkeypatch.setattr(Bptt, "epoch", poisoned)
    with pytest.raises(RunError, match=r"^float epoch 2: parameter '\S+' is not finite; .*$"):
        train(recipe(), folder)
    saved = load_checkpoint(folder.checkpoint)
    assert (saved["phase"], saved["done"]) == ("float", 1)
    assert all(bool(value.isfinite().all()) for value in saved["model"].values())


def test_stopped_in_the_first_epoch_it_can_be_resumed_or_begun_anew(straight, tmp_path):
    for name, resume in (("resumed", True), ("anew", False)):
        folder = RunFolder(tmp_path / name)
        with pytest.raises(KeyboardInterrupt):
            train(recipe(), folder, watcher=Stop(batches=2).watcher())
        train(recipe(), folder, resume=resume)
        assert ends(folder) == ends(straight)


def test_a_folder_in_its_first_epoch_is_not_begun_anew_by_another(tmp_path):
    """The lock is taken before the recipe is replaced."""
    folder = RunFolder(tmp_path / "run")
    folder.create(recipe())
    before = (folder.path / "recipe.toml").read_bytes()
    with folder.lock(), pytest.raises(RunError, match=r"^another process is training in \S+run; .*$"):
        train(recipe(seed=7), folder)
    assert (folder.path / "recipe.toml").read_bytes() == before


def test_torch_computes_exactly_while_training_and_is_set_back(tmp_path):
    owners = {"cudnn": torch.backends.cudnn, "matmul": torch.backends.cuda.matmul}

    def settings():
        cudnn = tuple(getattr(owners["cudnn"], name) for name in ("allow_tf32", "deterministic", "benchmark"))
        return (*cudnn, owners["matmul"].allow_tf32, torch.get_num_threads())

    before, seen = settings(), []
    owners["matmul"].allow_tf32 = True
    try:
        train(
            recipe(), RunFolder(tmp_path / "run"), threads=2, watcher=Watcher(epoch=lambda _: seen.append(settings()))
        )
        assert set(seen) == {(False, True, False, False, 2)}
        assert settings() == (*before[:3], True, before[4])
    finally:
        owners["matmul"].allow_tf32 = before[3]


def test_metrics_are_json_lines(straight):
    lines = (straight.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == load_checkpoint(straight.checkpoint)["rows"]
