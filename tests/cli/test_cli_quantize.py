"""``spikequant quantize``: a run folder in formats of one's choice, ready for export."""

import json
import re

import pytest

from spikequant import quantize
from spikequant.runs import RunFolder

USNN = ("--format", "w=Q1.6", "--format", "V=Q9.4", "--format", "Vth=Q7.4")


@pytest.mark.parametrize(
    ("words", "setting", "phases"),
    [
        ([], {"scheme": "PTQ", "rounding": "RN", "scratch": False}, ["float"]),
        (["--rounding", "SR"], {"scheme": "PTQ", "rounding": "SR", "scratch": False}, ["float"]),
        (["--scheme", "itq"], {"scheme": "ITQ", "rounding": "RN", "scratch": False}, ["float", "integer"]),
        (
            ["--scheme", "itq", "--itq", "finetune", "--epochs", "2", "--rounding", "TR"],
            {"scheme": "ITQ", "rounding": "TR", "scratch": False},
            ["float", "integer", "integer"],
        ),
        (
            ["--scheme", "itq", "--itq", "scratch"],
            {"scheme": "ITQ", "rounding": "RN", "scratch": True},
            ["integer"],
        ),
    ],
    ids=" ".join,
)
def test_a_run_in_other_formats(spikequant, trained_usnn, tmp_path, words, setting, phases):
    out = tmp_path / "q"
    answer = spikequant("quantize", trained_usnn, "--out", out, *USNN, *words, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["run"] == str(out)
    assert found["setting"] == {**setting, "formats": {"w": "Q1.6", "V": "Q9.4", "Vth": "Q7.4"}}
    assert found["accuracy"] == RunFolder(out).result()["accuracy"]
    assert [row["phase"] for row in RunFolder(out).metrics()] == phases
    assert spikequant("export", out, "--samples", "5").code == 0


def test_what_a_person_reads(spikequant, trained_usnn, tmp_path):
    answer = spikequant("quantize", trained_usnn, "--out", tmp_path / "q", *USNN)
    assert re.fullmatch(
        r"test accuracy, float: \d+\.\d\d %\ntest accuracy, trained: \d+\.\d\d %\nwritten: \S+/q\n", answer.out
    )
    scratch = spikequant(
        "quantize", trained_usnn, "--out", tmp_path / "s", *USNN, "--scheme", "itq", "--itq", "scratch"
    )
    assert "test accuracy, float: not trained\n" in scratch.out
    assert re.search(r"^integer epoch   1  test accuracy \d+\.\d\d %$", scratch.err, re.MULTILINE)


def test_a_mint_net_in_other_bits(spikequant, trained, tmp_path):
    words = ("--format", "w=INT8", "--format", "U=INT6")
    assert spikequant("quantize", trained, "--out", tmp_path / "q", *words).code == 0
    recipe = RunFolder(tmp_path / "q").recipe()
    assert (recipe.quantizer.options["bits"], recipe.neuron.options["bits"]) == (8, 6)
    assert spikequant("export", tmp_path / "q", "--samples", "5").code == 0
    answer = spikequant("verify", tmp_path / "q" / "model.nir", "--backend", "torch", "--samples", "5")
    assert answer.code == 0


def test_stopped_it_says_how_to_go_on(spikequant, trained_usnn, tmp_path, monkeypatch):
    real = quantize.train

    def stopping(recipe, folder, *, watcher, **options):
        def epoch(row):
            raise KeyboardInterrupt

        return real(recipe, folder, watcher=type(watcher)(epoch=epoch), **options)

    monkeypatch.setattr(quantize, "train", stopping)
    answer = spikequant("quantize", trained_usnn, "--out", tmp_path / "q", *USNN, "--scheme", "itq")
    assert answer.code == 130
    assert f"stopped; continue with: spikequant train --resume --out {tmp_path / 'q'}\n" in answer.err
    monkeypatch.undo()
    assert spikequant("train", "--resume", "--out", tmp_path / "q").code == 0
    spikequant("quantize", trained_usnn, "--out", tmp_path / "whole", *USNN, "--scheme", "itq")
    assert RunFolder(tmp_path / "q").model.read_bytes() == RunFolder(tmp_path / "whole").model.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "w"], "error: --format 'w' is not of the form NAME=FORMAT, such as w=Q1.6"),
        (["--format", "=Q1.6"], "error: --format '=Q1.6' is not of the form NAME=FORMAT, such as w=Q1.6"),
        (["--format", "w=Q1.6", "--format", "w=Q1.4"], "error: --format is given twice for 'w'; give it once"),
        (
            ["--format", "alpha=Q1.6"],
            "error: quantity 'alpha' takes no format from a plugin; those that do: w, V, Vth",
        ),
        (
            ["--format", "w=Q1.6", "--rounding", "TR"],
            "error: weights have the rounding and overflow TR, saturate, and the neuron's variables RN, saturate;"
            " set them alike in [quantizer] and [neuron]",
        ),
        (["--epochs", "2"], "error: --epochs is for ITQ, and PTQ trains no more; add --scheme itq"),
        (["--itq", "scratch"], "error: --itq is for ITQ, and PTQ trains no more; add --scheme itq"),
    ],
)
def test_wrong_use_is_one_line_and_makes_no_folder(spikequant, trained_usnn, tmp_path, words, message):
    answer = spikequant("quantize", trained_usnn, "--out", tmp_path / "q", *words)
    assert (answer.code, answer.out, answer.err) == (2, "", f"{message}\n")
    assert not (tmp_path / "q").exists()


def test_a_format_that_is_none_is_one_line(spikequant, trained_usnn, tmp_path):
    answer = spikequant("quantize", trained_usnn, "--out", tmp_path / "q", "--format", "w=Q")
    assert answer.code == 2
    assert re.fullmatch(r"error: .*'Q'.*\n", answer.err)


def test_a_folder_that_holds_a_run_is_refused(spikequant, trained, trained_usnn, tmp_path):
    for out in (trained, trained_usnn):
        answer = spikequant("quantize", trained_usnn, "--out", out, *USNN)
        assert (answer.code, answer.err) == (
            2,
            f"error: {out} already holds a complete run; choose another folder with --out\n",
        )


def test_fp32_is_a_format_that_cannot_be_exported(spikequant, trained_usnn, tmp_path):
    assert spikequant("quantize", trained_usnn, "--out", tmp_path / "q", "--format", "V=FP32").code == 0
    answer = spikequant("export", tmp_path / "q")
    assert (answer.code, answer.err) == (
        2,
        "error: lower() needs integers, and V is FP32; give each a format like Q11.8\n",
    )
    assert not (tmp_path / "q" / "model.nir").exists()
