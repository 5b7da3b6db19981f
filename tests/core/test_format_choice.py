"""Formats chosen by range and by value: the paper's Table I, power-of-two ends, and exact comparison."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spikequant.errors import UsageError
from spikequant.format_choice import format_of_constant, int_bits_for
from spikequant.formats import QFormat
from spikequant.rounding import from_codes, to_codes

values = st.floats(-(2.0**40), 2.0**40)


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [
        (-52, 1271.88, 11),
        (-887.29, 1250.18, 11),
        (0, 0.7, 1),
        (0, 0, 1),
        (0, 1, 1),
        (0, 1.999, 1),
        (0, 2, 2),
        (-2, 0, 1),
        (-2.001, 0, 2),
        (-1024, 1023.9, 10),
        (-1024, 1024, 11),
        (5, 9, 4),
        (-9, -5, 4),
    ],
)
def test_the_papers_ranges_and_the_ends_at_powers_of_two(low, high, bits):
    assert int_bits_for(low, high) == bits


@pytest.mark.parametrize(("low", "high", "bits"), [(0, 0.7, 0), (-1, 0.99, 0), (-1.01, 0, 1), (0, 1, 1), (0, 0, 0)])
def test_a_quantity_that_stays_below_one_may_have_no_integer_bit(low, high, bits):
    assert int_bits_for(low, high, least=0) == bits


@given(st.lists(values, min_size=2, max_size=2).map(sorted))
@example([-(2.0**-1074), 2.0**-1074])
@example([math.nextafter(-8.0, -9.0), math.nextafter(8.0, 7.0)])
def test_the_bits_are_the_fewest_that_hold_the_range(ends):
    low, high = map(Fraction, ends)
    bits = int_bits_for(*ends, least=0)
    assert -(2**bits) <= low
    assert high < 2**bits
    assert bits == 0 or low < -(2 ** (bits - 1)) or high >= 2 ** (bits - 1)


@pytest.mark.parametrize("ends", [(1, 0), (0, math.inf), (math.nan, 1), (-math.inf, 0)])
def test_a_range_that_is_none_is_refused(ends):
    text = f"range is {ends[0]}..{ends[1]}; it must be two finite numbers, the smaller first"
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        int_bits_for(*ends)


def test_a_range_beyond_every_format_is_refused():
    assert int_bits_for(0, 2.0**52 - 1) == 52
    with pytest.raises(
        UsageError, match=r"^range 0\.\.4503599627370496.0 needs 53 integer bits; a format holds 52 at most$"
    ):
        int_bits_for(0, 2.0**52)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-65, "Q7.0"),
        (0.05, "Q1.6"),
        (-52, "Q6.1"),
        (-52.5, "Q6.1"),
        (1, "Q1.6"),
        (-1, "Q0.7"),
        (0, "Q0.7"),
        (-0.9, "Q1.6"),
        (1.5, "Q1.6"),
        (2.25, "Q2.5"),
        (100.5, "Q7.0"),
        (-128, "Q7.0"),
        (128, "Q8.0"),
        (300, "Q9.0"),
    ],
)
def test_a_constant_has_the_integer_bits_it_needs_and_eight_in_all(value, text):
    assert str(format_of_constant(value)) == text


@given(values)
def test_a_constant_lies_within_a_step_of_its_code(value):
    fmt = format_of_constant(value)
    assert fmt.width == max(8, 1 + fmt.int_bits)
    code, _ = to_codes(np.array(value), fmt)
    assert abs(float(from_codes(code, fmt)) - value) < fmt.step


@given(st.integers(-(2**20), 2**20))
def test_a_whole_constant_is_exact(value):
    fmt = format_of_constant(value)
    code, overflows = to_codes(np.array(float(value)), fmt)
    assert (float(from_codes(code, fmt)), overflows) == (value, 0)


def test_the_papers_theta_is_three_sixty_fourths():
    assert format_of_constant(0.05) == QFormat(1, 6)
    assert to_codes(np.array(0.05), QFormat(1, 6)).codes == 3


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_constant_that_is_no_number_is_refused(value):
    with pytest.raises(UsageError, match=r"^range is .*; it must be two finite numbers, the smaller first$"):
        format_of_constant(value)
