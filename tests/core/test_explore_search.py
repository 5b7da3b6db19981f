"""The two searches: what they visit, on accuracy tables made by hand and at random."""

import itertools
import random

import numpy as np
import pytest

from spikequant.explore.search import Visit, Walk, deciding_visits, walk


def printed(levels, roundings, accuracy, least):
    """Q-SpiNN, Algorithm 1, lines 6-33, line by line; everything counts from 1 as there."""
    visited = []
    n_w, n_v, n_t = levels
    i_w = 1
    while i_w <= n_w:
        i_v = 1
        while i_v <= n_v:
            i_t = 1
            while i_t <= n_t:
                for rs in range(1, roundings + 1):
                    visited.append((i_w, i_v, i_t, rs))
                    if accuracy[i_w, i_v, i_t, rs] >= least:
                        continue
                    if i_w >= 1 and i_v == 1 and i_t == 1:
                        n_w = i_w - 1
                    elif i_w == 1 and i_v >= 1 and i_t == 1:
                        n_v = i_v - 1
                    elif i_w == 1 and i_v == 1 and i_t >= 1:
                        n_t = i_t - 1
                i_t += 1
            i_v += 1
        i_w += 1
    return visited


def table(levels, roundings, value):
    places = itertools.product(*(range(1, n + 1) for n in levels), range(1, roundings + 1))
    return {place: value(place) for place in places}


def visits(levels, roundings, accuracy, least, search):
    def passes(visit):
        return accuracy[(*(i + 1 for i in visit.point), visit.rounding + 1)] >= least

    return [(*(i + 1 for i in v.point), v.rounding + 1) for v in walk(levels, roundings, passes, search)]


HAND_MADE = {
    "nothing fails": lambda place: 1,
    "everything fails": lambda place: 0,
    "the first point fails in its last rounding": lambda place: place != (1, 1, 1, 3),
    "the first point fails in its first rounding": lambda place: place != (1, 1, 1, 1),
    "w fails from 2, once": lambda place: place != (2, 1, 1, 2),
    "V fails from 2": lambda place: not (place[1] >= 2),
    "Vth fails from 3": lambda place: not (place[2] >= 3),
    "the inside fails": lambda place: place[:3] != (2, 2, 2),
    "all but one rounding fail everywhere": lambda place: place[3] == 2,
    "a corner passes": lambda place: place[:3] in [(1, 1, 1), (3, 4, 3)],
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_paper_visits_what_the_printed_pseudo_code_visits_on_tables_made_by_hand(name):
    levels, roundings = (3, 4, 3), 3
    accuracy = table(levels, roundings, HAND_MADE[name])
    assert visits(levels, roundings, accuracy, 1, "paper") == printed(levels, roundings, accuracy, 1)


def test_paper_visits_what_the_printed_pseudo_code_visits_on_random_tables():
    for seed in range(600):
        chance = random.Random(seed)
        levels, roundings = tuple(chance.randint(1, 5) for _ in range(3)), chance.randint(1, 3)
        slope, least = chance.choice([0.0, 0.1, 0.3]), chance.random()
        accuracy = table(levels, roundings, lambda p, c=chance, s=slope: c.random() - s * (sum(p[:3]) - 3) + s)
        expected = printed(levels, roundings, accuracy, least)
        assert visits(levels, roundings, accuracy, least, "paper") == expected, seed


def test_at_the_first_point_only_the_first_branch_is_reached():
    """Failing at (1, 1, 1) makes Nw zero; V and Vth keep their bounds, and their loops go on inside the first w."""
    going = Walk((3, 3, 3), 1, "paper")
    going.advance(False)
    assert going.bounds == [0, 3, 3]
    assert [v.point[0] for v in walk((3, 3, 3), 1, lambda v: v.point != (0, 0, 0), "paper")] == [0] * 9


def test_repaired_stops_at_the_first_point_if_every_rounding_fails_there():
    assert [v.point for v in walk((3, 3, 3), 2, lambda visit: False)] == [(0, 0, 0)] * 2
    one_passes = list(walk((2, 2, 2), 2, lambda visit: visit.point != (0, 0, 0) or visit.rounding == 1))
    assert len(one_passes) == 16


def test_repaired_leaves_the_loop_of_the_failing_value_at_once():
    fails = {(1, 0, 0)}
    assert [v.point for v in walk((3, 2, 2), 1, lambda v: v.point not in fails)] == [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 0),
        (0, 1, 1),
        (1, 0, 0),
    ]
    fails = {(0, 1, 0)}
    assert [v.point for v in walk((2, 3, 2), 1, lambda v: v.point not in fails)] == [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 0),
        (1, 0, 0),
        (1, 0, 1),
    ]


def test_repaired_prunes_by_no_single_rounding_and_by_no_inner_point():
    inner = list(walk((2, 2), 3, lambda v: v.point != (1, 1)))
    single = list(walk((2, 2), 3, lambda v: v.rounding == 1))
    assert len(inner) == len(single) == 12


def monotone(levels, roundings, chance):
    values = chance.integers(0, 100, (*levels, roundings))
    for axis in range(len(levels)):
        values = np.minimum.accumulate(values, axis=axis)
    return values


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_repaired_finds_every_feasible_pareto_point_that_paper_finds_on_monotone_tables(axes):
    more = 0
    for seed in range(150):
        chance = np.random.default_rng(seed)
        levels, roundings = tuple(int(n) for n in chance.integers(1, 5, axes)), int(chance.integers(1, 4))
        values, least = monotone(levels, roundings, chance), int(chance.integers(1, 60))
        count = chance.integers(1, 50, axes)

        def passes(visit, values=values, least=least):
            return bool(values[(*visit.point, visit.rounding)] >= least)

        def memory(visit, count=count):
            return -int((count * np.array(visit.point)).sum())

        paper = {v for v in walk(levels, roundings, passes, "paper") if passes(v)}
        repaired = {v for v in walk(levels, roundings, passes) if passes(v)}
        front = {
            v
            for v in paper
            if not any(
                (values[(*o.point, o.rounding)], -memory(o)) != (values[(*v.point, v.rounding)], -memory(v))
                and values[(*o.point, o.rounding)] >= values[(*v.point, v.rounding)]
                and memory(o) <= memory(v)
                for o in paper
            )
        }
        assert front <= repaired
        feasible = {Visit(tuple(map(int, p[:-1])), int(p[-1])) for p in np.argwhere(values >= least)}
        assert repaired == feasible, "on monotone tables repaired misses nothing"
        more += len(repaired) > len(paper)
    assert more or axes == 1, "repaired must find more than paper somewhere"


@pytest.mark.parametrize("search", ["paper", "repaired"])
def test_what_decides_is_visited_and_leaves_nothing_to_guess(search):
    """Once the deciding visits are known, the walk is the same whatever the others are taken for."""
    for seed in range(200):
        chance = random.Random(seed)
        levels = tuple(chance.randint(1, 4) for _ in range(chance.randint(1, 4)))
        roundings, odds = chance.randint(1, 3), chance.choice([0.3, 0.7, 0.95])
        outcomes: dict[Visit, bool] = {}

        def passes(visit, outcomes=outcomes, chance=chance, odds=odds):
            return outcomes.setdefault(visit, chance.random() < odds)

        full = list(walk(levels, roundings, passes, search))
        deciding = set(deciding_visits(levels, roundings, outcomes.get, search))
        assert deciding <= set(full)
        known = {visit: outcomes[visit] for visit in deciding}
        assert list(walk(levels, roundings, known.get, search)) == full
        assert list(walk(levels, roundings, lambda v, known=known: known.get(v, False), search)) == full


def test_left_counts_the_visits_to_come():
    for levels, roundings in [((2, 3), 3), ((4,), 1), ((1, 1, 1), 2), ((3, 1, 2), 1)]:
        going, counted = Walk(levels, roundings), []
        while not going.done:
            counted.append(going.left)
            going.advance(True)
        assert counted == list(range(len(counted), 0, -1))
        assert going.left == 0


def test_a_fork_does_not_disturb_the_walk():
    going = Walk((2, 2), 1)
    ahead = going.fork()
    while not ahead.done:
        ahead.advance(False)
    assert (going.visit, going.bounds, going.done) == (Visit((0, 0), 0), [2, 2], False)
