"""``spikequant significance``: which quantity's precision matters most."""

import json
import re
import shutil

import pytest

LEVELS = ("--levels", "w=8,2", "--levels", "V=6,0", "--levels", "Vth=4")


@pytest.fixture
def run(trained_usnn, tmp_path):
    return shutil.copytree(trained_usnn, tmp_path / "run")


def test_a_table_for_each_quantity_and_the_ranking(spikequant, run):
    answer = spikequant("significance", run, *LEVELS, "--roundings", "RN,SR")
    assert answer.code == 0, answer.err
    for name in ("w", "V", "Vth"):
        assert re.search(rf"^{name} alone: accuracy in %, FP32 \d+\.\d\d$", answer.out, re.MULTILINE)
    (line,) = [line for line in answer.out.splitlines() if line.startswith("│ Q1.2")]
    assert re.fullmatch(r"│ Q1.2   │ +\d+\.\d\d │ +\d+\.\d\d │", line)
    ranked = re.search(r"^most significant first: (.*)$", answer.out, re.MULTILINE)[1]
    assert sorted(ranked.split(", ")) == ["V", "Vth", "w"]
    assert answer.out.endswith(f"written: {run / 'significance.json'}\n")
    assert "evaluated" in answer.err


def test_json_has_what_is_kept(spikequant, run):
    found = json.loads(spikequant("significance", run, *LEVELS, "--roundings", "RN", "--json").out)
    kept = json.loads((run / "significance.json").read_text())
    assert list(found) == ["run", "baseline", "ranking", "rows"]
    assert found == {"run": str(run), **{name: kept[name] for name in ("baseline", "ranking", "rows")}}
    assert [(row["quantity"], row["frac_bits"]) for row in found["rows"]] == [
        ("w", 8),
        ("w", 2),
        ("V", 6),
        ("V", 0),
        ("Vth", 4),
    ]


def test_test_samples_may_be_fewer(spikequant, run):
    found = json.loads(
        spikequant("significance", run, "--levels", "w=4", "--test-samples", "7", "--roundings", "TR", "--json").out
    )
    assert all((7 * row["accuracy"]) == pytest.approx(round(7 * row["accuracy"])) for row in found["rows"])
    answer = spikequant("significance", run, "--levels", "w=4", "--roundings", "TR")
    assert answer.code == 2
    assert re.fullmatch(r"error: store \S+ .*\n", answer.err)


def test_the_plot_is_a_file(spikequant, run, tmp_path):
    path = tmp_path / "s.svg"
    answer = spikequant("significance", run, "--levels", "w=4,2", "--plot", path)
    assert answer.code == 0
    assert "w alone" in path.read_text()
    assert answer.out.endswith(f" and {path}\n")


def test_a_mint_net_has_bits_instead_of_fractions(spikequant, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    answer = spikequant("significance", run, "--json")
    rows = json.loads(answer.out)["rows"]
    assert [(row["quantity"], row["format"], row["rounding"]) for row in rows] == [
        (name, fmt, "RN") for name in ("w", "U") for fmt in ("INT8", "INT4", "INT2")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "s.pdf"], r"error: .*s.pdf.*\n"),
        (["--plot", "nowhere/s.svg"], r"error: --plot nowhere/s.svg cannot be written: .*; give another file\n"),
        (["--levels", "x=4"], r"error: .*'x'.*\n"),
        (["--levels", "w="], r"error: .*'?w.*\n"),
        (["--roundings", "UP"], r"error: .*UP.*\n"),
    ],
)
def test_wrong_use_is_one_line_before_anything_runs(spikequant, run, words, message):
    answer = spikequant("significance", run, *words)
    assert answer.code == 2
    assert re.fullmatch(message, answer.err)
    assert not (run / "explore").exists()


def test_an_incomplete_run_is_one_line(spikequant, run):
    (run / "result.json").unlink()
    answer = spikequant("significance", run)
    assert (answer.code, answer.err) == (
        2,
        f"error: the run in {run} is not complete; continue it with 'spikequant train --resume'\n",
    )
