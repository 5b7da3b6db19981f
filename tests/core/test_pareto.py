"""The Pareto front is what no candidate dominates, and its knee lies above the line between its ends."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spikequant import Candidate
from spikequant.pareto import knee_heights, pareto_front

FEW = st.builds(Candidate, st.just("c"), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(1, 6), st.just(6))
MANY = st.builds(Candidate, st.just("c"), st.floats(0, 1), st.integers(1, 10**9), st.just(10**9))


def dominates(one, other):
    no_worse = one.accuracy >= other.accuracy and one.memory_bits <= other.memory_bits
    return no_worse and (one.accuracy > other.accuracy or one.memory_bits < other.memory_bits)


def points(*pairs):
    return [Candidate(str(pair), accuracy, bits, 100) for pair in pairs for accuracy, bits in [pair]]


@given(st.lists(st.one_of(FEW, MANY), max_size=30))
def test_the_front_is_what_no_candidate_dominates(candidates):
    wanted = {i for i, one in enumerate(candidates) if not any(dominates(other, one) for other in candidates)}
    front = pareto_front(candidates)
    assert set(front) == wanted
    assert len(front) == len(wanted)


@given(st.lists(FEW, max_size=30))
def test_along_the_front_memory_and_accuracy_never_fall(candidates):
    front = [candidates[i] for i in pareto_front(candidates)]
    for one, other in pairwise(front):
        assert (one.memory_bits < other.memory_bits) == (one.accuracy < other.accuracy)
        assert one.memory_bits <= other.memory_bits


def test_a_front_by_hand():
    candidates = points((0.5, 10), (0.5, 9), (0.9, 30), (0.8, 30), (0.7, 40), (1.0, 100))
    assert pareto_front(candidates) == [1, 2, 5]


def test_equals_are_on_the_front_together_in_their_order():
    assert pareto_front(points((0.5, 10), (0.9, 10), (0.9, 10))) == [1, 2]


def test_nothing_has_no_front():
    assert pareto_front([]) == []
    assert knee_heights([], []) == []


def test_the_knee_by_hand():
    """Rise 0.8, width 80: (0.7, 30) lies 6/8 - 2/8 above the line, (0.8, 60) 7/8 - 5/8."""
    candidates = points((0.125, 16), (0.625, 24), (0.75, 48), (1.125, 80))
    assert knee_heights(candidates, pareto_front(candidates)) == [
        0,
        Fraction(1, 2) - Fraction(1, 8),
        Fraction(5, 8) - Fraction(1, 2),
        0,
    ]


def test_below_the_line_is_negative_and_one_point_has_no_line():
    candidates = points((0.0, 0), (0.25, 50), (1.0, 100))
    assert knee_heights(candidates, [0, 1, 2]) == [0, Fraction(-1, 4), 0]
    assert knee_heights(candidates, [1]) == [0]


@given(st.lists(FEW, min_size=1, max_size=30))
def test_the_ends_of_a_front_lie_on_the_line(candidates):
    heights = knee_heights(candidates, pareto_front(candidates))
    assert heights[0] == heights[-1] == 0
    assert all(-1 < height < 1 for height in heights)
