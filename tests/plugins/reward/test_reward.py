"""The reward keeps the contract of selectors, and chooses by Q-SpiNN's Eq. 5."""

from fractions import Fraction

import pytest

import spikequant_reward
from spikequant import Candidate
from spikequant.errors import UsageError
from spikequant.formats import FP32, QFormat
from spikequant.memory_papers import usnn_memory
from spikequant.testing import selector_checks
from spikequant_reward.selector import Reward

MILLION = 1_000_000
PAPER_MUS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 1)
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
    """With the printed savings Q-SpiNN's text has mu = 0.1 and 0.3 of the unsupervised network swapped."""
    candidates = printed(table)
    for given in (candidates, candidates[::-1]):
        assert given[Reward(mu=mu).select(given).index].label == label


W6, W6_N6 = "W(Q1.6)-N(FP32)", "W(Q1.6)-N(Qi.6)"


def rewards(memory_norms, mu):
    """Eq. 5 in exact fractions, from the paper's printed accuracies."""
    return {label: Fraction(str(UNSUPERVISED[label][0])) / 100 - mu * norm for label, norm in memory_norms.items()}


def test_at_a_tenth_the_papers_two_small_models_are_a_knife_edge():
    """The printed savings (3.94, 3.987) prefer W(Q1.6) by less than 1e-6; Eq. 7's own bits prefer the other."""
    mu = Fraction(1, 10)
    printed_norms = {label: 1 / Fraction(str(UNSUPERVISED[label][1])) for label in (W6, W6_N6)}
    found = rewards(printed_norms, mu)
    assert 0 < found[W6] - found[W6_N6] < Fraction(1, 10**6)
    assert Fraction(3, 10_000) / (printed_norms[W6] - printed_norms[W6_N6]) == pytest.approx(0.10027, abs=1e-5)

    counted = {W6: usnn_memory(QFormat(1, 6), FP32), W6_N6: usnn_memory(QFormat(1, 6), QFormat(11, 6))}
    found = rewards({label: Fraction(memory.bits, memory.fp32_bits) for label, memory in counted.items()}, mu)
    assert Fraction(-2, 10**6) < found[W6] - found[W6_N6] < 0


def test_with_the_bits_of_eq_7_every_mu_of_the_paper_selects_what_the_arithmetic_says():
    """So of the paper's text only mu = 0.3, for which it names W(Q1.6), is wrong whichever way memory is rounded."""
    memories = {
        "W(Q1.8)-N(Qi.8)": usnn_memory(QFormat(1, 8), QFormat(11, 8)),
        W6: usnn_memory(QFormat(1, 6), FP32),
        W6_N6: usnn_memory(QFormat(1, 6), QFormat(11, 6)),
    }
    candidates = [
        Candidate(label, UNSUPERVISED[label][0] / 100, memory.bits, memory.fp32_bits)
        for label, memory in memories.items()
    ]
    chosen = {mu: candidates[Reward(mu=mu).select(candidates).index].label for mu in PAPER_MUS}
    assert chosen == {0.01: "W(Q1.8)-N(Qi.8)", **dict.fromkeys((0.1, 0.2, 0.3, 0.4, 0.5, 1), W6_N6)}


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
        "W(Q1.6)-N(Qi.6): reward 0.7872 = accuracy 0.8624 - mu 0.3 x memory 0.2508 of FP32, the highest of 3;"
        " runner-up W(Q1.6)-N(FP32): 0.0006 less"
    )


def test_a_tie_says_why_the_runner_up_is_not_the_choice():
    candidates = [Candidate("large", 0.75, 50, 100), Candidate("small", 0.5, 25, 100)]
    selection = Reward(mu=1.0).select(candidates)
    assert (selection.index, selection.runner_up) == (1, 0)
    assert selection.why.endswith("the highest of 2; runner-up large: as high, and no smaller")


def test_one_candidate_has_no_runner_up():
    selection = Reward().select([Candidate("only", 0.75, 50, 100)])
    assert (selection.index, selection.runner_up) == (0, None)
    assert selection.why.endswith("of FP32, the highest of 1")


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
