"""Areas of both processing elements, and that no figure is shown without what it rests on."""

import json
import re

import pytest
from click.testing import CliRunner

from spikequant_mint_rtl.area.command import area
from spikequant_mint_rtl.area.designs import LANES, SPAD_BITS
from spikequant_mint_rtl.area.report import AreaReport
from spikequant_mint_rtl.area.study import area_study
from spikequant_mint_rtl.area.tables import report_text
from spikequant_mint_rtl.area.technology import Technology
from spikequant_mint_rtl.area.yosys import yosys_here

pytestmark = pytest.mark.skipif(not yosys_here().ready, reason=f"area: {yosys_here().detail}")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("area")


@pytest.fixture(scope="module")
def elements(cache):
    return area_study(parts=["paper", "pe"], cache=cache)


@pytest.fixture(scope="module")
def text(elements):
    return report_text(elements)


@pytest.mark.parametrize(("bits", "saved"), [(8, 0.914), (4, 0.916), (2, 0.924)])
def test_in_the_papers_form_logic_is_smaller_by_the_designs_share(elements, bits, saved):
    assert elements.saved("paper", bits) == pytest.approx(saved, abs=0.02)


@pytest.mark.parametrize(("bits", "saved"), [(8, 0.716), (4, 0.760), (2, 0.780)])
def test_with_programmable_rules_logic_is_smaller_by_the_measured_share(elements, bits, saved):
    assert elements.saved("pe", bits) == pytest.approx(saved, abs=0.02)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_a_scratchpad_hides_most_of_the_saving(elements, bits):
    row = elements.row("paper", bits, "mint")
    assert elements.total(row) == row.logic + 6 * SPAD_BITS
    assert 0.34 < elements.saved("paper", bits, memory=True) < 0.42


def test_steps_lead_from_the_papers_element_to_ours(cache, elements):
    steps = area_study([2], ["paper", "steps", "pe"], cache=cache)
    saved = [steps.saved(part, 2) for part in ("paper", "low", "unshifted", "wired", "pe")]
    assert saved == sorted(saved, reverse=True)
    assert (saved[0], saved[-1]) == (elements.saved("paper", 2), elements.saved("pe", 2))
    assert steps.row("low", 2, "mint").logic == steps.row("paper", 2, "mint").logic
    assert len(re.findall(r"^ +2 bits", report_text(steps), re.MULTILINE)) == 2 + 3 + 2
    assert unstated(report_text(steps)) == []


def test_an_array_is_its_elements_and_what_joins_them(cache):
    report = area_study([2], ["pe", "array"], cache=cache)
    one, row = report.row("pe", 2, "mint"), report.row("array", 2, "mint")
    joined = row.logic - LANES * one.logic
    # An accumulator-wide adder input for each lane, and the register and multiplexer of the row port.
    assert LANES * (15 * 12 + 15 * 28) < joined < LANES * (15 * 12 + 40 * 28)
    assert row.memory_bits == LANES * SPAD_BITS


def test_a_core_is_its_array_and_a_controller_common_to_all_designs(cache):
    report = area_study([2], ["array", "core"], cache=cache)
    rest = {report.row("core", 2, key).logic - report.row("array", 2, key).logic for key in ("mint", "uq_fp", "uq_q")}
    assert len(rest) == 1
    assert 50_000 < rest.pop() < 200_000


def unstated(text):
    """Return the lines with a figure that stand under no title with unit, technology and assumptions."""
    notes = set(re.findall(r"^\[([a-e])\] \S.{10,}", text, re.MULTILINE))
    lines, title = [], ""
    for line in text.splitlines():
        if re.match(r"[A-Za-z]", line):
            title = line
        if re.match(r" +\d bits", line):
            named = re.search(r"; (transistors|um\^2), (\S.*), pyosys \S+ \[([a-e ]+)\]$", title)
            memory = "with memory" in title
            if not named or not set(named[3].split()) <= notes or memory != ("b" in named[3]):
                lines.append(line)
    return lines


def test_every_figure_has_its_unit_technology_and_assumptions(elements, text):
    assert len(re.findall(r"^ +\d bits", text, re.MULTILINE)) == 12
    assert unstated(text) == []
    for words in elements.assumptions.values():
        assert words in text


@pytest.mark.parametrize("part", [r"transistor estimate, ", r"\[a c d\]$", r"^\[b\].*$", r"^\[e\].*$", "transistors, "])
def test_the_check_of_statements_sees_a_missing_one(text, part):
    assert unstated(re.sub(part, "", text, flags=re.MULTILINE))


def test_every_figure_in_json_has_its_unit_technology_and_assumptions(elements):
    found = elements.to_json()
    assert len(found["areas"]) == 18
    for entry in (*found["areas"], *found["saved"]):
        assert entry["technology"] == "transistor estimate"
        assert entry["assumptions"] == ["a", "b", "c", "e" if entry["part"] == "paper" else "d"]
        assert all(found["assumptions"][letter] for letter in entry["assumptions"])
    assert all(entry["unit"] == "transistors" for entry in found["areas"])
    assert found["paper"]["saved_percent"] == {"SpinalFlow": {8: 76, 4: 86, 2: 93}, "PTB": {8: 93, 4: 95, 2: 96}}


def test_without_a_node_memories_of_a_library_are_not_comparable(elements):
    report = AreaReport(Technology("lib45", b"", None), "0", 13, elements.rows)
    assert report.saved("pe", 8, memory=True) is None
    assert report.total(report.row("pe", 8, "mint")) is None
    text = report_text(report)
    assert text.count("not comparable, see [b]") == 2
    assert "the library's node is unknown; --node NM" in text


def test_the_command_prints_the_same_report_from_the_cache(elements, text, cache, monkeypatch, tmp_path):
    monkeypatch.setattr("spikequant_mint_rtl.area.circuit.build_cache", lambda name: cache)
    monkeypatch.setattr("spikequant_mint_rtl.area.circuit.run_yosys", None)
    run = CliRunner().invoke(area, ["--parts", "paper,pe", "--save", str(tmp_path / "a.json")], catch_exceptions=False)
    assert run.exit_code == 0
    assert run.stdout.startswith(text)
    asked = CliRunner().invoke(area, ["--parts", "paper,pe", "--json"], catch_exceptions=False)
    assert json.loads(asked.stdout) == json.loads((tmp_path / "a.json").read_text())
    assert json.loads(asked.stdout)["areas"] == elements.to_json()["areas"]


@pytest.mark.parametrize("given", [["--bits", "3"], ["--parts", "lane"], ["--bits", ""]])
def test_unknown_widths_and_parts_are_refused(given):
    run = CliRunner().invoke(area, given)
    assert run.exit_code == 2
    assert "is not one of" in run.output
