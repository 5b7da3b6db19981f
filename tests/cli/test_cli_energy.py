"""``spikequant energy``: batches, timesteps, sheets in JSON, a file that ``report`` finds."""

import json
import re
import shutil

import pytest

KINDS = ["savings", "layers", "memory", "widths"]


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def sheet(said, kind, table="sata32"):
    (found,) = [one for one in said["sheets"] if (one["kind"], one["table"]) == (kind, table)]
    return found


def test_a_run_folder_keeps_what_was_found_out(spikequant, run):
    answer = spikequant("energy", run, "--samples", 10)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith(f"\n\nwritten: {run / 'energy.json'}\n")
    kept = json.loads((run / "energy.json").read_text())
    assert json.loads(spikequant("energy", run, "--samples", 10, "--json").out) == kept
    assert [one["kind"] for one in kept["sheets"]] == ["sparsity", *KINDS, *KINDS]
    assert kept["samples"] == 10


def test_a_file_is_saved_only_where_asked(spikequant, run, tmp_path):
    spikequant("energy", run / "model.nir", "--samples", 4)
    assert not (run / "energy.json").exists()
    answer = spikequant("energy", run / "model.nir", "--samples", 4, "--save", tmp_path / "e.json", "--json")
    assert json.loads((tmp_path / "e.json").read_text()) == json.loads(answer.out)


def test_batches_are_those_asked_for(spikequant, trained):
    words = ("energy", trained / "model.nir", "--samples", 4, "--json", "--table", "sata32")
    assert [row[1] for row in sheet(json.loads(spikequant(*words).out), "memory")["rows"]] == [1, 4, 16, 32] * 3
    said = json.loads(spikequant(*words, "--batch-sizes", "2,64,2").out)
    assert [row[1] for row in sheet(said, "memory")["rows"]] == [2, 64] * 3


def test_other_timesteps_are_run(spikequant, trained):
    words = ("energy", trained / "model.nir", "--samples", 20, "--json", "--table", "sata32")
    said = json.loads(spikequant(*words, "--timesteps", "1,3,6").out)
    found = sheet(said, "timesteps")
    names = [column["name"] for column in found["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in found["rows"]]
    assert [row["timesteps"] for row in rows] == [1, 3, 6]
    assert rows[1]["MINT: relative"] == 1.0
    assert rows[0]["MINT"] < rows[1]["MINT"] < rows[2]["MINT"]
    accuracy = json.loads(spikequant("run", trained / "model.nir", "--samples", 20, "--json").out)["accuracy"]
    assert rows[1]["accuracy"] == accuracy


def test_counts_of_a_run_give_the_same_sheets_as_the_run(spikequant, trained, tmp_path):
    spikequant("run", trained / "model.nir", "--samples", 10, "--counts", tmp_path / "c.json")
    ran = spikequant("energy", trained / "model.nir", "--samples", 10, "--json")
    counted = spikequant("energy", trained / "model.nir", "--counts", tmp_path / "c.json", "--json")
    assert json.loads(ran.out) == json.loads(counted.out)


def test_the_paper_stands_beside(spikequant, trained):
    out = spikequant("energy", trained / "model.nir", "--samples", 4, "--timesteps", "2").out
    for figure in ("90 % less computation", "47.9 %", "87.3 %", "Fig. 8 left", "scales up linearly"):
        assert f"  paper: {figure}" in out or re.search(rf"^  paper: .*{re.escape(figure)}", out, re.MULTILINE)


def test_values_that_change_at_each_timestep_are_not_run_for_another_number(spikequant, trained_usnn):
    answer = spikequant("energy", trained_usnn / "model.nir", "--samples", 2, "--timesteps", "10")
    assert answer.code == 2
    assert answer.err == (
        "error: input 'input' takes other values at each of its 50 timesteps (per_step), so it cannot be run for"
        " another number; leave out --timesteps, or give a model with a direct input\n"
    )


def test_an_unsupervised_network_has_its_energy_too(spikequant, trained_usnn):
    answer = spikequant("energy", trained_usnn / "model.nir", "--samples", 2, "--json")
    assert answer.code == 0, answer.err
    assert {one["kind"] for one in json.loads(answer.out)["sheets"]} >= {"layers", "memory", "sparsity"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["RUN/model.nir", "--counts", "c.json", "--timesteps", "2"],
            "error: --timesteps runs the model, and --counts holds a run already; give one of the two\n",
        ),
        (
            ["RUN/model.nir", "--save", "RUN"],
            r"error: --save .*run cannot be written: Is a directory; give another file\n",
        ),
        (["RUN/model.nir", "--table", "nope"], r"error: energy table 'nope' is not known; .*\n"),
        (
            ["RUN/model.nir", "--table", "sata32", "--table", "RUN/t.toml"],
            r"error: two energy tables are called 'sata32'; .*\n",
        ),
        (
            ["RUN/empty"],
            r"error: .*empty holds no model.nir; make one with 'spikequant export .*empty', or give a .nir file\n",
        ),
        (
            ["RUN/model.nir", "--batch-sizes", "1,0"],
            r"(?s).*'1,0' is not a list of whole numbers from 1 such as 1,4,16.*",
        ),
        (
            ["RUN/model.nir", "--timesteps", "two"],
            r"(?s).*'two' is not a list of whole numbers from 1 such as 1,4,16.*",
        ),
    ],
)
def test_wrong_use_is_refused(spikequant, run, words, message):
    (run / "empty").mkdir()
    (run / "t.toml").write_text(
        'name = "sata32"\ntitle = "t"\ntechnology = "t"\nsource = "s"\nunit = "pJ"\n'
        'operation = [{ name = "add", bits = 8, value = 1 }]\n'
    )
    answer = spikequant("energy", *(word.replace("RUN", str(run)) for word in words))
    assert answer.code == 2
    assert re.fullmatch(message, answer.err)
    assert not (run / "energy.json").exists()


def test_report_refuses_the_energy_of_another_model(spikequant, run):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    spikequant("energy", run, "--samples", 4)
    kept = json.loads((run / "energy.json").read_text())
    (run / "energy.json").write_text(json.dumps({**kept, "model_sha256": "0" * 64}))
    answer = spikequant("report", run)
    assert answer.code == 2
    assert re.fullmatch(
        r"error: .*energy.json belongs to another model than model.nir beside it; run 'spikequant energy' again\n",
        answer.err,
    )


def test_report_refuses_a_figure_whose_assumptions_were_taken_out(spikequant, run):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    spikequant("energy", run, "--samples", 4, "--timesteps", "1,2")
    kept = json.loads((run / "energy.json").read_text())
    assert spikequant("report", run).code == 0
    for number, one in enumerate(kept["sheets"]):
        sheets = [*kept["sheets"][:number], {**one, "assumptions": []}, *kept["sheets"][number + 1 :]]
        (run / "energy.json").write_text(json.dumps({**kept, "sheets": sheets}))
        answer = spikequant("report", run)
        assert answer.code == 2
        assert re.fullmatch(
            rf"error: .*energy.json is damaged: 'sheets\.{number}': value error, sheet '.*' lacks an assumption; .*;"
            r" run 'spikequant energy' again\n",
            answer.err,
        )
