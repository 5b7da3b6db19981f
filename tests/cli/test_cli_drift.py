"""``spikequant drift``: the report, its limits and exit codes."""

from __future__ import annotations

import json

import pytest


def test_the_report_names_layers_spikes_and_the_first_divergence(spikequant, trained):
    answer = spikequant("drift", trained, "--samples", 30)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith("accuracy: float ")
    assert lines[0].endswith(" of 30 samples change their class (3 timesteps)")
    said = json.loads(spikequant("drift", trained, "--samples", 30, "--json").out)
    (layer,) = said["layers"]
    spikes, first = layer["spikes"], layer["spikes"]["first"]
    assert spikes["compared"] == 3 * 30 * 24
    assert spikes["share"] == spikes["differing"] / spikes["compared"]
    (row,) = [line for line in lines if line.startswith("│ lif1")]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:4] == ["lif1", f"{spikes['expected']:,}", f"{spikes['got']:,}", f"{spikes['differing']:,}"]
    assert lines[-1] == (
        f"lif1: first divergence at t {first['timestep']}, sample {first['sample']}, ({first['element'][0]},):"
        f" {first['expected']} became {first['got']}"
    )


@pytest.mark.parametrize(
    ("limits", "failures"),
    [
        (["1"], []),
        (["0.0001"], ["spikes is "]),
        (["spikes=1", "emd=0.000001"], ["emd is "]),
        (["emd=9", "classes=1", "accuracy=1", "potential=99"], []),
        (["spikes=0", "potential=0"], ["spikes is ", "potential is "]),
    ],
)
def test_a_figure_above_its_limit_fails(spikequant, trained, limits, failures):
    words = [word for limit in limits for word in ("--fail-above", limit)]
    answer = spikequant("drift", trained, "--samples", 20, *words)
    assert answer.code == (1 if failures else 0)
    failed = [line for line in answer.out.splitlines() if line.startswith("failed: ")]
    assert [line.startswith(f"failed: {start}") for line, start in zip(failed, failures, strict=True)] == [
        True for _ in failures
    ]
    said = json.loads(spikequant("drift", trained, "--samples", 20, *words, "--json").out)
    assert said["failed"] == [line.removeprefix("failed: ") for line in failed]


@pytest.mark.parametrize("limit", ["x", "a=1", "spikes=-1", "=1", "nan", "spikes="])
def test_a_limit_of_another_form_is_refused(spikequant, trained, limit):
    answer = spikequant("drift", trained, "--fail-above", limit)
    assert answer.code == 2
    assert answer.err == (
        f"error: --fail-above {limit!r} is not of the form X or FIGURE=X, X a number of at least 0 and FIGURE one of"
        " spikes, emd, potential, classes, accuracy\n"
    )


def test_what_is_no_run_is_one_line(spikequant, tmp_path):
    answer = spikequant("drift", tmp_path)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {tmp_path} is not a run folder")


def test_the_plot_names_every_layer_and_is_the_same_every_time(spikequant, trained, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        answer = spikequant("drift", trained, "--samples", 10, "--plot", tmp_path / name)
        assert answer.code == 0, answer.err
        assert answer.out.endswith(f"written: {tmp_path / name}\n")
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    for text in (">lif1<", ">float<", ">integer<", ">spikes that differ (%)<"):
        assert text in drawn
    answer = spikequant("drift", trained, "--plot", tmp_path / "a.pdf")
    assert (answer.code, answer.out) == (2, "")
