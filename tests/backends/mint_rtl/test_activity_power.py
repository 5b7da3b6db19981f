"""Energy of a small netlist equals what a hand adds up; a netlist that cannot be followed wholly is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import BackendError
from spikequant_mint_rtl.activity.cells import Library
from spikequant_mint_rtl.activity.netlist import net_waves, read_netlist
from spikequant_mint_rtl.activity.power import netlist_energy

sys.path.insert(0, str(Path(__file__).parent))
from activity_library import SETUP, library

A, B = (0, 1, 1, 0), (1, 1, 0, 1)
CELLS = {
    "inv": ("INV", {"A": [3], "Y": [4]}),
    "ff": ("DFFR", {"C": [2], "R": ["1"], "D": [4], "Q": [5]}),
    "nand": ("NAND2", {"A": [5], "B": [6], "Y": [7]}),
}
NETS = {"clk_i": [2], "a": [3], "b": [6], "q": [5], "y": [7]}


def written(**changed):
    cells = {name: {"type": kind, "connections": pins} for name, (kind, pins) in {**CELLS, **changed}.items()}
    return {"modules": {"tiny": {"cells": cells, "netnames": {name: {"bits": bits} for name, bits in NETS.items()}}}}


def wave(*values):
    return np.array([[values]], bool)


def energy(text, known=(), **changed):
    tiny = Library(text)
    netlist = read_netlist(written(**changed), tiny)
    waves = net_waves(netlist, {"a": wave(*A), "b": wave(*B), **dict(known)})
    return netlist_energy(netlist, tiny, waves, transition_s=0.0, period_s=2.5e-9)


def test_energy_is_the_sum_by_hand():
    found = energy(library())
    # 2 fJ per fF and transition: a (1 fF), D (2), the gate's A (2) and B (2) move twice each, in three cycles.
    assert found.switching == pytest.approx(2 * 2 * (1 + 2 + 2 + 2) * 1e-3 / 3)
    # The inverter twice 3 + 2 / 2, D twice 1, Q twice 7; the gate 3 by A, then the mean of 3 and 5 by both.
    assert found.internal == pytest.approx((8 + 2 + 14 + 3 + 4) * 1e-3 / 3)
    # 3 fF up and down at 2 V; D differs from Q before the first two rising edges, not before the third; falling 2.
    assert found.clock == pytest.approx((3 * 12 + 9 + 9 + 5 + 3 * 2) * 1e-3 / 3)
    # Q is 1 in one of four cycles.
    assert found.leakage == pytest.approx((4 + 4 + (10 + 3 * 20) / 4) * 1e-9 * 2.5e-9 * 1e12)
    assert found.total == pytest.approx(found.switching + found.internal + found.clock + found.leakage)


def test_a_flip_flop_shows_its_input_one_cycle_later():
    netlist = read_netlist(written(), Library(library()))
    waves = net_waves(netlist, {"a": wave(*A), "b": wave(*B)})
    assert waves[5].astype(int).tolist() == [[0, 1, 0, 0]]
    assert waves[7].astype(int).tolist() == [[1, 0, 1, 1]]


@pytest.mark.parametrize(
    ("old", "new", "factor"), [("nom_voltage : 2.0", "nom_voltage : 1.0", 0.25), ("(1, ff)", "(1, pf)", 1000)]
)
def test_net_energy_follows_voltage_and_unit(old, new, factor):
    changed = energy(library(setup=SETUP.replace(old, new)))
    assert changed.switching == pytest.approx(factor * energy(library()).switching)


def test_supplies_add_up():
    tail = 'internal_power () { related_pin : "C"; related_pg_pin : VSS; power (load) { values ("11, 11"); } } } }'
    two = library().replace('power (load) { values ("7, 7"); } } }', 'power (load) { values ("7, 7"); } }' + tail[:-2])
    assert energy(two).internal == pytest.approx(energy(library()).internal + 2 * 11e-3 / 3)


def test_a_register_that_is_known_is_compared():
    assert energy(library(), {"q": wave(0, 1, 0, 0)}) == energy(library())
    with pytest.raises(BackendError, match=r"^the netlist's ff/Q differs from the model of the processing element$"):
        energy(library(), {"q": wave(0, 1, 0, 1)})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"nand": ("NAND9", {"Y": [7]})}, r"library 'by_hand' has no cell 'NAND9', which the netlist uses"),
        ({"nand": ("NAND2", {"Z": [7]})}, r"cell 'NAND2' of library 'by_hand' has no pin 'Z' in its description"),
        (
            {"nand": ("NAND2", {"A": [5], "B": [9], "Y": [7]})},
            r"1 cells of the netlist wait for nets that nothing drives, nand first",
        ),
        (
            {"ff": ("DFFR", {"C": [3], "R": ["1"], "D": [4], "Q": [5]})},
            r"flip-flop ff of the netlist is not clocked by clk_i",
        ),
    ],
)
def test_a_netlist_that_cannot_be_followed_is_refused(changed, words):
    with pytest.raises(BackendError, match=rf"^{words}$"):
        energy(library(), **changed)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('function : "!(A B)";', "", r"pin NAND2/Y has no function in the library; its net's wave cannot be told"),
        ('"!(A B)"', '"!(A B"', r"the library's expression '!\(A B' cannot be read; names, .* are known"),
        (
            "cell(NAND2) {",
            "cell(NAND2) { latch (X, XN) { }",
            r"cell 'NAND2' of library 'by_hand' has a latch, which cannot be evaluated",
        ),
        ("capacitance : 2;", "capacitance : two;", r"cell '\w+' of library 'by_hand' cannot be read: .*'two'"),
        ("capacitance : 2;", "", r"pin \w+/\w of library 'by_hand' has no capacitance"),
        ("nom_voltage : 2.0;", "", r"library 'by_hand' has no figure nom_voltage; energy cannot be told without it"),
        ("(1, ff)", "(1, gallon)", r"library 'by_hand' has no capacitive_load_unit \(1, ff\) or \(1, pf\)"),
        ('"1V"', '"1X"', r"library 'by_hand' has voltage_unit '1X'; it must be like '1V'"),
        ("total_output_net", "equal_or_opposite", r"power_lut_template 'load' depends on equal_or.*; .* are known"),
        ('"3, 53"', '"3"', r"a power table of template 'load' has 1 values for indices of \(2,\)"),
        ("rise_power (load)", "rise_power (lost)", r".*no power_lut_template 'lost', which a power table names"),
        ("cell(INV) {", "cell INV {", r"the Liberty library has 'cell' where an attribute .*; is it damaged\?"),
        ("cell(DFFR) {", "cell(DFFR) { {", r"the Liberty library has '{' where an attribute .*; is it damaged\?"),
    ],
)
def test_a_library_that_cannot_be_used_is_refused(old, new, words):
    assert old in library()
    with pytest.raises(BackendError, match=rf"^{words}$"):
        energy(library().replace(old, new))


@pytest.mark.parametrize("text", [library()[:-20], "library(x) " + "{ a() " * 5000])
def test_a_library_that_does_not_end_is_refused(text):
    with pytest.raises(BackendError, match=r"^the Liberty library ends within a group; is the file damaged\?$"):
        Library(text)
