"""From spikes to classes, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikequant_stdp.votes import EXACT_FLOAT32, TOP, class_rates, classes_of, vote_codes

COUNTS = np.array([[4, 0, 1, 0], [2, 0, 1, 0], [0, 3, 1, 0], [0, 0, 4, 0]], dtype=np.int32)
LABELS = np.array([0, 0, 1, 2])


def test_a_rate_is_the_mean_over_the_images_of_a_class():
    rates = class_rates(COUNTS, LABELS, 4)
    assert rates.tolist() == [[3, 0, 1, 0], [0, 3, 1, 0], [0, 0, 4, 0], [0, 0, 0, 0]]


def test_the_order_and_the_number_of_images_do_not_matter():
    order = [2, 0, 3, 1]
    assert np.array_equal(class_rates(COUNTS[order], LABELS[order], 4), class_rates(COUNTS, LABELS, 4))
    twice = class_rates(np.repeat(COUNTS, 3, axis=0), np.repeat(LABELS, 3), 4)
    assert np.array_equal(twice, class_rates(COUNTS, LABELS, 4))


def test_by_proportion_each_spike_is_shared_among_the_classes():
    codes = vote_codes(class_rates(COUNTS, LABELS, 4), "proportion")
    # the third neuron: 1/6, 1/6, 4/6 of 255 is 42.5, 42.5, 170; halves round up
    assert codes.tolist() == [[255, 0, 43, 0], [0, 255, 43, 0], [0, 0, 170, 0], [0, 0, 0, 0]]


def test_by_label_a_neuron_counts_for_its_best_class_alone():
    codes = vote_codes(class_rates(COUNTS, LABELS, 4), "label")
    assert codes.tolist() == [[255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 0]]


def test_by_label_a_class_speaks_with_the_mean_of_its_neurons():
    rates = np.array([[5.0, 2.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    # three neurons for class 0, none for class 1, one for class 2: a spike counts 1/3, or 1, of 255
    assert vote_codes(rates, "label").tolist() == [[85, 85, 85, 0], [0, 0, 0, 0], [0, 0, 0, 255]]


def test_by_label_the_smallest_class_has_the_full_code():
    best = [0, 0, 1, 1, 1, 1]
    rates = np.zeros((2, 6))
    rates[best, np.arange(6)] = 3.0
    # 2 and 4 neurons: 255 and 127.5, halves round up
    assert vote_codes(rates, "label").tolist() == [[255, 255, 0, 0, 0, 0], [0, 0, 128, 128, 128, 128]]


def test_by_label_the_lowest_of_equal_classes_has_the_neuron():
    assert vote_codes(np.array([[2.0], [2.0], [1.0]]), "label").tolist() == [[255], [0], [0]]


@pytest.mark.parametrize("vote", ["label", "proportion"])
def test_a_net_that_never_spoke_votes_for_nothing_and_is_taken_for_the_first_class(vote):
    codes = vote_codes(np.zeros((3, 5)), vote)
    assert codes.tolist() == [[0] * 5] * 3
    assert classes_of(np.zeros((2, 5), dtype=np.int32), codes).tolist() == [0, 0]


def test_most_votes_win_and_the_lowest_of_equals():
    codes = np.array([[255, 0, 43], [0, 255, 43], [0, 0, 170]])
    counts = np.array([[1, 1, 0], [0, 0, 1], [1, 2, 3], [0, 1, 2], [0, 0, 0]])
    # sums: (255, 255, 0), (43, 43, 170), (384, 639, 510), (86, 341, 340), (0, 0, 0)
    assert classes_of(counts, codes).tolist() == [0, 2, 1, 1, 0]


def test_the_class_is_exact_where_float32_is_not():
    codes = np.array([[255, 1], [255, 0]])
    many = EXACT_FLOAT32 // TOP + 7
    counts = np.array([[many, 0], [many, 1]], dtype=np.int32)
    assert classes_of(counts, codes).tolist() == [0, 0]
    assert classes_of(counts, codes[::-1]).tolist() == [0, 1]


@given(
    arrays(np.int32, st.tuples(st.integers(0, 6), st.just(5)), elements=st.integers(0, 2**27)),
    arrays(np.int64, (4, 5), elements=st.integers(0, TOP)),
)
def test_the_class_is_that_of_integer_sums(counts, codes):
    expected = [
        int(np.argmax([sum(int(a) * int(b) for a, b in zip(row, c, strict=True)) for c in codes])) for row in counts
    ]
    assert classes_of(counts, codes).tolist() == expected


@pytest.mark.parametrize("vote", ["label", "proportion"])
@given(arrays(np.float64, (4, 6), elements=st.floats(0, 50)))
def test_codes_are_whole_numbers_of_eight_bits(vote, rates):
    codes = vote_codes(rates, vote)
    assert codes.dtype == np.int64
    assert codes.min() >= 0
    assert codes.max() <= TOP == 255
    silent = rates.sum(axis=0) == 0
    assert not codes[:, silent].any()
    if vote == "label":
        assert ((codes > 0).sum(axis=0) <= 1).all()
