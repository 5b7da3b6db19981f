"""Both processing elements as netlists: followed in every register, billed, and shown with what the figures rest on."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spikequant.errors import BackendError, UsageError
from spikequant_mint_rtl.activity.cells import Library
from spikequant_mint_rtl.activity.command import activity
from spikequant_mint_rtl.activity.load import Load
from spikequant_mint_rtl.activity.netlist import net_waves, read_netlist
from spikequant_mint_rtl.activity.neuron import mint_waves, random_stimulus
from spikequant_mint_rtl.activity.study import DESIGNS, activity_study, measured
from spikequant_mint_rtl.activity.text import report_text
from spikequant_mint_rtl.area.circuit import synthesized
from spikequant_mint_rtl.area.technology import Technology
from spikequant_mint_rtl.area.yosys import yosys_here

sys.path.insert(0, str(Path(__file__).parent))
from activity_library import library

pytestmark = pytest.mark.skipif(not yosys_here().ready, reason=f"activity: {yosys_here().detail}")

LOAD = Load(rate=0.2, inputs=40, timesteps=4, neurons=4)
TECHNOLOGY = Technology("by_hand", library().encode())


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("activity")


@pytest.fixture(scope="module")
def report(cache):
    return activity_study(TECHNOLOGY, [2], LOAD, cache=cache)


@pytest.fixture(scope="module")
def mint(report, cache):
    circuit = DESIGNS[0].circuit(2)
    return synthesized(circuit, TECHNOLOGY, "netlist", "write_json out.json", cache)


def test_isolation_saves_and_mint_saves_more(report):
    mint, isolated, burning = (report.row(2, key).energy for key in ("mint", "uq_isolated", "uq"))
    assert mint.total < isolated.total < burning.total
    assert isolated.switching < 0.7 * burning.switching
    assert isolated.clock == pytest.approx(burning.clock)
    assert burning.clock > 2 * mint.clock
    assert report.saved(2, "uq_isolated") == 1 - mint.total / isolated.total


def test_elements_fire_in_some_steps_and_both_designs_in_about_the_same(report):
    rates = [report.row(2, key).firing_rate for key in ("mint", "uq_isolated", "uq")]
    assert 0 < rates[0] < 1
    assert rates[1] == rates[2]


def test_every_flip_flop_is_a_register_of_the_model(mint):
    netlist = read_netlist(mint, Library(library()))
    flops = [instance for instance in netlist.instances if instance.cell.flop]
    known = {net for signal in ("acc_q", "potential_q", "fired_q") for net in netlist.signals[signal]}
    assert len(flops) == 15 + 2 + 1
    assert {flop.nets["Q"] for flop in flops} == known


def test_a_wrong_gate_in_the_netlist_is_found(mint):
    small = Library(library())
    waves = mint_waves(random_stimulus(2, 15, LOAD))
    cells = next(iter(mint["modules"].values()))["cells"]
    gates = [name for name, cell in cells.items() if cell["type"] == "NAND2"]
    found = 0
    for name in gates[:20]:
        cells[name]["type"] = "NOR2"
        try:
            net_waves(read_netlist(mint, small), waves)
        except BackendError as error:
            found += str(error).endswith("differs from the model of the processing element")
        cells[name]["type"] = "NAND2"
    assert found >= 15  # some gates never see the one input in which the two differ


def test_the_model_steps_as_algorithm_1_says():
    stimulus = random_stimulus(4, 17, LOAD)
    waves = mint_waves(stimulus)
    weights = 1 << np.arange(17)
    weights[-1] *= -1
    acc = np.tensordot(weights, waves["acc_q"].astype(int), 1)
    fire = np.flatnonzero(stimulus.fire)
    assert np.array_equal(acc[:, fire[0]], (stimulus.weight[:, : fire[0]] * stimulus.spike[: fire[0]]).sum(axis=1))
    assert (acc[:, fire + 1] == 0).all()
    assert np.array_equal(waves["fired_q"][0][:, fire[0] + 1], acc[:, fire[0]] >= stimulus.theta)


def test_zero_skipping_spends_cycles_on_spikes_and_steps_only():
    dense, sparse = (random_stimulus(4, 17, Load(0.2, 40, 4, 2, skip)) for skip in (False, True))
    assert len(dense.spike) == 4 * 41 + 1
    assert len(sparse.spike) == sparse.spike.sum() + 4 + 1
    assert dense.accumulates == sparse.accumulates


def test_every_figure_has_its_library_and_assumptions(report):
    text = report_text(report)
    assert re.search(r"^2 bits: pJ per cycle of .*, library 'by_hand', pyosys \S+ \[a b c e\];", text)
    for letter, words in report.assumptions.items():
        assert f"[{letter}] {words}" in text
    assert "zero delay: no glitches" in text
    assert "no wires, no clock tree" in text
    assert re.findall(r"by table (\w+) MINT saves .*\[b d\]", text) == list(report.tables)
    found = report.to_json()
    assert len(found["energies"]) == 3
    for entry in (*found["energies"], *found["saved"]):
        assert entry["library"] == "by_hand"
        assert set(entry["assumptions"]) < set(found["assumptions"])


def test_cells_without_figures_are_named(mint, report):
    bare = Library(re.sub(r"cell_leakage_power : 4;", "", library()))
    row = measured(2, DESIGNS[0], read_netlist(mint, bare), bare, LOAD)
    told = replace(report, rows=(row,)).assumptions["e"]
    found = re.match(
        r"lacking in the library: MINT at 2 bits: 0 of (\d+) cells without .*, (\d+) without leakage", told
    )
    assert (int(found[1]), int(found[2])) == (row.cells, row.cells - 18)  # its 18 flip-flops have leakage


def test_the_command_prints_and_saves_the_report(report, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "spikequant_mint_rtl.activity.command.activity_study", lambda *args, **more: asked.append(args) or report
    )
    (tmp_path / "x.lib").write_text(library())
    given = ["--liberty", str(tmp_path / "x.lib"), "--bits", "2", "--rate", "0.2", "--inputs", "40", "--neurons", "4"]
    run = CliRunner().invoke(activity, [*given, "--save", str(tmp_path / "a.json")], catch_exceptions=False)
    assert run.stdout.startswith(report_text(report))
    shown = CliRunner().invoke(activity, [*given, "--json"], catch_exceptions=False)
    assert json.loads(shown.stdout) == json.loads((tmp_path / "a.json").read_text())
    assert json.loads(shown.stdout)["energies"] == report.to_json()["energies"]
    assert asked == 2 * [(Technology("by_hand", library().encode()), [2], LOAD)]


def test_without_a_library_two_obtainable_ones_are_named():
    with pytest.raises(
        UsageError,
        match=r"^activity needs the energies of a cell library; give --liberty FILE\. Within reach are osu018 "
        r"\(Debian package qflow-tech-osu018\) and IHP's open sg13g2$",
    ):
        CliRunner().invoke(activity, [], catch_exceptions=False)


def test_more_inputs_than_the_accumulator_takes_are_refused(cache):
    with pytest.raises(UsageError, match=r"^--inputs 8193: accumulators of n \+ 13 bits add up to 8192 inputs$"):
        activity_study(TECHNOLOGY, [2], Load(inputs=8193), cache=cache)
