"""A choice among explored settings: whom a selector is given, what it chose, and the front of everything."""

import pytest

from spikequant import Candidate, Selection, Selector
from spikequant.choice import choose
from spikequant.errors import UsageError
from spikequant.explore import Evaluation, Exploration, Plan, PlannedAxis, Scheme, Setting
from spikequant.formats import FP32, QFormat
from spikequant.rounding import Rounding
from spikequant_reward.selector import Reward
from spikequant_selectors import MaxDrop, MaxMemory, Pareto

LEVELS = (FP32, QFormat(1, 8), QFormat(1, 6), QFormat(1, 4))
RIGHT = {FP32: 870, QFormat(1, 8): 865, QFormat(1, 6): 861, QFormat(1, 4): 700}


def setting(fmt, rounding=Rounding.RN):
    return Setting(Scheme.PTQ, rounding, (("w", fmt),))


def evaluation(fmt, rounding=Rounding.RN, right=None):
    return Evaluation(setting(fmt, rounding), RIGHT[fmt] if right is None else right, 1000, 10 * fmt.width, 320, 0.1)


def exploration(visited=None, target=1.0, complete=True):
    plan = Plan((PlannedAxis("w", ("w",), tuple((fmt,) for fmt in LEVELS)),), target=target)
    visited = [evaluation(fmt) for fmt in LEVELS] if visited is None else visited
    return Exploration(plan, {"w"}, evaluation(FP32), tuple(visited), complete)


class Given(Selector):
    """Remembers what it was given."""

    name = "given"

    def select(self, candidates):
        self.given = list(candidates)
        return Selection(0, candidates[0].label, 1 if len(candidates) > 1 else None)


class GivenAll(Given):
    considers = "all"


def labels(candidates):
    return [candidate.label for candidate in candidates]


W8, W6, W4 = "PTQ RN W(Q1.8)", "PTQ RN W(Q1.6)", "PTQ RN W(Q1.4)"


def test_a_selector_is_given_what_is_within_the_target():
    selector = Given()
    choice = choose(exploration(), selector)
    assert labels(selector.given) == ["PTQ RN W(FP32)", W8, W6]
    assert selector.given[1] == Candidate(W8, 0.865, 100, 320, 0.87)
    assert (choice.considered, len(choice.evaluations)) == (3, 4)


@pytest.mark.parametrize(("selector", "everything"), [(GivenAll(), False), (Given(), True)])
def test_or_all_that_was_evaluated(selector, everything):
    choice = choose(exploration(), selector, everything=everything)
    assert labels(selector.given) == ["PTQ RN W(FP32)", W8, W6, W4]
    assert choice.considered == 4


def test_indices_are_those_of_all_evaluations():
    visited = [evaluation(QFormat(1, 4)), evaluation(QFormat(1, 8)), evaluation(QFormat(1, 6))]
    choice = choose(exploration(visited), Given())
    assert (choice.index, choice.runner_up) == (1, 2)
    assert choice.candidates[choice.index].label == W8


def test_the_front_is_that_of_everything():
    choice = choose(exploration(), Given())
    assert [choice.candidates[i].label for i in choice.front] == [W4, W6, W8, "PTQ RN W(FP32)"]


def test_the_float_setting_counts_once_whatever_its_rounding():
    visited = [evaluation(FP32, rounding) for rounding in Rounding] + [evaluation(QFormat(1, 8), r) for r in Rounding]
    assert len(choose(exploration(visited), Given()).evaluations) == 4


def test_bundled_selectors_choose():
    assert choose(exploration(), Reward(mu=0.1)).index == 2
    assert choose(exploration(), Reward(mu=1.0)).index == 2
    assert choose(exploration(), MaxDrop(drop=0.5)).index == 1
    assert choose(exploration(), MaxDrop(drop=17.0)).index == 3
    assert choose(exploration(), MaxMemory(bits=79)).index == 3
    assert choose(exploration(), Pareto("small")).index == 2
    assert choose(exploration(), Pareto("small"), everything=True).index == 3


def test_nobody_within_the_target_is_told_with_the_nearest():
    choice = choose(exploration([evaluation(QFormat(1, 6)), evaluation(QFormat(1, 4))], target=0.5), Reward())
    assert (choice.index, choice.runner_up) == (None, None)
    assert choice.why == (
        "none of 2 evaluated settings is within the exploration's target, 0.5 points below FP32 (87.00 %); the nearest"
        " is PTQ RN W(Q1.6) with 86.10 %, 0.90 points below; choose among all of them with --all, or explore with a"
        " larger --target"
    )
    assert [choice.candidates[i].label for i in choice.front] == [W4, W6]


def test_nobody_within_the_demand_is_told_in_the_selectors_words():
    choice = choose(exploration(), MaxMemory(bits=10))
    assert choice.index is None
    assert choice.why.startswith("none of 4 candidates is within 10 bits; the nearest is PTQ RN W(Q1.4): ")


def test_nothing_evaluated_is_an_error():
    with pytest.raises(UsageError, match=r"^there is no candidate to select from; explore first$"):
        choose(exploration([]), Reward())


def test_as_json():
    data = choose(exploration(complete=False), Reward()).to_json()
    assert data["chosen"] == {
        "label": W6,
        "scheme": "PTQ",
        "rounding": "RN",
        "formats": {"w": "Q1.6"},
        "scratch": False,
        "accuracy": 0.861,
        "memory_bits": 80,
        "reference_bits": 320,
        "saving": 4.0,
        "meets_target": True,
    }
    assert data["runner_up"]["label"] == W8
    assert [row["label"] for row in data["front"]] == [W4, W6, W8, "PTQ RN W(FP32)"]
    assert [row["meets_target"] for row in data["front"]] == [False, True, True, True]
    counts = ("complete", "target", "baseline", "samples", "evaluated", "considered")
    assert [data[key] for key in counts] == [False, 1.0, 0.87, 1000, 4, 3]
