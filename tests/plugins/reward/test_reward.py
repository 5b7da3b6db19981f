"""The reward keeps the contract of selectors, and chooses by Q-SpiNN's Eq. 5."""

import pytest

import spikequant_reward
from spikequant import Candidate
from spikequant.errors import UsageError
from spikequant.testing import selector_checks
from spikequant_reward.selector import Reward

MILLION = 1_000_000
UNSUPERVISED = {"W(Q1.8)-N(Qi.8)": (86.56, 3.194), "W(Q1.6)-N(FP32)": (86.27, 3.94), "W(Q1.6)-N(Qi.6)": (86.24, 3.987)}
SUPERVISED = {
    "W(FP32)-N(Qi.16)": (96.14, 1.165),
    "W(Q1.14)-N(Qi.14)": (95.14, 1.926),
    "W(Q1.12)-N(Qi.12)": (94.14, 2.132),
}


@selector_checks(Reward(), Reward(mu=0.0), Reward(mu=5.0))
def test_contract(selector, check):
    check(selector)


def test_hook_offers_the_class():
    assert spikequant_reward.spikequant_selectors() == [Reward]


def printed(table):
    """The paper's printed accuracies (percent) and memory savings as candidates."""
    return [Candidate(label, acc / 100, round(MILLION / saving), MILLION) for label, (acc, saving) in table.items()]


@pytest.mark.parametrize(
    ("table", "mu", "label"),
    [
        (UNSUPERVISED, 0.01, "W(Q1.8)-N(Qi.8)"),
        (UNSUPERVISED, 0.1, "W(Q1.6)-N(FP32)"),
        (UNSUPERVISED, 0.2, "W(Q1.6)-N(Qi.6)"),
        (UNSUPERVISED, 0.3, "W(Q1.6)-N(Qi.6)"),
        (UNSUPERVISED, 1.0, "W(Q1.6)-N(Qi.6)"),
        (SUPERVISED, 0.01, "W(FP32)-N(Qi.16)"),
        (SUPERVISED, 0.1, "W(Q1.14)-N(Qi.14)"),
        (SUPERVISED, 0.2, "W(Q1.12)-N(Qi.12)"),
        (SUPERVISED, 1.0, "W(Q1.12)-N(Qi.12)"),
    ],
)
def test_the_papers_printed_table_selects_by_its_own_arithmetic(table, mu, label):
    """Q-SpiNN's text has mu = 0.1 and 0.3 of the unsupervised network swapped; Eq. 5 says this."""
    candidates = printed(table)
    for given in (candidates, candidates[::-1]):
        assert given[Reward(mu=mu).select(given).index].label == label


def test_a_tie_goes_to_the_smaller_and_then_to_the_earlier():
    large, small = Candidate("large", 0.75, 50, 100), Candidate("small", 0.5, 25, 100)
    again = Candidate("again", 0.5, 25, 100)
    assert Reward(mu=1.0).select([large, small, again]).index == 1
    assert Reward(mu=1.0).select([again, large, small]).index == 0


def test_without_weight_on_memory_the_most_accurate_wins():
    candidates = [Candidate("a", 0.9, 100, 100), Candidate("b", 0.8, 1, 100)]
    assert Reward(mu=0.0).select(candidates).index == 0
    assert Reward(mu=0.2).select(candidates).index == 1


def test_the_reason_is_a_sentence_with_its_numbers():
    assert Reward(mu=0.3).select(printed(UNSUPERVISED)).why == (
        "W(Q1.6)-N(Qi.6): reward 0.7872 = accuracy 0.8624 - mu 0.3 x memory 0.2508 of FP32, the highest of 3"
    )


def test_nothing_to_select_from():
    with pytest.raises(UsageError, match=r"^there is no candidate to select from; explore first$"):
        Reward().select([])


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"^selector 'reward': mu is -0.1; it must not be negative$"):
        Reward(mu=-0.1)


@pytest.mark.parametrize("mu", [float("inf"), float("nan")])
def test_an_infinite_weight_is_refused(mu):
    with pytest.raises(ValueError, match=rf"^selector 'reward': mu is {mu}; it must be finite$"):
        Reward(mu=mu)
