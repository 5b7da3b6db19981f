"""``spikequant import``: files of other tools become run folders and programs that every later command takes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from spikequant import import_run
from spikequant.model import accuracy
from spikequant.nir_profile import read_program
from spikequant.runs import RunFolder, load_data, load_model

WARNING = "warning: dt is not said; 0.001 s is taken, give another with --dt\n"
DIGITS = ("--data", "digits", "--timesteps", 2, "--set", "data.test_samples=60", "--set", "data.train_samples=40")


@pytest.fixture
def imported(spikequant, toy, tmp_path):
    answer = spikequant("import", toy, "--out", tmp_path / "run", *DIGITS, "--json")
    assert answer.code == 0, answer.err
    return tmp_path / "run", answer


def test_a_model_in_floats_becomes_a_complete_run(imported, toy):
    run, answer = imported
    assert answer.err == WARNING
    said, folder = json.loads(answer.out), RunFolder(run)
    assert said["findings"][0]["level"] == "assumed"
    assert (said["importer"], said["run"], said["file"]) == ("acme", str(run), str(toy))
    assert said["accuracy"] == folder.result()["accuracy"]
    assert folder.metrics() == [{"phase": "float", "epoch": 1, "imported": "net.toy"}]
    recipe = folder.recipe()
    assert (recipe.learner.name, recipe.training.float_epochs, recipe.training.epochs) == ("acme-still", 1, 0)
    assert recipe.network.options == {"hidden": 12, "source": "net.toy"}
    assert not list(run.parent.glob(".run*"))


def test_the_run_holds_the_files_own_weights_and_their_accuracy(imported, toy):
    run, answer = imported
    model = load_model(RunFolder(run), precision="float")
    with np.load(toy) as archive:
        names = [name for name in model.state_dict() if name.endswith("weight")]
        for name, key in zip(names, ("first", "second"), strict=True):
            assert np.array_equal(model.state_dict()[name].numpy(), archive[key].astype(np.float32))
    _, test = load_data(RunFolder(run).recipe(), None)
    assert accuracy(model, test) == json.loads(answer.out)["accuracy"]["float"]


@pytest.mark.parametrize(
    "words",
    [
        ("calibrate", "RUN", "--samples", 10),
        ("quantize", "RUN", "--out", "OTHER", "--format", "w=INT4"),
        ("export", "RUN", "--samples", 5),
        ("explore", "RUN", "--levels", "w=INT8,INT2", "--levels", "U=INT8", "--test-samples", 10, "--target", 100),
        ("drift", "RUN", "--samples", 5),
    ],
    ids=lambda words: words[0],
)
def test_every_later_command_works_on_it(spikequant, imported, tmp_path, words):
    places = {"RUN": imported[0], "OTHER": tmp_path / "other"}
    answer = spikequant(*(places.get(word, word) for word in words))
    assert answer.code == 0, answer.err


def test_what_it_exports_is_verified(spikequant, imported):
    assert spikequant("export", imported[0], "--samples", 5).code == 0
    assert spikequant("verify", imported[0] / "model.nir", "--samples", 5, "--backend", "reference").code == 0


def test_options_reach_the_importer_and_changes_the_recipe(spikequant, toy, tmp_path):
    words = ("--dt", 0.002, "--repair", "--option", "gain=2", "--set", "quantizer.bits=4", "--set", "timesteps=3")
    answer = spikequant("import", toy, "--out", tmp_path / "run", "--data", "digits", *words)
    assert answer.code == 0, answer.err
    assert answer.err == "repaired: node 'first': nothing to mend\n"
    assert answer.out.splitlines()[-1] == f"written: {tmp_path / 'run'}"
    recipe = RunFolder(tmp_path / "run").recipe()
    assert (recipe.quantizer.options["bits"], recipe.timesteps) == (4, 3)
    model = load_model(RunFolder(tmp_path / "run"), precision="float")
    with np.load(toy) as archive:
        (first, *_) = [value for name, value in model.state_dict().items() if name.endswith("weight")]
        assert np.array_equal(first.numpy(), (archive["first"] * 2).astype(np.float32))


def test_folders_above_the_run_are_made(spikequant, toy, tmp_path):
    answer = spikequant("import", toy, "--out", tmp_path / "new" / "runs" / "toy", *DIGITS)
    assert answer.code == 0, answer.err
    assert RunFolder(tmp_path / "new" / "runs" / "toy").complete


def test_another_quantizer_is_not_given_the_options_of_the_importers_own(spikequant, toy, tmp_path):
    words = ("--set", "quantizer.name=qif", "--set", "quantizer.format=Q2.5")
    answer = spikequant("import", toy, "--out", tmp_path / "run", *DIGITS, *words)
    assert answer.code == 0, answer.err
    recipe = RunFolder(tmp_path / "run").recipe()
    assert (recipe.quantizer.name, recipe.quantizer.options) == ("qif", {"format": "Q2.5"})
    assert recipe.neuron.options == {"bits": 8}


def test_more_epochs_train_on_from_the_import(spikequant, toy, tmp_path):
    words = ("--learner", "bptt", "--set", "training.float_epochs=2", "--set", "training.epochs=1")
    answer = spikequant("import", toy, "--out", tmp_path / "run", *DIGITS, *words)
    assert answer.code == 0, answer.err
    rows = RunFolder(tmp_path / "run").metrics()
    assert [(row["phase"], row["epoch"]) for row in rows] == [("float", 1), ("float", 2), ("integer", 1)]


def test_an_integer_program_becomes_a_nir_file(spikequant, whole, tmp_path):
    words = ("--data", "digits", "--timesteps", 5)
    answer = spikequant("import", whole, "--out", tmp_path / "m.nir", *words)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"3 nodes, 5 timesteps\nwritten: {tmp_path / 'm.nir'}\n"
    program = read_program(tmp_path / "m.nir")
    assert (program.timesteps, program.provenance["data"]) == (5, "digits")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["TOY", "--out", "RUN"], "TOY is a model in floats, which is calibrated and tested on data; name a set with"
         " --data"),
        (["TOY", "--out", "RUN", "--data", "digits"], "data set 'digits' does not say how many timesteps a sample has;"
         " give a number with --timesteps"),
        (["TOY", "--out", "NIR", "--data", "digits"], "TOY is a model in floats, which becomes a run folder; give --out"
         " a folder, then 'spikequant export' it"),
        (["TOY", "--out", "FULL", *DIGITS], "FULL exists and is no empty folder; delete it or give another"),
        (["TOY", "--out", "RUN", *DIGITS, "--option", "x=1"], "importer 'acme' has no option 'x'; its options are: dt,"
         " reset, gain, repair"),
        (["TOY", "--out", "RUN", *DIGITS, "--reset-delay", "1"], "importer 'acme' has no option 'reset_delay'; its"
         " options are: dt, reset, gain, repair"),
        (["TOY", "--out", "RUN", *DIGITS, "--dt", "1", "--option", "dt=1"], "'dt' is given by --dt and by --option;"
         " give it once"),
        (["TOY", "--out", "RUN", *DIGITS, "--learner", "stdp"], "learner 'stdp' trains network 'diehl-cook' only, and"
         " was given 'acme-toy'; set network.name to 'diehl-cook', or choose another learner"),
        (["TOY", "--out", "RUN", *DIGITS, "--set", "training.float_epochs=0", "--set", "training.epochs=1"],
         "training.float_epochs is 0; the import counts as the first epoch in floats, so give 1 or more"),
        (["WHOLE", "--out", "RUN"], "WHOLE holds an integer program; give --out a file name that ends in .nir, not"
         " RUN"),
        (["WHOLE", "--out", "WHOLE"], "WHOLE holds an integer program; give --out a file name that ends in .nir, not"
         " WHOLE"),
        (["WHOLE", "--out", "NIR", "--learner", "bptt"], "WHOLE holds an integer program, which has no recipe; leave"
         " out --set and --learner"),
        (["WHOLE", "--out", "NIR", "--importer", "none"], "importer 'none' is not installed; known: "),
        (["OTHER", "--out", "RUN"], "OTHER: no importer takes files '.other'; installed: "),
        (["MISSING", "--out", "RUN"], "MISSING: there is no such file"),
        (["TEXT", "--out", "RUN"], "TEXT: it is no archive; write it again"),
        (["BUG", "--out", "RUN"], "importer 'acme' failed on BUG (KeyError: 'nothing'); the file may be damaged; if it"
         " is not, report this to who made the importer"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line_and_leaves_nothing(spikequant, toy, whole, tmp_path, words, message):
    places = {
        "TOY": toy,
        "WHOLE": whole,
        "RUN": tmp_path / "run",
        "NIR": tmp_path / "m.nir",
        "FULL": tmp_path / "full",
        "OTHER": tmp_path / "a.other",
        "MISSING": tmp_path / "missing.toy",
        "TEXT": tmp_path / "text.toy",
        "BUG": tmp_path / "bug.toy",
    }
    for name, content in (("OTHER", "x"), ("TEXT", "text"), ("BUG", "bug")):
        places[name].write_text(content)
    (places["FULL"] / "inside").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    answer = spikequant("import", *(places.get(word, word) for word in words))
    for name, place in places.items():
        message = message.replace(name, str(place))
    assert (answer.code, answer.out) == (2, "")
    last = answer.err.splitlines()[-1]
    assert last.startswith(f"error: {message}")
    assert last == f"error: {message}" or "installed" in message
    assert sorted(tmp_path.rglob("*")) == before


def test_two_importers_that_claim_a_file_are_named_and_one_can_be_chosen(spikequant, toy, rival, tmp_path):
    words = ("import", toy, "--out", tmp_path / "run", *DIGITS)
    answer = spikequant(*words)
    assert answer.err == (
        f"error: {toy} is claimed by importer 'acme' (acme 1) and by 'rival' (rival 1); choose one with --importer\n"
    )
    wrong = spikequant(*words, "--importer", "rival")
    assert wrong.err == f"error: importer 'rival' returned a NoneType for {toy}; it must be Imported\n"
    assert spikequant(*words, "--importer", "acme").code == 0


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError("disk")])
def test_a_stop_or_a_failure_leaves_no_folder_that_blocks_a_new_try(spikequant, toy, tmp_path, monkeypatch, fault):
    real = import_run.train
    words = ("import", toy, "--out", tmp_path / "run", *DIGITS)

    def stopping(*_, **__):
        raise fault

    monkeypatch.setattr(import_run, "train", stopping)
    answer = spikequant(*words)
    assert answer.code == (130 if fault is KeyboardInterrupt else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["net.toy"]
    monkeypatch.setattr(import_run, "train", real)
    (tmp_path / "run").mkdir()
    assert spikequant(*words).code == 0
    shutil.rmtree(tmp_path / "run")
