"""Settings, plans and memory: names, keys and the paper's figures."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "explore_support"))

from explore_tables import QUANTITIES, plan

from spikequant.errors import UsageError
from spikequant.explore import Plan, Scheme, Setting, Visit, memory_of
from spikequant.formats import FP32, IntFormat, QFormat
from spikequant.quantity import Quantity
from spikequant.rounding import Rounding


def setting(w, v, vth=None, **changes):
    formats = (("w", w), ("V", v), ("Vth", vth or v))
    return Setting(**{"scheme": Scheme.PTQ, "rounding": Rounding.RN, "formats": formats, **changes})


@pytest.mark.parametrize(
    ("w", "n", "ratio"),
    [(QFormat(1, 8), QFormat(11, 8), 3.1935), (QFormat(1, 6), FP32, 3.9400), (QFormat(1, 6), QFormat(11, 6), 3.9873)],
)
def test_memory_is_the_papers(w, n, ratio):
    assert round(memory_of(setting(w, n), QUANTITIES).ratio, 4) == ratio


def test_memory_counts_each_quantity_by_its_own_width():
    mixed = memory_of(setting(QFormat(1, 5, signed=False), FP32, QFormat(11, 2)), QUANTITIES)
    assert [(g.name, g.fmt.width) for g in mixed.groups] == [
        ("w", 6),
        ("V", 32),
        ("Vth", 14),
        ("Vreset", 8),
        ("theta", 8),
    ]
    assert memory_of(setting(FP32, FP32), QUANTITIES).ratio == 1.0
    without_state = [Quantity("w", "variable", 10, "quantizer"), Quantity("c", "constant", 1, value=1.0)]
    only_w = Setting(Scheme.PTQ, Rounding.RN, (("w", IntFormat(4)),))
    assert [g.fmt.width for g in memory_of(only_w, without_state).groups] == [4, 8]


def test_an_unknown_quantity_is_refused():
    with pytest.raises(UsageError, match=r"^the model has no quantity 'U'; it has: w, V, Vth, Vreset, theta$"):
        memory_of(Setting(Scheme.PTQ, Rounding.RN, (("U", FP32),)), QUANTITIES)


@pytest.mark.parametrize(
    ("w", "v", "vth", "label"),
    [
        (QFormat(1, 6), FP32, FP32, "W(Q1.6)-N(FP32)"),
        (QFormat(1, 6), QFormat(11, 6), QFormat(11, 6), "W(Q1.6)-N(Q11.6)"),
        (QFormat(1, 6), QFormat(11, 6), QFormat(10, 6), "W(Q1.6)-N(Qi.6)"),
        (QFormat(1, 6, signed=False), QFormat(11, 6), QFormat(10, 4), "W(UQ1.6)-V(Q11.6)-Vth(Q10.4)"),
        (FP32, FP32, QFormat(10, 4), "W(FP32)-V(FP32)-Vth(Q10.4)"),
        (IntFormat(4), IntFormat(8), IntFormat(8), "W(INT4)-N(INT8)"),
    ],
)
def test_labels_are_the_papers(w, v, vth, label):
    assert setting(w, v, vth).label({"w"}) == label


def test_a_key_names_everything_that_decides_and_nothing_else():
    one = setting(QFormat(1, 6), FP32)
    assert one.key == "PTQ RN V=FP32 Vth=FP32 w=Q1.6"
    assert setting(QFormat(1, 6), FP32, formats=tuple(reversed(one.formats))).key == one.key
    assert setting(QFormat(1, 6), FP32, scheme=Scheme.ITQ, scratch=True).key.startswith("ITQ-scratch RN ")
    assert setting(FP32, FP32).key == setting(FP32, FP32, scheme=Scheme.ITQ, rounding=Rounding.SR).key
    assert Setting.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_plan_survives_json():
    one = plan(search="paper", target=0.5, scratch=True)
    assert Plan.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_visit_is_a_setting():
    found = plan().setting(Scheme.ITQ, Visit((1, 2, 0), 2))
    assert found == Setting(
        Scheme.ITQ, Rounding.SR, (("w", QFormat(1, 6)), ("V", QFormat(11, 4)), ("Vth", QFormat(11, 8)))
    )
    assert plan().float_setting.is_float


def test_the_target_is_met_exactly_or_not():
    """0.3 points of 1000 samples are 3 samples, and 0.1 + 0.2 is not 0.3 in floats."""
    assert plan(target=0.3).meets(897, 900, 1000)
    assert not plan(target=0.3).meets(896, 900, 1000)
    assert plan(target=0).meets(900, 900, 1000)
    assert not plan(target=0.1 + 0.2 - 1e-9).meets(897, 900, 1000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": ()}, r"^an exploration's axes are \[\]; give each once, one at least$"),
        ({"roundings": ()}, r"^an exploration's roundings are \[\]; "),
        ({"roundings": (Rounding.RN, Rounding.RN)}, r"^an exploration's roundings are \['RN', 'RN'\]; "),
        ({"schemes": ()}, r"^an exploration's schemes are \[\]; "),
        ({"target": -1.0}, r"^target is -1 points below FP32; it must be 0 to 100$"),
        ({"target": float("nan")}, r"^target is nan points below FP32; it must be 0 to 100$"),
        ({"search": "wide"}, r"^search 'wide' is not known; it must be one of paper, repaired, curves$"),
    ],
)
def test_plans_that_cannot_be_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        plan(**changes)
