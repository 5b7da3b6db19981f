"""``spikequant calibrate``: Table I as text, as JSON, and as a plot."""

import json
import re
import shutil

import pytest


@pytest.fixture
def run(trained_usnn, tmp_path):
    return shutil.copytree(trained_usnn, tmp_path / "run")


def test_table_1_is_printed_and_kept(spikequant, run):
    answer = spikequant("calibrate", run, "--samples", 10)
    assert (answer.code, answer.err) == (0, "")
    assert "quantities on 10 training samples (Q-SpiNN, Table I)" in answer.out
    for name, *cells in (
        ("w", "variable", "1,920", "Q1.f"),
        ("Vth", "variable", "30", "-52 to", "Q6.f"),
        ("Vreset", "constant", "30", "-65", "Q7.0"),
        ("theta", "constant", "30", "0.05", "Q1.6"),
    ):
        (line,) = [line for line in answer.out.splitlines() if re.match(rf"\W+{name} ", line)]
        assert all(cell in line for cell in cells), line
    assert answer.out.endswith(f"written: {run / 'calibration.json'}\n")
    assert json.loads((run / "calibration.json").read_text())["samples"] == 10


def test_json_has_the_same_rows(spikequant, run):
    answer = spikequant("calibrate", run, "--samples", 10, "--json")
    found = json.loads(answer.out)
    assert list(found) == ["run", "samples", "quantities", "file"]
    assert (found["run"], found["samples"]) == (str(run), 10)
    assert found["file"] == str(run / "calibration.json")
    rows = {row["name"]: row for row in found["quantities"]}
    assert list(rows) == ["w", "V", "Vth", "Vreset", "theta"]
    assert set(rows["V"]) == {"name", "role", "count", "low", "high", "int_bits", "format", "description"}
    assert set(rows["theta"]) == {"name", "role", "count", "value", "int_bits", "format", "description"}
    assert rows["theta"]["value"] == 0.05
    kept = json.loads((run / "calibration.json").read_text())["quantities"]
    assert [{k: v for k, v in row.items() if v is not None} for row in kept] == found["quantities"]


def test_a_chain_of_layers_has_a_table_too(spikequant, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    rows = json.loads(spikequant("calibrate", run, "--json").out)["quantities"]
    assert [(row["name"], row["role"]) for row in rows] == [("w", "variable"), ("U", "variable")]


@pytest.mark.parametrize(("name", "begins"), [("t.svg", b"<?xml"), ("t.png", b"\x89PNG")])
def test_the_plot_is_a_file(spikequant, run, tmp_path, name, begins):
    answer = spikequant("calibrate", run, "--samples", 5, "--plot", tmp_path / name)
    assert answer.code == 0
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert answer.out.endswith(f"written: {run / 'calibration.json'} and {tmp_path / name}\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("t.pdf", r"error: .*t.pdf.*\.svg.*\.png.*\n"),
        ("nowhere/t.svg", r"error: --plot \S+ cannot be written: No such file or directory; give another file\n"),
    ],
)
def test_a_plot_that_cannot_be_is_refused_before_anything_runs(spikequant, run, tmp_path, name, message):
    answer = spikequant("calibrate", run, "--plot", tmp_path / name)
    assert answer.code == 2
    assert re.fullmatch(message, answer.err)
    assert not (run / "calibration.json").exists()


def test_what_cannot_be_calibrated_is_one_line(spikequant, run, tmp_path):
    (run / "result.json").unlink()
    answer = spikequant("calibrate", run)
    assert (answer.code, answer.err) == (
        2,
        f"error: the run in {run} is not complete; continue it with 'spikequant train --resume'\n",
    )
    answer = spikequant("calibrate", tmp_path)
    assert (answer.code, answer.err) == (
        2,
        f"error: {tmp_path} is not a run folder: it holds no recipe.toml; make one with 'spikequant train',"
        " or of a network from elsewhere with 'spikequant import'\n",
    )
    assert spikequant("calibrate", run, "--samples", 0).code == 2
