"""Panels of accuracy against bits, found in whatever was explored."""

import itertools

from spikequant.explore import Evaluation, Scheme, Setting
from spikequant.formats import FP32, IntFormat, QFormat
from spikequant.report.precision import FLOAT_LEVEL, Line, level_of, precision_panels
from spikequant.rounding import Rounding


def evaluation(right, scheme=Scheme.PTQ, rounding=Rounding.RN, **formats):
    return Evaluation(Setting(scheme, rounding, tuple(formats.items())), right, 100, 1, 1, 0.1)


def q(whole, fraction):
    return FP32 if fraction is None else QFormat(whole, fraction)


def test_levels():
    assert [level_of(fmt) for fmt in (QFormat(11, 6), IntFormat(4), FP32)] == [6, 4, FLOAT_LEVEL]


def test_quantities_that_go_together_are_one_group_and_each_group_has_a_panel():
    """V and Vth always share their fraction bits; their integer bits differ."""
    grid = itertools.product((None, 8, 4), (None, 6))
    found = precision_panels(
        [evaluation(90 - (w == 4) * 30 - (n == 6) * 5 - (w == 8), w=q(1, w), V=q(11, n), Vth=q(10, n)) for w, n in grid]
    )
    assert [panel.title for panel in found] == ["w alone (V, Vth at FP32)", "V, Vth alone (w at FP32)"]
    assert found[0].levels == (FLOAT_LEVEL, 8, 4)
    assert found[0].lines == (Line("RN", ((FLOAT_LEVEL, 0.9), (8, 0.89), (4, 0.6))),)
    assert found[1].lines == (Line("RN", ((FLOAT_LEVEL, 0.9), (6, 0.85))),)


def test_all_together_where_groups_share_levels():
    found = precision_panels(
        [evaluation(80 + w + v, w=QFormat(1, w), V=QFormat(11, v)) for w in (8, 4) for v in (8, 4)]
    )
    assert [panel.title for panel in found] == [
        "w alone (V at their finest)",
        "V alone (w at their finest)",
        "all together",
    ]
    assert found[2].lines == (Line("RN", ((8, 0.96), (4, 0.88))),)


def test_a_panel_per_approach_and_a_line_per_rounding_and_the_float_model_on_each():
    found = precision_panels(
        [
            evaluation(90, w=FP32),
            evaluation(80, rounding=Rounding.TR, w=QFormat(1, 4)),
            evaluation(85, rounding=Rounding.SR, w=QFormat(1, 4)),
            evaluation(88, Scheme.ITQ, w=QFormat(1, 4)),
        ]
    )
    assert [(panel.approach, panel.title) for panel in found] == [("PTQ", "w"), ("ITQ", "w")]
    assert [line.rounding for line in found[0].lines] == ["SR", "TR"]
    assert found[0].lines[1].points == ((FLOAT_LEVEL, 0.9), (4, 0.8))
    assert found[1].lines == (Line("RN", ((FLOAT_LEVEL, 0.9), (4, 0.88))),)


def test_one_level_is_no_panel():
    assert precision_panels([evaluation(90, w=QFormat(1, 4), V=FP32)]) == ()
    assert precision_panels([]) == ()
