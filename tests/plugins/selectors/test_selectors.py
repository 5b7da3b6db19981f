"""Selection by the front, by a bound on accuracy and by a bound on memory."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikequant_selectors
from spikequant import Candidate
from spikequant.errors import UnmetError, UsageError
from spikequant.pareto import pareto_front
from spikequant.testing import selector_checks
from spikequant_selectors import MaxDrop, MaxMemory, Pareto

FP32 = 0.87
TABLE = [
    Candidate("W(Q1.8)-N(Qi.8)", 0.8656, 3_158_400, 10_086_400, FP32),
    Candidate("W(Q1.6)-N(FP32)", 0.8627, 2_560_000, 10_086_400, FP32),
    Candidate("W(Q1.6)-N(Qi.6)", 0.8624, 2_529_600, 10_086_400, FP32),
    Candidate("W(Q1.4)-N(Qi.4)", 0.7000, 1_900_800, 10_086_400, FP32),
]
LISTS = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abc"),
        st.integers(0, 10_000).map(lambda right: right / 10_000),
        st.integers(1, 1000),
        st.just(1000),
        st.just(0.9),
    ),
    min_size=1,
    max_size=20,
)


@selector_checks(
    Pareto(),
    Pareto(point="accurate"),
    Pareto(point="small"),
    MaxDrop(),
    MaxDrop(drop=0.0),
    MaxDrop(drop=100.0),
    MaxDrop(baseline=1.0, drop=0.0),
    MaxMemory(),
    MaxMemory(bits=1),
    MaxMemory(ratio=0.5, bits=100),
)
def test_contract(selector, check):
    check(selector)


def test_hook_offers_the_classes():
    assert spikequant_selectors.spikequant_selectors() == [Pareto, MaxDrop, MaxMemory]


@given(LISTS)
def test_every_choice_is_on_the_front(candidates):
    front = pareto_front(candidates)
    for selector in (Pareto(), Pareto("accurate"), Pareto("small"), MaxDrop(100.0), MaxMemory(ratio=1.0)):
        assert selector.select(candidates).index in front


@given(LISTS, st.integers(0, 1000).map(lambda tenths: tenths / 10))
def test_max_drop_is_the_smallest_within_the_bound_in_whole_samples(candidates, drop):
    right = [round(candidate.accuracy * 10_000) for candidate in candidates]
    within = [i for i, count in enumerate(right) if 9000 - count <= round(drop * 10) * 10]
    if not within:
        with pytest.raises(UnmetError):
            MaxDrop(drop).select(candidates)
        return
    smallest = min(candidates[i].memory_bits for i in within)
    index = MaxDrop(drop).select(candidates).index
    assert index in within
    assert candidates[index].memory_bits == smallest


@given(LISTS, st.integers(1, 1000))
def test_max_memory_is_the_most_accurate_within_the_bound_given_either_way(candidates, bits):
    within = [candidate.accuracy for candidate in candidates if candidate.memory_bits <= bits]
    for selector in (MaxMemory(bits=bits), MaxMemory(ratio=bits / 1000)):
        if not within:
            with pytest.raises(UnmetError):
                selector.select(candidates)
            continue
        chosen = candidates[selector.select(candidates).index]
        assert chosen.accuracy == max(within)
        assert chosen.memory_bits <= bits


def test_the_papers_choice_within_one_point():
    """Q-SpiNN, Section V-B: with 1 % tolerance W(Q1.6)-N(Qi.6) is the one."""
    selection = MaxDrop(drop=1.0).select(TABLE)
    assert selection.why == (
        "W(Q1.6)-N(Qi.6): accuracy 86.24 % in 0.2508 of FP32, the smallest of 3 (4 candidates) within 1 point of FP32"
        " (87.00 %); runner-up W(Q1.6)-N(FP32): accuracy 86.27 % in 0.2538 of FP32"
    )
    assert (selection.index, selection.runner_up) == (2, 1)


def test_a_bound_that_is_met_to_the_sample_is_met():
    """0.87 - 0.86 is more than 0.01 in floats, and 1 point in whole samples."""
    candidates = [Candidate("a", 0.86, 1, 2, 0.87)]
    assert 0.87 - 0.86 > 0.01
    assert MaxDrop(drop=1.0).select(candidates).index == 0
    with pytest.raises(UnmetError):
        MaxDrop(drop=0.99).select(candidates)


def test_nobody_within_the_drop_names_the_nearest_and_what_it_takes():
    with pytest.raises(
        UnmetError,
        match=r"^none of 4 candidates is within 0\.1 points of FP32 \(87\.00 %\); the nearest is W\(Q1\.8\)-N\(Qi\.8\):"
        r" accuracy 86\.56 % in 0\.3131 of FP32, which takes a drop of 0\.44 points$",
    ):
        MaxDrop(drop=0.1).select(TABLE)


def test_what_the_nearest_takes_suffices():
    candidates = [Candidate("a", 2 / 3, 1, 2, 0.87)]
    with pytest.raises(UnmetError) as caught:
        MaxDrop(drop=1.0).select(candidates)
    assert str(caught.value).endswith("takes a drop of 20.34 points")
    assert MaxDrop(drop=20.34).select(candidates).index == 0


def test_a_baseline_given_replaces_that_of_the_candidates():
    assert MaxDrop(drop=0.1, baseline=0.8657).select(TABLE).index == 0
    without = [Candidate("a", 0.5, 1, 2)]
    assert MaxDrop(baseline=0.5).select(without).index == 0
    with pytest.raises(
        UsageError, match=r"^candidate 'a' does not say how accurate its FP32 model is; give the option baseline$"
    ):
        MaxDrop().select(without)


def test_among_equally_small_ones_the_more_accurate_then_the_earlier():
    candidates = [Candidate(str(i), accuracy, 5, 10, 0.9) for i, accuracy in enumerate((0.89, 0.9, 0.9))]
    assert MaxDrop().select(candidates).index == 1


def test_max_memory_by_ratio_by_bits_and_by_both():
    assert MaxMemory(ratio=0.26).select(TABLE).index == 1
    assert MaxMemory(bits=2_529_600).select(TABLE).index == 2
    assert MaxMemory(ratio=0.26, bits=2_000_000).select(TABLE).index == 3
    assert MaxMemory(ratio=0.2, bits=2_600_000).select(TABLE).index == 3
    assert MaxMemory().select(TABLE).index == 3


def test_nobody_within_the_memory_names_the_nearest_and_what_it_takes():
    with pytest.raises(
        UnmetError,
        match=r"^none of 4 candidates is within 0\.1 of FP32 and 500,000 bits; the nearest is W\(Q1\.4\)-N\(Qi\.4\):"
        r" accuracy 70\.00 % in 0\.1885 of FP32, which takes 1,900,800 bits \(0\.1885 of FP32\)$",
    ):
        MaxMemory(ratio=0.1, bits=500_000).select(TABLE)
    assert MaxMemory(ratio=0.1885).select(TABLE).index == 3


def test_the_knee_says_how_far_it_stands_out():
    selection = Pareto().select(TABLE)
    assert selection.why == (
        "W(Q1.6)-N(Qi.6): accuracy 86.24 % in 0.2508 of FP32, the knee of the front of 4 (4 candidates): 0.48 of its"
        " rise above the line between its ends; runner-up W(Q1.6)-N(FP32): accuracy 86.27 % in 0.2538 of FP32"
    )
    assert (selection.index, selection.runner_up) == (2, 1)


def test_a_front_without_a_knee_gives_its_most_accurate():
    candidates = [Candidate("a", 0.0, 1, 100), Candidate("b", 0.25, 50, 100), Candidate("c", 1.0, 99, 100)]
    selection = Pareto().select(candidates)
    assert (selection.index, selection.runner_up) == (2, 1)
    assert "the most accurate of the front of 3 (3 candidates), which has no knee" in selection.why


def test_the_ends_of_the_front():
    assert Pareto("accurate").select(TABLE).index == 0
    assert Pareto("small").select(TABLE).index == 3
    assert "the smallest of the front of 4" in Pareto("small").select(TABLE).why


def test_a_front_of_one():
    selection = Pareto().select([*TABLE, Candidate("best", 0.9, 1, 10_086_400)])
    assert (selection.index, selection.runner_up) == (4, None)
    assert selection.why.endswith("; it stands alone there")


@pytest.mark.parametrize("selector", [Pareto(), MaxDrop(), MaxMemory()], ids=lambda s: s.name)
def test_nothing_to_select_from(selector):
    with pytest.raises(UsageError, match=r"^there is no candidate to select from; explore first$"):
        selector.select([])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pareto("middle"), "selector 'pareto': point is 'middle'; it must be one of knee, accurate, small"),
        (lambda: MaxDrop(drop=-1), "selector 'max-drop': drop is -1; it must be 0 to 100 points of accuracy"),
        (lambda: MaxDrop(float("nan")), "selector 'max-drop': drop is nan; it must be 0 to 100 points of accuracy"),
        (lambda: MaxDrop(baseline=87), "selector 'max-drop': baseline is 87; it must be 0 to 1"),
        (lambda: MaxMemory(ratio=0), "selector 'max-memory': ratio is 0; it must be more than 0 and at most 1"),
        (lambda: MaxMemory(ratio=4), "selector 'max-memory': ratio is 4; it must be more than 0 and at most 1"),
        (lambda: MaxMemory(bits=0), "selector 'max-memory': bits is 0; it must be 1 or more"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
