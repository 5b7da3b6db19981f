"""Significance: each quantity's precision lowered alone, and the quantities ranked by what accuracy does."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from spikequant.errors import RunError
from spikequant.explore import Scheme, Store, parse_group, parse_levels
from spikequant.explore.evaluate import RunEvaluator
from spikequant.explore.executors import LocalProcesses
from spikequant.explore.planning import Wish
from spikequant.report.results import SignificanceRow, read_significance
from spikequant.rounding import Rounding
from spikequant.runs import RunFolder, parse_recipe, train
from spikequant.significance import SIGNIFICANCE, ranking, significance


def row(name, fmt, accuracy, rounding="RN"):
    return SignificanceRow(name, fmt, None, rounding, accuracy)


def test_the_first_to_fall_matters_most():
    rows = [
        *(row("V", f"Q9.{bits}", accuracy) for bits, accuracy in ((16, 0.9), (8, 0.895), (4, 0.3), (0, 0.1))),
        *(row("w", f"Q1.{bits}", accuracy) for bits, accuracy in ((16, 0.9), (8, 0.8), (4, 0.75), (0, 0.7))),
        *(row("Vth", f"Q7.{bits}", accuracy) for bits, accuracy in ((16, 0.9), (8, 0.9), (4, 0.9), (0, 0.9))),
    ]
    assert ranking(rows, 0.9) == ("w", "V", "Vth")
    assert ranking(rows[::-1], 0.9) == ("w", "V", "Vth")


def test_precision_counts_not_the_place_in_a_list_of_levels():
    rows = [
        *(row("w", f"Q1.{bits}", accuracy) for bits, accuracy in ((8, 0.9), (2, 0.5))),
        *(row("V", f"Q9.{bits}", accuracy) for bits, accuracy in ((14, 0.9), (12, 0.9), (10, 0.5))),
    ]
    assert ranking(rows, 0.9) == ("V", "w")


def test_of_those_that_fall_alike_the_greater_loss_counts():
    rows = [row("w", "Q1.8", 0.9), row("w", "Q1.4", 0.6), row("V", "Q9.8", 0.9), row("V", "Q9.4", 0.5)]
    assert ranking(rows, 0.9) == ("V", "w")
    never = [row("w", "Q1.8", 0.9), row("V", "Q9.8", 0.895), row("U", "Q9.8", 0.92)]
    assert ranking(never, 0.9) == ("V", "w", "U")


def test_the_best_rounding_of_a_format_counts():
    rows = [
        row("w", "Q1.4", 0.1, "TR"),
        row("w", "Q1.4", 0.9, "SR"),
        row("V", "Q9.4", 0.85, "TR"),
        row("V", "Q9.4", 0.86, "SR"),
    ]
    assert ranking(rows, 0.9) == ("V", "w")


def test_a_loss_of_one_point_is_no_fall():
    rows = [row("w", "Q1.8", 0.8900001), row("V", "Q9.2", 0.8899999)]
    assert ranking(rows, 0.9) == ("V", "w")
    assert ranking([row("w", "Q1.8", 0.85), row("V", "Q9.2", 0.8)], 0.9, drop=0.2) == ("V", "w")


def test_bits_of_integers_fp32_and_groups_are_ranked_too():
    rows = [
        *(row("w", fmt, accuracy) for fmt, accuracy in (("FP32", 0.9), ("INT8", 0.9), ("INT4", 0.5))),
        *(row("U", fmt, accuracy) for fmt, accuracy in (("FP32", 0.9), ("INT8", 0.6), ("INT4", 0.6))),
        *(row("N", fmt, accuracy) for fmt, accuracy in (("Q9.6 Q7.6", 0.9), ("Q9.2 Q7.2", 0.1))),
    ]
    assert ranking(rows, 0.9) == ("U", "w", "N")
    assert ranking([], 0.9) == ()


@pytest.fixture
def run(trained_usnn, tmp_path):
    return shutil.copytree(trained_usnn, tmp_path / "run")


@pytest.fixture
def mint(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def wish(*levels, groups=(), roundings="RN SR", **more):
    return Wish(
        levels=tuple(map(parse_levels, levels)),
        groups=tuple(map(parse_group, groups)),
        roundings=tuple(map(Rounding, roundings.split())),
        **more,
    )


SMALL = wish("w=8,2", "V=6,0", "Vth=6,0")


def test_each_quantity_is_lowered_alone_with_all_others_in_fp32(run):
    told = []
    found = significance(run, SMALL, tell=lambda tidings: told.append(tidings.evaluation.setting))
    assert found.baseline == RunFolder(run).result()["accuracy"]["float"]
    shown = [(r.quantity, r.format, r.frac_bits, r.rounding) for r in found.rows]
    bits = {name: next(r.format for r in found.rows if r.quantity == name).split(".")[0] for name in ("V", "Vth")}
    assert shown == [
        *(("w", f"Q1.{f}", f, rounding) for f in (8, 2) for rounding in ("RN", "SR")),
        *(("V", f"{bits['V']}.{f}", f, rounding) for f in (6, 0) for rounding in ("RN", "SR")),
        *(("Vth", f"{bits['Vth']}.{f}", f, rounding) for f in (6, 0) for rounding in ("RN", "SR")),
    ]
    for setting in told:
        assert sum(str(fmt) != "FP32" for _, fmt in setting.formats) <= 1
        assert setting.scheme == Scheme.PTQ
    assert found.ranking == ranking(list(found.rows), found.baseline)
    assert sorted(found.ranking) == ["V", "Vth", "w"]


def test_each_row_is_the_accuracy_of_its_setting(run):
    told = []
    found = significance(run, wish("w=4"), tell=lambda tidings: told.append(tidings.evaluation))
    for evaluation in told[1:]:
        (again,) = RunEvaluator(run)([evaluation.setting])
        assert again.right == evaluation.right
    assert [r.accuracy for r in found.rows] == [evaluation.accuracy for evaluation in told[1:]]


def test_nothing_is_pruned_however_bad_it_is(run):
    rows = significance(run, wish("w=8,4,2,0", roundings="TR")).rows
    assert [r.frac_bits for r in rows] == [8, 4, 2, 0]
    assert min(r.accuracy for r in rows) < 0.2


def test_it_quantizes_after_training_whatever_is_wished(run):
    both = wish("w=4", roundings="RN", schemes=(Scheme.PTQ, Scheme.ITQ))
    assert len(significance(run, both).rows) == 1


def test_a_group_is_one_row_per_level(run):
    found = significance(run, wish("w=4", "N=4,0", groups=("N=V,Vth",), roundings="RN"))
    assert [(r.quantity, r.frac_bits) for r in found.rows] == [("w", 4), ("N", 4), ("N", 0)]
    assert len(found.rows[1].format.split()) == 2
    assert sorted(found.ranking) == ["N", "w"]


def test_it_is_kept_in_the_run_folder(run):
    found = significance(run, wish("w=4", roundings="RN"))
    assert read_significance(run) == found


def evaluated(run):
    with Store.read(run / "explore" / "significance.sqlite") as store:
        return dict(store.evaluations)


def test_a_stopped_one_goes_on_where_it_was(run, tmp_path):
    whole = significance(shutil.copytree(run, tmp_path / "whole"), SMALL)
    left = iter(range(4))

    def stop(_):
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        significance(run, SMALL, tell=stop)
    kept = evaluated(run)
    assert 0 < len(kept) < len(whole.rows)
    assert not (run / SIGNIFICANCE).exists()
    again = []
    assert significance(run, SMALL, tell=lambda tidings: again.append(tidings.evaluation.setting.key)) == whole
    assert not set(again) & set(kept)
    again.clear()
    assert significance(run, SMALL, tell=again.append) == whole
    assert again == []


def test_workers_change_nothing(run, tmp_path):
    alone = significance(shutil.copytree(run, tmp_path / "alone"), wish("w=6,2", "V=6", "Vth=4"))
    place = LocalProcesses(2)
    try:
        assert significance(run, wish("w=6,2", "V=6", "Vth=4"), place=place) == alone
    finally:
        place.close()


def test_a_chain_of_layers_holds_the_others_at_their_top_level(mint):
    told = []
    found = significance(
        mint, wish("w=INT8,INT2", "U=INT8,INT4", roundings="RN"), tell=lambda t: told.append(t.evaluation.setting)
    )
    assert [(r.quantity, r.format, r.frac_bits) for r in found.rows] == [
        ("w", "INT8", None),
        ("w", "INT2", None),
        ("U", "INT8", None),
        ("U", "INT4", None),
    ]
    formats = [{name: str(fmt) for name, fmt in setting.formats} for setting in told[1:]]
    assert {"w": "INT2", "U": "INT8"} in formats
    assert {"w": "INT8", "U": "INT4"} in formats
    assert {"w": "INT2", "U": "INT4"} not in formats


def test_a_format_that_needs_another_is_measured_beside_it(trained_usnn, tmp_path):
    table = RunFolder(trained_usnn).recipe().table()
    table["neuron"] = {"name": "diehl-cook", "synapse": "conductance", "tau_g_ms": 5.0}
    table["quantizer"] = {"name": "qif", "format": "FP32"}
    table["data"].update(train_samples=20, test_samples=20)
    train(parse_recipe(table, "test"), RunFolder(tmp_path))
    told = []
    wished = wish("w=6", "V=6,2", "g=6", "Vth=6", roundings="RN")
    found = significance(tmp_path, wished, tell=lambda t: told.append(t.evaluation.setting))
    assert [(r.quantity, r.frac_bits) for r in found.rows] == [("w", 6), ("V", 6), ("V", 2), ("Vth", 6), ("g", 6)]
    beside = [{name: str(fmt) for name, fmt in s.formats if str(fmt) != "FP32"} for s in told[1:]]
    everything = ["V", "Vth", "g", "w"]
    assert [sorted(formats) for formats in beside] == [["w"], everything, everything, ["Vth"], ["g"]]


def test_an_incomplete_run_is_refused(run):
    (run / "result.json").unlink()
    message = f"the run in {run} is not complete; continue it with 'spikequant train --resume'"
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        significance(run, SMALL)
    assert not (run / "explore").exists()


def test_a_folder_that_cannot_be_made_is_said(run):
    os.symlink(run / "gone" / "away", run / "explore")
    message = f"folder {run / 'explore'} cannot be made: File exists; make room and run the command again"
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        significance(run, wish("w=4", roundings="RN"))


def test_a_result_that_cannot_be_written_is_said_and_costs_nothing_again(run):
    (run / f"{SIGNIFICANCE}.part").mkdir()
    path = re.escape(str(run / SIGNIFICANCE))
    message = rf"^{path} cannot be written: Is a directory; make room and run the command again$"
    with pytest.raises(RunError, match=message):
        significance(run, wish("w=4", roundings="RN"))
    (run / f"{SIGNIFICANCE}.part").rmdir()
    told = []
    assert significance(run, wish("w=4", roundings="RN"), tell=told.append).rows
    assert told == []
