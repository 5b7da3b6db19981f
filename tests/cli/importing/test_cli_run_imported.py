"""``spikequant run`` on what an importer reads: floats on data or on given arrays, programs on a backend."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spikequant import FloatTrace
from spikequant.data_folders import data_folders
from spikequant.runs.build import make_dataset
from spikequant.trace import Trace

WARNING = "warning: dt is not said; 0.001 s is taken, give another with --dt\n"
DIGITS = ("--data", "digits", "--timesteps", 2, "--samples", 30)


def digits(count):
    split = make_dataset("digits").load("test", data_folders(None)).head(count)
    return split.x / 16.0, split.y


def by_hand(toy, x, steps):
    """The toy's equations, written down again: hidden spikes, potentials after reset, outputs."""
    with np.load(toy) as archive:
        first, second = archive["first"].astype(np.float32), archive["second"].astype(np.float32)
    v, found = np.zeros((len(x), 12)), []
    for _ in range(steps):
        v = v + x.reshape(len(x), -1).astype(np.float32) @ first.T
        s = v > 1
        v = np.where(s, 0, v)
        found.append((s, v, s @ second.T))
    return [np.stack(arrays) for arrays in zip(*found, strict=True)]


def test_floats_on_a_data_set_give_an_accuracy(spikequant, toy, tmp_path):
    words = ("run", toy, *DIGITS, "--dt", 0.001)
    answer = spikequant(*words, "--json", "--trace", tmp_path / "t.npz")
    assert (answer.code, answer.err) == (0, "")
    said = json.loads(answer.out)
    assert (said["data"], said["samples"], said["timesteps"], said["importer"]) == ("digits", 30, 2, "acme")
    assert said["accuracy"] == said["correct"] / 30
    shown = spikequant(*words)
    assert shown.out == (f"in floats: accuracy {100 * said['accuracy']:.2f} % ({said['correct']} of 30), 2 timesteps\n")
    trace = FloatTrace.load(tmp_path / "t.npz")
    spikes, potentials, outputs = by_hand(toy, digits(30)[0], 2)
    assert np.array_equal(trace.spikes["hidden"], spikes)
    assert np.allclose(trace.potentials["hidden"], potentials, atol=1e-5)  # float32 sums of 64 terms
    assert np.allclose(trace.outputs["out"], outputs, atol=1e-5)


def test_the_accuracy_is_that_of_the_imported_run(spikequant, toy, tmp_path):
    changes = ("--set", "data.test_samples=30", "--set", "quantizer.bits=4")
    whole = spikequant("import", toy, "--out", tmp_path / "run", *DIGITS[:4], *changes, "--json")
    alone = spikequant("run", toy, *DIGITS[:4], *changes, "--samples", 30, "--json")
    assert json.loads(alone.out)["accuracy"] == json.loads(whole.out)["accuracy"]["float"]


def test_floats_on_arrays(spikequant, toy, tmp_path):
    x, _ = digits(3)
    np.save(tmp_path / "x.npy", np.broadcast_to(x.reshape(1, 3, 64), (4, 3, 64)))
    words = ("run", toy, "--input", tmp_path / "x.npy", "--trace", tmp_path / "t.npz", "--batch", 2)
    answer = spikequant(*words, "--json")
    assert (answer.code, answer.err) == (0, WARNING)
    said = json.loads(answer.out)
    spikes, _, outputs = by_hand(toy, x, 4)
    assert (said["timesteps"], said["samples"]) == (4, 3)
    assert said["layers"] == {"hidden": {"spikes": int(spikes.sum()), "rate": spikes.mean()}}
    assert said["outputs"]["out"]["class"] == outputs.sum(0).argmax(-1).tolist()
    assert np.allclose(said["outputs"]["out"]["sum"], outputs.sum(0), atol=1e-4)
    assert np.array_equal(FloatTrace.load(tmp_path / "t.npz").spikes["hidden"], spikes)
    shown = spikequant(*words).out.splitlines()
    assert shown[0] == "in floats: 3 samples, 4 timesteps"
    assert shown[1] == f"hidden: {spikes.sum()} spikes, {spikes.mean():.6f} per neuron and timestep"
    assert shown[2] == f"out: class {', '.join(map(str, outputs.sum(0).argmax(-1)))}"


def test_a_csv_has_one_row_per_timestep_and_may_be_given_by_name(spikequant, toy, tmp_path):
    x, _ = digits(1)
    rows = "\n".join(",".join(map(str, x.ravel())) for _ in range(3))
    (tmp_path / "x.csv").write_text(",".join(f"p{i}" for i in range(64)) + "\n" + rows + "\n")
    answer = spikequant("run", toy, "--input", f"in={tmp_path / 'x.csv'}", "--json")
    assert json.loads(answer.out)["layers"]["hidden"]["spikes"] == int(by_hand(toy, x, 3)[0].sum())


def test_an_integer_program_runs_on_a_backend_on_arrays(spikequant, whole, tmp_path):
    np.save(tmp_path / "x.npy", np.array([[5.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    words = ("run", whole, "--input", tmp_path / "x.npy", "--trace", tmp_path / "t.npz")
    answer = spikequant(*words, "--json")
    assert (answer.code, answer.out) == (2, "")  # the toy's inputs are spikes
    assert answer.err == "error: input 'in' holds values 0..5; its 1 bits hold 0..1\n"
    np.save(tmp_path / "x.npy", np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    answer = spikequant(*words, "--backend", "reference", "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert (said["samples"], said["accuracy"], said["classes"], said["importer"]) == (1, None, [0], "acme")
    assert Trace.load(tmp_path / "t.npz").outputs["out"].ravel().tolist() == [-1, -1, 1, 0]
    assert spikequant(*words).out.splitlines()[0] == "torch: class 0"
    np.save(tmp_path / "x.npy", np.full((3, 2), 0.5))
    assert spikequant(*words).err == (
        "error: input 'in' holds numbers that are not whole; an integer program takes whole ones\n"
    )


def test_a_program_of_our_own_takes_arrays_too(spikequant, whole, tmp_path):
    spikequant("import", whole, "--out", tmp_path / "m.nir")
    np.save(tmp_path / "x.npy", np.ones((3, 5, 2), np.uint8))
    said = json.loads(spikequant("run", tmp_path / "m.nir", "--input", tmp_path / "x.npy", "--json").out)
    assert (said["samples"], said["classes"]) == (5, [0] * 5)
    np.save(tmp_path / "x.npy", np.ones((4, 5, 2), np.uint8))
    answer = spikequant("run", tmp_path / "m.nir", "--input", tmp_path / "x.npy")
    assert answer.err == "error: input 'in' (per_step) has shape (4, 5, 2); it must be (3, batch, 2)\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "TOY is a model in floats; give it a data set with --data, or arrays with --input in=FILE"),
        (["--input", "X", "--data", "digits"], "--input gives the samples; leave out --data, --samples, --timesteps and"
         " --set"),
        (["--input", "X", "--input", "X"], "input 'in' is given twice; give it once"),
        (["--input", "MISSING"], "--input MISSING cannot be read: No such file or directory; give a .npy or .csv file"),
        (["--input", "X", "--backend", "torch"], "TOY is a model in floats, which runs on no backend; leave out"
         " --backend, or import it"),
        (["--input", "X", "--counts", "C"], "TOY is a model in floats, which runs on no backend; leave out --counts, or"
         " import it"),
        (["--input", "X", "--option", "zero_skip=false"], "importer 'acme' has no option 'zero_skip'; its options"
         " are: dt, gain, repair, reset (a model in floats runs on no backend)"),
        (["--data", "digits"], "data set 'digits' does not say how many timesteps a sample has; give a number with"
         " --timesteps"),
    ],
)  # fmt: skip
def test_wrong_use_of_a_model_in_floats_is_one_line(spikequant, toy, tmp_path, words, message):
    np.save(tmp_path / "x.npy", np.zeros((2, 64)))
    places = {"TOY": toy, "X": tmp_path / "x.npy", "MISSING": tmp_path / "no.npy", "C": tmp_path / "c.json"}
    answer = spikequant("run", toy, "--dt", 0.001, *(places.get(word, word) for word in words))
    for name in ("TOY", "MISSING"):
        message = message.replace(name, str(places[name]))
    assert (answer.code, answer.out, answer.err) == (2, "", f"error: {message}\n")


def test_own_models_take_no_options_of_importers(spikequant, trained, tmp_path):
    own = trained / "model.nir"
    answer = spikequant("run", own, "--reset", "zero")
    assert answer.code == 2
    assert answer.err == (
        f"error: {own} has a quantization profile, which states every rule of its program; leave out --reset, or give"
        " --importer to run its half in floats\n"
    )
    answer = spikequant("import", own, "--out", tmp_path / "run", "--data", "digits")
    assert answer.code == 2
    assert answer.err == (
        f"error: {own} has a quantization profile: it is a program of integers, ready for 'run' and 'verify'; give"
        " --importer nir to import its half in floats\n"
    )
    answer = spikequant("run", trained / "model.nir", "--timesteps", 5)
    assert answer.err == (f"error: {trained / 'model.nir'} was trained with 3 timesteps; leave out --timesteps 5\n")
    answer = spikequant("run", trained / "model.nir", "--set", "a.b=1")
    assert answer.err == (
        f"error: {trained / 'model.nir'} holds an integer program, which has no recipe; leave out --set\n"
    )


def test_a_zero_that_is_given_is_given(spikequant, toy, tmp_path):
    np.save(tmp_path / "in.npy", np.zeros((3, 1, 64), np.float32))
    said = spikequant("run", toy, "--input", tmp_path / "in.npy", "--dt", 0)
    assert "dt is not said" not in said.err
