"""``spikequant report`` of a real run: trained, calibrated, explored, its significance measured."""

import json
import re
import shlex
import shutil

import pytest

from spikequant.cli import main

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

LEVELS = ("--levels", "w=INT8,INT4", "--levels", "U=INT8,INT4")
SECTIONS = ["memory-accuracy", "bits-accuracy", "significance", "ranges", "rates", "raster", "memory", "energy"]
ENERGY = ("energy-layers", "energy-memory", "energy-sparsity")
PLOTS = (
    "accuracy-bits",
    "accuracy-memory",
    *ENERGY,
    "firing-rates",
    "memory-split",
    "ranges",
    "raster",
    "significance",
)


@pytest.fixture(scope="module")
def studied(trained, tmp_path_factory):
    """A run folder with everything in it; do not write into it."""
    run = tmp_path_factory.mktemp("studied") / "run"
    shutil.copytree(trained, run)
    main(["calibrate", str(run), "--samples", "20"])
    main(["explore", str(run), *LEVELS, "--target", "90"])
    main(["significance", str(run), *LEVELS])
    main(["energy", str(run), "--samples", "20", "--table", "sata32"])
    return run


@pytest.fixture
def run(studied, tmp_path):
    shutil.copytree(studied, tmp_path / "run")
    return tmp_path / "run"


def page(run):
    return (run / "report.html").read_text(encoding="utf-8")


def test_everything_is_in_one_file_beside_the_run(spikequant, run):
    answer = spikequant("report", run)
    assert (answer.code, answer.out, answer.err) == (0, f"written: {run / 'report.html'}\n", "")
    text = page(run)
    assert [name for name in SECTIONS if f'<section id="{name}">' in text] == SECTIONS
    assert text.count("<svg ") == 10
    assert not re.search(r"https?:|<script|<img", text)


def test_its_numbers_are_those_of_the_run(spikequant, run):
    spikequant("report", run)
    text = page(run)
    chosen = json.loads(spikequant("select", run, "--json").out)
    row = chosen["chosen"]
    for cell in (
        row["label"],
        f"{100 * row['accuracy']:.2f} %",
        f"{row['memory_bits']:,}",
        f"{row['saving']:.4f}",
    ):
        assert f'">{cell}</td>' in text or f"<td>{cell}</td>" in text
    assert chosen["why"] in text.replace("&#39;", "'")
    result = json.loads((run / "result.json").read_text())
    assert f"<dd>{100 * result['accuracy']['trained']:.2f} % of 60 test samples</dd>" in text
    for quantity in json.loads((run / "calibration.json").read_text())["quantities"]:
        assert f'">{quantity["low"]:.6g} to {quantity["high"]:.6g}</td>' in text
    for measured in json.loads((run / "significance.json").read_text())["rows"]:
        assert f">{100 * measured['accuracy']:.2f} %</td>" in text
    assert f'{row["memory_bits"]:,}</td><td class="number">{row["reference_bits"]:,}</td></tr>' in text


def test_a_second_report_is_the_same_file(spikequant, run, tmp_path):
    spikequant("report", run)
    assert spikequant("report", run, "--out", tmp_path / "again.html").code == 0
    assert (tmp_path / "again.html").read_text() == page(run)


def test_the_choice_is_that_of_the_options(spikequant, run):
    for words in (["--max-memory", "0.2"], ["--selector", "pareto", "--all"]):
        assert spikequant("report", run, *words).code == 0
        why = json.loads(spikequant("select", run, *words, "--json").out)["why"]
        assert why in page(run)


def test_nobody_chosen_is_still_a_report(spikequant, run):
    answer = spikequant("report", run, "--max-memory", "0.001")
    assert answer.code == 0
    assert "<dt>chosen by max-memory</dt><dd>none</dd>" in page(run)
    assert "Memory of the exported program model.nir" in page(run)


def test_plots_are_files_too_and_json_names_them(spikequant, run, tmp_path):
    answer = spikequant("report", run, "--plots", tmp_path / "plots", "--json")
    data = json.loads(answer.out)
    files = [str(tmp_path / "plots" / f"{name}{end}") for name in PLOTS for end in (".png", ".svg")]
    assert sorted(data["plots"]) == files == sorted(map(str, (tmp_path / "plots").iterdir()))
    assert data == {"file": str(run / "report.html"), "plots": data["plots"], "sections": SECTIONS, "left_out": {}}


def test_a_bare_run_says_what_is_missing(spikequant, trained, tmp_path):
    answer = spikequant("report", trained, "--out", tmp_path / "bare.html")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "left out: Accuracy against memory; run 'spikequant explore' first",
        "left out: Accuracy against bits per parameter; run 'spikequant explore --search curves' first",
        "left out: Significance; run 'spikequant significance' first",
        "left out: Ranges; run 'spikequant calibrate' first",
        "left out: Firing rates; run 'spikequant calibrate' first",
        "left out: Spikes of one sample; run 'spikequant calibrate' first",
        "left out: Energy; run 'spikequant energy' first",
        f"written: {tmp_path / 'bare.html'}",
    ]
    text = (tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "Memory of the exported program model.nir" in text
    assert text.count("<li>") == 7


def test_training_that_was_stopped_has_a_report(spikequant, trained, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(trained / "recipe.toml", run)
    assert spikequant("report", run).code == 0
    assert "<dt>training</dt><dd>has not ended</dd>" in page(run)


def test_the_command_that_select_names_makes_the_chosen_model(spikequant, run, tmp_path):
    """What was chosen, quantized by that very command, has the accuracy and formats that were explored."""
    data = json.loads(spikequant("select", run, "--json").out)
    program, *words = shlex.split(data["command"].replace("FOLDER", shlex.quote(str(tmp_path / "chosen"))))
    assert program == "spikequant"
    answer = spikequant(*words, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["accuracy"]["trained"] == data["chosen"]["accuracy"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN/nowhere"], r"error: .*nowhere is not a run folder: it holds no recipe.toml; .*\n"),
        (
            ["RUN", "--out", "RUN/no/a.html"],
            r"error: --out .*a.html cannot be written: No such file or directory; .*\n",
        ),
        (["RUN", "--out", "RUN"], r"error: --out .*run cannot be written: Is a directory; give another file\n"),
        (["RUN", "--plots", "RUN/recipe.toml"], r"error: --plots .*recipe.toml cannot be made: File exists; .*\n"),
        (["RUN", "--name", "no"], r"error: store .*no.sqlite is not there; make one with 'spikequant explore'\n"),
        (["RUN", "--selector", "nope"], r"error: selector 'nope' is not installed; known: .*\n"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(spikequant, run, words, message):
    answer = spikequant("report", *(word.replace("RUN", str(run)) for word in words))
    assert answer.code == 2
    assert re.fullmatch(message, answer.err)


@pytest.mark.parametrize("name", ["calibration.json", "significance.json", "energy.json", "result.json", "recipe.toml"])
def test_a_damaged_file_is_one_line_and_leaves_no_report(spikequant, run, name):
    (run / name).write_text("{")
    answer = spikequant("report", run)
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert name in answer.err
    assert answer.err.count("\n") == 1
    assert not (run / "report.html").exists()


def test_an_exploration_of_another_model_is_refused(spikequant, run):
    """Its memory would be another's."""
    path = run / "recipe.toml"
    path.write_text(path.read_text().replace("24", "32"))
    (run / "result.json").unlink()
    answer = spikequant("report", run)
    assert answer.code == 2
    assert re.fullmatch(
        r"error: the exploration counts .*; they belong to different models, explore again\n", answer.err
    )
