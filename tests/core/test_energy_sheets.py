"""Sheets: what no figure is without, and the arithmetic of layers, sparsity, savings and timesteps."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from spikequant.counts import Counts, NodeCounts, Traffic
from spikequant.energy.breakdown import WORK, by_layer, layers_of
from spikequant.energy.report import energy_of
from spikequant.energy.sheet import Column, Sheet
from spikequant.energy.sheets import (
    TimestepRun,
    billed,
    layers_sheet,
    savings_sheet,
    sparsity_sheet,
    timesteps_sheet,
)
from spikequant.energy.study import energy_study
from spikequant.energy.table import load_table
from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.program import Add, Dense, Edge, Input, Lif, Operation, Program, Readout, chain

SATA, HOROWITZ = load_table("sata32"), load_table("horowitz45")
FULL = {
    "kind": "savings",
    "title": "a title",
    "table": "sata32",
    "technology": "32 nm",
    "source": "a source",
    "assumptions": ("that it holds",),
    "columns": (Column("energy", "pJ"), Column("part", "share")),
    "rows": ((1.5, 0.25),),
}


def mlp(timesteps=3) -> Program:
    rng = np.random.default_rng(1)
    nodes = [
        Input("input", (6,), bits=4),
        Dense("fc1", rng.integers(-7, 8, (8, 6)), bits=4, bias=rng.integers(-3, 4, 8)),
        Lif("lif1", u_bits=4, theta=np.array(20)),
        Dense("fc2", rng.integers(-7, 8, (4, 8)), bits=4),
        Readout("out"),
    ]
    return chain(nodes, timesteps=timesteps)


def ran(program, samples=5) -> Counts:
    return run_oracle(program, np.random.default_rng(2).integers(0, 16, (samples, 6))).counts


def test_a_sheet_is_printed_with_table_and_assumptions():
    lines = str(Sheet(**FULL, paper="1.0", notes=("a note",))).splitlines()
    assert lines == [
        "a title",
        "  table: sata32 (32 nm; a source)",
        "  assumed: that it holds",
        "  paper: 1.0",
        "  note: a note",
        "  energy (pJ)    part",
        "          1.5  25.0 %",
    ]


@pytest.mark.parametrize("field", ["title", "table", "technology", "source"])
def test_no_sheet_is_made_without_what_it_must_say(field):
    with pytest.raises(UsageError, match=f"^a sheet's {field} is empty; a figure is printed only with its {field}$"):
        Sheet(**{**FULL, field: " "})
    with pytest.raises(TypeError, match=field):
        Sheet(**{key: value for key, value in FULL.items() if key != field})


@pytest.mark.parametrize("assumptions", [(), ("",), ("it holds", " ")])
def test_no_sheet_is_made_without_assumption(assumptions):
    message = "sheet 'a title' lacks an assumption; a figure is printed only with its assumptions"
    with pytest.raises(UsageError, match=f"^{message}$"):
        Sheet(**{**FULL, "assumptions": assumptions})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (((1.0,),), "sheet 'a title' has 2 columns and a row of another length"),
        (((1.0, "half"),), "sheet 'a title' has words in column 'part', whose unit is share"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        Sheet(**{**FULL, "rows": rows})


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"^sheet 'a title' has no column 'x'; it has energy, part$"):
        Sheet(**FULL).column("x")


def test_a_layer_is_what_feeds_a_neuron_without_a_spike_between():
    nodes = (
        Input("input", (4,), bits=1),
        Dense("fc1", np.ones((3, 4), int)),
        Dense("skip", np.ones((3, 4), int)),
        Add("both"),
        Lif("lif1"),
        Dense("again", np.ones((3, 3), int)),
        Dense("fc2", np.ones((2, 3), int)),
        Readout("out"),
    )
    pairs = [("input", "fc1"), ("input", "skip"), ("fc1", "both"), ("skip", "both"), ("both", "lif1")]
    edges = [Edge(*pair) for pair in [*pairs, ("lif1", "fc2"), ("fc2", "out")]]
    edges += [Edge("lif1", "again", delayed=True), Edge("again", "both")]
    found = layers_of(Program(nodes, tuple(edges), timesteps=2))
    first, second = "again+fc1+lif1+skip", "fc2+out"
    assert {name: "+".join(sorted(layer.split("+"))) for name, layer in found.items()} == {
        **dict.fromkeys(("input", "fc1", "skip", "both", "lif1", "again"), first),
        **dict.fromkeys(("fc2", "out"), second),
    }


def hand() -> Counts:
    conv = NodeCounts(
        "conv2d",
        (Operation("accumulate", 8, 100), Operation("add", 8, 10)),
        (Traffic("sram", "weights", 400), Traffic("sram", "inputs", 64), Traffic("dram", "sums", 7)),
    )
    lif = NodeCounts(
        "lif",
        (Operation("add", 8, 20), Operation("register", 4, 20)),
        (Traffic("sram", "spikes", 20), Traffic("dram", "potential", 80)),
        steps=20,
        fires=5,
    )
    return Counts("hand", 2, {"fc1": conv, "lif1": lif})


def test_kinds_of_work_by_hand():
    report = energy_of(hand(), SATA, accounting="with_memory")
    (layer,) = by_layer(report, hand(), layers_of(mlp()))
    sram, dram = SATA.traffic("sram").energy_pj, SATA.traffic("dram").energy_pj
    expected = {
        "accumulate": (100 * 0.0734 + 10 * 0.0422) / 2,
        "neuron": 20 * (0.0422 + 0.0159) / 2,
        "weights": 400 * sram / 2,
        "spikes": 84 * sram / 2,
        "potential": 80 * dram / 2,
        "other": 7 * dram / 2,
    }
    assert layer.layer == "fc1+lif1"
    assert list(layer.pj) == list(WORK) == list(expected)
    assert all(math.isclose(layer.pj[work], pj) for work, pj in expected.items())
    assert math.isclose(layer.compute_pj, report.compute_pj)
    assert math.isclose(layer.memory_pj, report.memory_pj)


@pytest.mark.parametrize("table", [SATA, HOROWITZ], ids=["sata32", "horowitz45"])
def test_layers_sum_up_to_the_total_of_every_report(table):
    counted = ran(mlp())
    sheet = layers_sheet(mlp(), counted, table)
    for name, report in billed(counted, table).items():
        rows = [row for row in sheet.rows if row[1] == name]
        assert rows[-1][0] == "total"
        for place in range(2, len(sheet.columns)):
            assert math.isclose(sum(row[place] for row in rows[:-1]), rows[-1][place])
        assert math.isclose(rows[-1][-2] + rows[-1][-1], report.total_pj)
        assert any(report.assumption in words for words in sheet.assumptions)
    layers = list(dict.fromkeys(row[0] for row in sheet.rows))
    assert layers == ["fc1+lif1", "fc2+out", "multipliers_every_cycle", "total"]


def test_accumulates_counted_with_the_neuron_keep_their_width_under_uq():
    """A backend may count a layer's accumulates under the name of its neuron."""
    node = NodeCounts("lif", (Operation("accumulate", 8, 100), Operation("add", 8, 10)), steps=10)
    sheet = layers_sheet(mlp(), Counts("hand", 1, {"lif1": node}), SATA)
    mint, uq = (row for row in sheet.rows if row[0] == "fc1+lif1" and row[1] in ("MINT", "UQ, once per step"))
    assert mint[2] == uq[2]
    assert math.isclose(mint[2], 100 * 0.0734)
    assert math.isclose(uq[3], 10 * (6.965 + 0.1895))


def test_sparsity_is_what_was_counted():
    counted = Counts(
        "hand",
        2,
        {
            "lif1": NodeCounts("lif", steps=100, fires=20),
            "fc2": NodeCounts("dense"),
            "out": NodeCounts("readout", steps=8),
        },
    )
    sheet = sparsity_sheet(mlp(), counted)
    assert sheet.rows == (
        ("fc1+lif1", 100, 20, 0.8),
        ("mean of layers", None, None, 0.8),
        ("all neurons", 100, 20, 0.8),
    )
    assert sheet.table == "none"
    assert "without a number" in sheet.paper


def test_layers_weigh_alike_in_the_mean_and_by_their_size_in_the_whole():
    rng = np.random.default_rng(0)
    nodes = [
        Input("input", (4,), bits=1),
        *(Dense("a", rng.integers(-1, 2, (6, 4))), Lif("x")),
        *(Dense("b", rng.integers(-1, 2, (2, 6))), Lif("y")),
    ]
    counted = {"x": NodeCounts("lif", steps=300, fires=30), "y": NodeCounts("lif", steps=100, fires=50)}
    rows = sparsity_sheet(chain(nodes, timesteps=1), Counts("hand", 1, counted)).rows
    assert [row[-1] for row in rows] == [0.9, 0.5, 0.7, 0.8]


def test_savings_are_those_of_the_reports():
    counted = ran(mlp())
    reports = billed(counted, SATA, "compute")
    for against, own, other, saved in savings_sheet(counted, SATA).rows:
        assert (own, other) == (reports["MINT"].total_pj, reports[against].total_pj)
        assert saved == 1 - own / other


def test_a_run_that_is_vanilla_uq_itself_stands_alone():
    scaled = NodeCounts("scaled_lif", (Operation("multiply", 32, 10), Operation("add", 32, 10)), steps=10)
    counted = Counts("hand", 1, {"fc1": NodeCounts("dense", (Operation("accumulate", 8, 3),)), "lif1": scaled})
    assert savings_sheet(counted, SATA) is None
    assert {row[1] for row in layers_sheet(mlp(), counted, SATA).rows} == {"the run"}


def test_timesteps_are_relative_to_the_models_own():
    runs = [TimestepRun(t, ran(mlp(t)), 0.5) for t in (1, 3, 6)]
    sheet = timesteps_sheet(runs[1], runs, SATA)
    assert sheet.column("timesteps") == (1, 3, 6)
    assert sheet.column("linear would be") == (1 / 3, 1.0, 2.0)
    assert sheet.column("accuracy") == (0.5, 0.5, 0.5)
    energies = [energy_of(run.counts, SATA).total_pj for run in runs]
    assert sheet.column("MINT") == tuple(energies)
    assert sheet.column("MINT: relative") == tuple(pj / energies[1] for pj in energies)
    assert sheet.column("UQ, every cycle: relative")[1] == 1.0
    assert "linearly" in sheet.paper


Said = dict[tuple[str, str], tuple[str, ...]]
"""What must be said under an energy table and a title; the comparison has no title but its table."""


def everything_assumed(study) -> Said:
    said = {(sheet.table, sheet.title): sheet.assumptions for sheet in study.sheets}
    for name, comparison in study.comparisons.items():
        said[name, ""] = tuple(report.assumption for report in comparison.reports.values())
    return said


def uncovered(text: str, assumed: Said) -> list[str]:
    """Return the printed lines with a figure that lack their energy table or an assumption.

    Figures stand in blocks, an empty line between two; each block must name its table and say all that it assumes.
    """
    found = []
    for block in text.split("\n\n"):
        figures = [line for line in block.splitlines() if re.search(r"\d.*(%|pJ)|\d\.\d", line)]
        table = re.search(r"\btable:? (\w+) \(", block)
        title = block.partition("\n")[0]
        words = assumed.get((table[1], "" if table[0] in title else title)) if table else None
        if words is None or not all(one in block for one in words):
            found += figures
    return found


@pytest.fixture(scope="module")
def study():
    runs = [TimestepRun(t, ran(mlp(t)), 0.5) for t in (1, 2)]
    return energy_study(mlp(), ran(mlp()), [SATA, HOROWITZ], model_sha256="0" * 64, runs=runs)


def test_every_printed_figure_stands_under_its_table_and_assumptions(study):
    assert uncovered(str(study), everything_assumed(study)) == []
    assert len(re.findall(r"\btable:? \w+ \(", str(study))) == 1 + 2 * 5


def test_a_figure_whose_assumption_or_table_is_missing_is_found(study):
    """The check above can fail: each line that it needs is needed."""
    text, words = str(study), everything_assumed(study)
    lines = text.splitlines()
    needed = [i for i, line in enumerate(lines) if line.startswith(("  assumed: ", "  table: "))]
    needed = [i for i in needed if lines[i] != "  assumed: what stands after each figure"]
    assert len(needed) > 50
    for i in needed:
        assert uncovered("\n".join(lines[:i] + lines[i + 1 :]), words), lines[i]


def test_every_json_figure_stands_under_its_table_and_assumptions(study):
    assert uncovered_json(study.to_json()) == []
    broken = study.to_json()
    broken["sheets"][1]["assumptions"] = []
    assert uncovered_json(broken)
    broken = study.to_json()
    del broken["tables"]["sata32"]["all computation"]["assumption"]
    assert uncovered_json(broken)


def uncovered_json(data, covered=False, where="") -> list[str]:
    """Return where an energy or a table's row stands outside an object that names table and assumption."""
    if isinstance(data, dict):
        covered = covered or bool(data.get("table") and (data.get("assumption") or data.get("assumptions")))
        figures = [key for key in data if key.endswith("_pj") or key in ("rows", "by_node", "by_operation")]
        found = [] if covered else [f"{where}.{key}" for key in figures]
        return found + [one for key, value in data.items() for one in uncovered_json(value, covered, f"{where}.{key}")]
    if isinstance(data, list):
        return [one for item in data for one in uncovered_json(item, covered, f"{where}[]")]
    return []


def test_a_study_without_other_timesteps_has_no_such_sheet():
    found = energy_study(mlp(), ran(mlp()), [SATA], model_sha256="0" * 64, batches=(1,))
    assert [sheet.kind for sheet in found.sheets] == ["sparsity", "savings", "layers", "memory", "widths"]
    assert len(next(sheet for sheet in found.sheets if sheet.kind == "memory").rows) == 3


def test_cycles_are_told_where_there_is_a_clock():
    counted = replace(ran(mlp()), cycles=50)
    text = str(energy_study(mlp(), counted, [SATA], model_sha256="0" * 64))
    assert text.startswith("counted by oracle on 5 samples, 10 cycles per sample\n")
