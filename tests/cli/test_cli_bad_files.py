"""A file that is not a sound model gives one clear line, exit code 2, and nothing is written."""

from __future__ import annotations

import shutil

import h5py
import nir
import numpy as np
import pytest


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
