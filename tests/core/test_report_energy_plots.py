"""Plots of energy: the words that they carry, and the values that they draw."""

import re

import pytest

from spikequant.energy.sheet import Column, Sheet
from spikequant.errors import UsageError
from spikequant.report.drawing import svg
from spikequant.report.energy_plots import drawn, energy_figure

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

SAID = {
    "table": "sata32",
    "technology": "32 nm",
    "source": "a source",
    "assumptions": ("UQ: the multiplier is $used$ once per output and timestep, " + "and idle otherwise " * 10,),
}


def sheet(kind, columns, rows, **changes):
    return Sheet(kind, "a title", **{**SAID, **changes}, columns=columns, rows=rows)


ZEROS = (Column("layer"), Column("zeros", "share"))
MEMORY = (Column("accounting"), Column("batch"), *(Column(name, "pJ") for name in ("W", "U", "S", "other")))
STEPS = (
    Column("timesteps"),
    Column("accuracy", "share"),
    Column("linear would be", "times"),
    Column("MINT: relative", "times"),
)
SHEETS = [
    sheet("sparsity", ZEROS, (("a", 0.8), ("b", 0.6), ("mean of layers", 0.7))),
    sheet("memory", MEMORY, (("stationary", 1, 1.0, 0.0, 2.0, 0.0), ("in_dram", 1, 1.0, 3.0, 2.0, 0.0))),
    sheet("timesteps", STEPS, ((1, 0.5, 0.5, 0.4), (2, None, 1.0, 1.0))),
]


def texts(figure):
    return " ".join(re.sub(r"<[^>]*>", " ", svg(figure)).split())


@pytest.mark.parametrize("given", SHEETS, ids=lambda given: given.kind)
def test_every_plot_says_its_table_and_all_of_its_assumptions(given):
    assert drawn(given)
    found = texts(energy_figure(given))
    for words in given.said:
        assert " ".join(words.split()) in found


def test_bars_are_the_values():
    sparsity, memory, _ = (energy_figure(given) for given in SHEETS)
    assert [bar.get_width() for bar in sparsity.axes[0].patches] == [60.0, 80.0]
    ours, theirs = memory.axes
    assert [bar.get_width() for bar in ours.patches] == [1.0, 2.0]
    assert [(bar.get_x(), bar.get_width()) for bar in theirs.patches] == [(0.0, 1.0), (1.0, 3.0), (4.0, 2.0)]


def test_lines_are_the_values_and_no_accuracy_is_no_panel():
    figure = energy_figure(SHEETS[2])
    assert list(figure.axes[0].lines[1].get_ydata()) == [0.4, 1.0]
    assert figure.axes[1].lines[0].get_ydata()[0] == 50.0
    bare = sheet("timesteps", STEPS, ((1, None, 0.5, 0.4),))
    assert len(energy_figure(bare).axes) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (sheet("savings", ZEROS, (("a", 0.8),)), r"sheet 'a title' \(savings\) has no plot; print it as a table"),
        (
            sheet("sparsity", ZEROS, ()),
            "sheet 'a title' has no row, so there is nothing to draw; count a run that does work",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(given, message):
    assert not drawn(given)
    with pytest.raises(UsageError, match=f"^{message}$"):
        energy_figure(given)
