"""Axes: which level lists and groups can be used, and what is said of those that cannot."""

import pytest

from spikequant.errors import UsageError
from spikequant.explore import Axis, make_axes, parse_group, parse_levels, planned
from spikequant.formats import FP32, IntFormat, QFormat

NAMES = ("w", "V", "Vth")


def test_levels_are_fraction_bits_integers_or_floats():
    assert parse_levels("w=16,14,0") == ("w", (16, 14, 0))
    assert parse_levels("N=FP32, 8, 6") == ("N", (FP32, 8, 6))
    assert parse_levels("w=INT8,INT4,INT2") == ("w", (IntFormat(8), IntFormat(4), IntFormat(2)))
    assert parse_levels("w=FP32,INT8") == ("w", (FP32, IntFormat(8)))
    assert parse_levels("w=FP32") == ("w", (FP32,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w=", r"axis 'w' has no levels; give some in descending order, such as w=16,14,12"),
        ("w", r"--levels 'w' is not of the form NAME=VALUE,VALUE,...; write it like w=16,14,12"),
        ("=8", r"--levels '=8' is not of the form NAME=VALUE,VALUE,...; write it like w=16,14,12"),
        ("w=8,,4", r"--levels 'w=8,,4' has an empty item; write it like w=16,14,12"),
        ("w=4,8", r"axis 'w': level 8 comes after 4; give the levels in descending precision"),
        ("w=8,FP32", r"axis 'w': level FP32 comes after 8; give the levels in descending precision"),
        ("w=INT4,INT8", r"axis 'w': level INT8 comes after INT4; give the levels in descending precision"),
        ("w=8,8", r"axis 'w': level 8 is there twice; give each level once"),
        ("w=8,6,8", r"axis 'w': level 8 is there twice; give each level once"),
        ("w=FP32,FP32", r"axis 'w': level FP32 is there twice; give each level once"),
        ("w=INT8,4", r"axis 'w' mixes fraction bits, Q formats and INTn; give levels of one kind"),
        ("w=FP32,8,INT4", r"axis 'w' mixes fraction bits, Q formats and INTn; give levels of one kind"),
        ("w=Q1.6,4", r"axis 'w' mixes fraction bits, Q formats and INTn; give levels of one kind"),
        ("w=UQ0.3,UQ0.4", r"axis 'w': level UQ0.4 comes after UQ0.3; give the levels in descending precision"),
        ("w=Q1", r"format 'Q1' is not known; write it like Q1.6, UQ1.6, INT4 or FP32"),
        (
            "w=-1",
            r"axis 'w': level '-1' is not known; give a number of fraction bits, or a format such as"
            r" Q1.6, UQ0.5, INT4 or FP32",
        ),
        ("w=FP16", r"format 'FP16' is not known; write it like Q1.6, UQ1.6, INT4 or FP32"),
        ("w=33", r"axis 'w': level 33 must be 0 to 32 fraction bits"),
        ("w=INT99", r"format INT99 has 99 bits; it must have 2 to 32"),
    ],
)
def test_levels_that_cannot_be_used_are_refused_by_name(text, message):
    with pytest.raises(UsageError) as caught:
        parse_levels(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("levels", "groups", "message"),
    [
        ([], [], r"no quantity has levels; give --levels for one of: w, V, Vth"),
        (
            [("x", (8,))],
            [],
            r"--levels 'x' is no quantity or group; known: w, V, Vth; a group is made with --group x=QUANTITY,QUANTITY",
        ),
        ([("w", (8,)), ("w", (6,))], [], r"--levels is given twice for 'w'; give it once"),
        ([("N", (8,))], [("N", ("V", "U"))], r"--group 'N' names 'U'; what can be explored: w, V, Vth"),
        (
            [("N", (8,))],
            [("N", ("V",)), ("M", ("V",))],
            r"'V' is in the groups 'N' and 'M'; leave it in one",
        ),
        (
            [("V", (8,))],
            [("N", ("V", "Vth"))],
            r"--levels 'V': it is part of the group 'N'; give the group's levels",
        ),
        (
            [("V", (8,))],
            [("V", ("V", "Vth"))],
            r"--group 'V' has the name of a quantity; give the group another name",
        ),
    ],
)
def test_names_that_cannot_be_used_are_refused(levels, groups, message):
    with pytest.raises(UsageError) as caught:
        make_axes(NAMES, levels, groups)
    assert str(caught.value) == message


def test_a_group_is_one_axis_and_quantities_without_levels_are_none():
    group = parse_group("N=V,Vth")
    assert make_axes(NAMES, [("N", (8, 6)), ("w", (4,))], [group]) == (
        Axis("w", ("w",), (4,)),
        Axis("N", ("V", "Vth"), (8, 6)),
    )
    assert make_axes(NAMES, [("V", (8,))]) == (Axis("V", ("V",), (8,)),)
    assert [axis.levels for axis in make_axes(NAMES, [("V", (8,))], default=(4, 2))] == [(4, 2), (8,), (4, 2)]


@pytest.mark.parametrize("text", ["N", "N=", "N=V,V", "N=V,,Vth", "1=V"])
def test_group_texts_of_another_form_are_refused(text):
    with pytest.raises(UsageError, match=r"^--group "):
        parse_group(text)


def test_integer_bits_come_from_the_range_of_each_quantity():
    axis = planned(Axis("N", ("V", "Vth"), (FP32, 8)), {"V": (-887.29, 1250.18), "Vth": (-52, 1271.88)})
    assert axis.levels == ((FP32, FP32), (QFormat(11, 8), QFormat(11, 8)))
    assert planned(Axis("w", ("w",), (6,)), {"w": (0.0, 1.0)}, ["w"]).levels == ((QFormat(1, 6, signed=False),),)
    assert planned(Axis("w", ("w",), (IntFormat(4),)), {}).levels == ((IntFormat(4),),)


def test_formats_that_cannot_be_made_are_refused():
    with pytest.raises(UsageError, match=r"^quantity 'w' has no calibrated range, so 8 fraction bits are no format"):
        planned(Axis("w", ("w",), (8,)), {})
    with pytest.raises(
        UsageError, match=r"^quantity 'w' goes down to -0.5, so it cannot be unsigned; leave it signed$"
    ):
        planned(Axis("w", ("w",), (8,)), {"w": (-0.5, 1)}, ["w"])
    with pytest.raises(UsageError, match=r"^range is 0..nan"):
        planned(Axis("w", ("w",), (8,)), {"w": (0, float("nan"))})
