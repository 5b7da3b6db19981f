"""A file that is not a sound model gives one clear line, exit code 2, and nothing is written."""

from __future__ import annotations

import json
import resource
import shutil

import click
import h5py
import nir
import numpy as np
import pytest

from spikequant.cli import main, run
from spikequant.trace import Trace


def _missing(path, _):
    path.unlink()


def _text(path, _):
    path.write_text("this is no HDF5")


def _truncated(path, model):
    data = model.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _other_code(path, _):
    with h5py.File(path, "r+") as file:
        file["node/nodes/fc1/weight"][0, 0] += 1


def _other_threshold(path, _):
    with h5py.File(path, "r+") as file:
        file["node/nodes/lif1/v_threshold"][3] += 1


def _unknown_node(path, _):
    with h5py.File(path, "r+") as file:
        del file["node/nodes/lif1/type"]
        file["node/nodes/lif1/type"] = "Teapot"


def _hostile_name(path, _):
    weight = np.ones((2, 2), np.float32)
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array([2])}),
            "../x;y": nir.Linear(weight),
            "output": nir.Output({"output": np.array([2])}),
        },
        edges=[("input", "../x;y"), ("../x;y", "output")],
    )
    nir.write(path, graph)


def _no_profile(path, _):
    graph = nir.NIRGraph(
        nodes={"input": nir.Input({"input": np.array([2])}), "output": nir.Output({"output": np.array([2])})},
        edges=[("input", "output")],
    )
    nir.write(path, graph)


FAULTS = [_missing, _text, _truncated, _other_code, _other_threshold, _unknown_node, _hostile_name, _no_profile]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.strip("_"))
@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_faulty_model_is_one_line_and_exit_2(spikequant, trained, tmp_path, fault, command):
    path = tmp_path / "model.nir"
    shutil.copy(trained / "model.nir", path)
    fault(path, trained / "model.nir")
    before = sorted(tmp_path.iterdir())
    words = ["--trace", tmp_path / "t.npz"] if command == "run" else []
    answer = spikequant(command, path, *words)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_of_something_that_is_no_run_writes_nothing(spikequant, tmp_path):
    answer = spikequant("export", tmp_path / "nothing", "--out", tmp_path / "m.nir")
    assert answer.code == 2
    assert answer.err.startswith(f"error: {tmp_path / 'nothing'} is not a run folder")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_that_is_none_is_refused(spikequant, tmp_path):
    (tmp_path / "a.npz").write_text("no")
    answer = spikequant("verify", tmp_path / "a.npz", tmp_path / "a.npz")
    assert answer.code == 2
    assert answer.err.startswith(f"error: {tmp_path / 'a.npz'} is not a trace")


@pytest.mark.parametrize("option", ["--trace", "--counts"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere/x", "No such file or directory"),
        ("file/x", "Not a directory"),
        ("folder", "Is a directory"),
        ("x" * 253, "File name too long"),
    ],
)
def test_what_cannot_be_written_is_named_before_anything_runs(
    spikequant, trained, tmp_path, monkeypatch, option, name, why
):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(run, "make_backend", lambda *_: pytest.fail("it was run"))
    answer = spikequant("run", trained / "model.nir", option, tmp_path / name)
    assert answer.code == 2
    assert answer.err == f"error: {option} {tmp_path / name} cannot be written: {why}; give another file\n"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", ["--trace", "--counts"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(trained, tmp_path, option):
    (tmp_path / "old").write_text("old")
    said = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.MonkeyPatch.context() as patch:  # captured output goes to a file, which is as limited
            patch.setattr(click, "echo", lambda text, **_: said.append(text))
            with pytest.raises(SystemExit, match=r"^2$"):
                main(["run", str(trained / "model.nir"), "--samples", "20", option, str(tmp_path / "old")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(said) == 1
    assert "cannot be written: File too large; give another file" in said[0]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


def test_trace_and_counts_need_a_file_each(spikequant, trained, tmp_path):
    answer = spikequant("run", trained / "model.nir", "--trace", tmp_path / "a", "--counts", tmp_path / "a")
    assert answer.code == 2
    assert answer.err == f"error: --trace and --counts both name {tmp_path / 'a'}; give each a file of its own\n"


def test_a_file_of_another_kind_is_no_trace(spikequant, trained):
    answer = spikequant("verify", trained / "model.nir", trained / "model.nir")
    assert answer.code == 2
    assert answer.err == (
        f"error: {trained / 'model.nir'} is not a trace: it is damaged, or no .npz archive of arrays;"
        " write one with 'spikequant run --trace'\n"
    )


def test_two_empty_traces_are_not_identical(spikequant, tmp_path):
    Trace().save(tmp_path / "empty.npz")
    answer = spikequant("verify", tmp_path / "empty.npz", tmp_path / "empty.npz")
    assert answer.code == 2
    assert answer.err.startswith("error: the traces hold no spike, potential or output, so nothing was compared")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.update(nodes=[]), "'nodes' is not a table of nodes"),
        (lambda data: data.update(samples=float("nan")), "samples: nan is not a whole number from 0 to 2**63-1"),
        (
            lambda data: data["nodes"]["lif1"]["operations"][0].update(bits=-8),
            "node 'lif1', bits: -8 is not a whole number from 0 to 2**63-1",
        ),
        (
            lambda data: data["nodes"]["lif1"]["operations"][0].update(count=float("nan")),
            "node 'lif1', count: nan is not a whole number from 0 to 2**63-1",
        ),
    ],
)
def test_counts_that_are_none_are_refused(spikequant, trained, tmp_path, change, why):
    path = tmp_path / "counts.json"
    assert spikequant("run", trained / "model.nir", "--samples", 2, "--counts", path).code == 0
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    answer = spikequant("energy", trained / "model.nir", "--counts", path)
    assert answer.code == 2
    assert answer.err == f"error: {path} holds no counts: {why}; write them with 'spikequant run --counts'\n"
