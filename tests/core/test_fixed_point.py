"""Rounding and overflow in whole numbers give the codes of the rounding of real values, and go further."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.fixed_point import CHANCE_BITS, MOST_SHIFT, chances_of, fitted, rounded, rounding_operations
from spikequant.formats import QFormat
from spikequant.rounding import Overflow, Rounding, to_codes

KEY = RandomKey(3, "V", 5)


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [0, 1, 4, 20])
def test_codes_are_those_of_the_real_values(rounding, overflow, shift):
    """A number of 2**-(f + shift) steps is a real value that float64 holds; Q3.4 overflows on some of them."""
    fmt = QFormat(3, 4)
    x = np.random.default_rng(shift).integers(-200 << shift, 200 << shift, 4000)
    chances = chances_of(rounding, 3, "V", 5, (4000,))
    found = fitted(rounded(x, shift, rounding, chances), fmt, overflow)
    expected = to_codes(x * 2.0 ** -(4 + shift), fmt, rounding, overflow, key=KEY)
    assert expected.overflows > 0
    assert np.array_equal(found, expected.codes)


@pytest.mark.parametrize("shift", [52, 53, 54, 60, MOST_SHIFT])
@pytest.mark.parametrize("rounding", Rounding)
def test_more_bits_than_a_float_holds_are_rounded_exactly(rounding, shift):
    x = np.random.default_rng(shift).integers(-(1 << 62), (1 << 62) + 1, 300)
    chances = chances_of(rounding, 3, "V", 5, (300,))
    found = rounded(x, shift, rounding, chances)
    for n, value in enumerate(x.tolist()):
        code = floor(Fraction(value, 1 << shift))
        rest = Fraction(value, 1 << shift) - code
        chance = Fraction(float(uniforms(KEY, np.array([n]))[0]))
        code += {"TR": False, "RN": rest >= Fraction(1, 2), "SR": chance < rest}[rounding.value]
        assert found[n] == code


@pytest.mark.parametrize("fmt", [QFormat(2, 1), QFormat(2, 2, signed=False)])
def test_a_register_keeps_low_bits_or_the_nearest_code(fmt):
    codes = np.arange(-70, 70)
    low, high = fmt.code_range
    assert np.array_equal(fitted(codes, fmt, Overflow.SATURATE), np.minimum(np.maximum(codes, low), high))
    wrapped = fitted(codes, fmt, Overflow.WRAP)
    assert ((wrapped - codes) % (1 << fmt.width) == 0).all()
    assert (wrapped.min(), wrapped.max()) == (low, high)


def test_random_numbers_belong_to_neurons_and_only_sr_draws():
    drawn = chances_of(Rounding.SR, 3, "V", 5, (2, 3))
    assert (drawn * 2.0**-CHANCE_BITS).tolist() == uniforms(KEY, np.arange(6).reshape(2, 3)).tolist()
    assert chances_of(Rounding.RN, 3, "V", 5, (2, 3)) is chances_of(Rounding.TR, 3, "V", 5, (2, 3)) is None


def test_sr_without_random_numbers_says_so():
    with pytest.raises(TypeError, match=r"^SR draws random numbers, and none were given$"):
        rounded(np.array([1]), 1, Rounding.SR)


def test_what_a_rounding_costs():
    costs = {rule.value: [(o.name, o.bits) for o in rounding_operations(rule, 20)] for rule in Rounding}
    assert costs == {
        "TR": [("shift", 20)],
        "RN": [("add", 20), ("shift", 20)],
        "SR": [("compare", 53), ("add", 20), ("shift", 20)],
    }
