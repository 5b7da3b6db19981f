"""Rounding to codes, held against exact fractions, in NumPy and torch alike."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.errors import UsageError
from spikequant.formats import FP32, IntFormat, QFormat, parse_format
from spikequant.rounding import Overflow, Rounding, from_codes, to_codes

KEY = RandomKey(11, "w", 2)
formats = st.builds(QFormat, st.integers(0, 16), st.integers(0, 30)) | st.builds(
    QFormat, st.integers(1, 16), st.integers(0, 30), st.just(False)
)
any_float = st.floats(allow_nan=False, allow_infinity=False)
on_grid = st.builds(lambda n, f: n * 2.0**-f, st.integers(-(2**20), 2**20), st.integers(0, 32))
just_below = st.builds(lambda x: math.nextafter(x, -math.inf), on_grid)
values = st.lists(any_float | on_grid | just_below | st.floats(-4, 4), min_size=1, max_size=12)


def reference(x, fmt, rounding, overflow, chance):
    """One code by exact fractions, straight from the definition."""
    ratio = Fraction(x) * 2**fmt.frac_bits
    floor = math.floor(ratio)
    rest = ratio - floor
    up = {"TR": False, "RN": rest >= Fraction(1, 2), "SR": Fraction(chance) < rest}[rounding]
    code = floor + up
    low, high = fmt.code_range
    if low <= code <= high:
        return code, 0
    if overflow == "saturate":
        return min(max(code, low), high), 1
    return (code - low) % (high - low + 1) + low, 1


@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
@pytest.mark.parametrize("rounding", ["TR", "RN", "SR"])
@given(fmt=formats, xs=values)
@example(fmt=QFormat(1, 6), xs=[0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308])
@example(fmt=QFormat(0, 0), xs=[-1.5, -1.0, -0.5, -0.49999999999999994, 0.5, 0.49999999999999994, 1.0])
@example(fmt=QFormat(0, 30), xs=[2.0**-31, -(2.0**-31), 3 * 2.0**-32, 2.0**993, 2.0**1000])
@example(fmt=QFormat(16, 0), xs=[65535.0, 65535.5, 65536.0, -65536.0, -65536.5, -65537.0, 2.0**52 + 0.5, 2.0**53 + 2])
def test_codes_are_those_of_exact_fractions(fmt, xs, rounding, overflow):
    chances = uniforms(KEY, np.arange(len(xs)))
    expected = [reference(x, fmt, rounding, overflow, p) for x, p in zip(xs, chances.tolist(), strict=True)]
    in_numpy = to_codes(np.array(xs), fmt, rounding, overflow, KEY)
    in_torch = to_codes(torch.tensor(xs, dtype=torch.float64), fmt, rounding, overflow, KEY)
    assert in_numpy.codes.tolist() == [code for code, _ in expected]
    assert in_torch.codes.tolist() == [code for code, _ in expected]
    assert in_numpy.overflows == in_torch.overflows == sum(over for _, over in expected)
    assert in_numpy.codes.dtype == np.int64
    assert in_torch.codes.dtype == torch.int64


def test_hand_computed_codes():
    x = np.array([-0.75, -0.5, -0.25, 0.25, 0.75, 1.25, 1.5, 1.75, -2.0, -2.25])
    fmt = QFormat(1, 1)
    assert to_codes(x, fmt, Rounding.TR).codes.tolist() == [-2, -1, -1, 0, 1, 2, 3, 3, -4, -4]
    assert to_codes(x, fmt, Rounding.RN).codes.tolist() == [-1, -1, 0, 1, 2, 3, 3, 3, -4, -4]
    assert to_codes(x, fmt, Rounding.RN).overflows == 1
    assert to_codes(x, fmt, Rounding.TR).overflows == 1
    assert to_codes(x, fmt, Rounding.TR, Overflow.WRAP).codes.tolist() == [-2, -1, -1, 0, 1, 2, 3, 3, -4, 3]


def test_halves_round_up_and_not_to_even():
    assert to_codes(np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), QFormat(4, 0)).codes.tolist() == [-2, -1, 0, 1, 2, 3]


def test_the_float_below_one_half_does_not_round_up():
    assert to_codes(np.array([0.49999999999999994, 0.5]), QFormat(4, 0)).codes.tolist() == [0, 1]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8), formats)
def test_float32_gives_the_codes_of_the_equal_float64(xs, fmt):
    single, double = torch.tensor(xs, dtype=torch.float32), torch.tensor(xs, dtype=torch.float64)
    for rounding in Rounding:
        expected = to_codes(double, fmt, rounding, key=KEY)
        for given_as in (single, single.numpy(), double.numpy()):
            got = to_codes(given_as, fmt, rounding, key=KEY)
            assert got.codes.tolist() == expected.codes.tolist()
            assert got.overflows == expected.overflows


@pytest.mark.parametrize("rounding", list(Rounding))
def test_values_on_the_grid_stay(rounding):
    fmt = QFormat(2, 3)
    codes = np.arange(fmt.code_range[0], fmt.code_range[1] + 1)
    assert to_codes(from_codes(codes, fmt), fmt, rounding, key=KEY).codes.tolist() == codes.tolist()
    tensor = torch.from_numpy(codes)
    assert torch.equal(to_codes(from_codes(tensor, fmt), fmt, rounding, key=KEY).codes, tensor)


@pytest.mark.parametrize("x", [0.3, -0.3, -1e-3, 0.999, -7.25, 1 / 3])
def test_stochastic_rounding_is_unbiased(x):
    count = 200_000
    codes = to_codes(np.full(count, x), QFormat(4, 0), Rounding.SR, key=KEY).codes
    floor = math.floor(x)
    assert set(codes.tolist()) <= {floor, floor + 1}
    rest = x - floor
    # The number rounded up is binomial; five standard deviations are allowed.
    assert abs(int((codes - floor).sum()) - count * rest) < 5 * math.sqrt(count * rest * (1 - rest))


def test_stochastic_rounding_does_not_depend_on_the_split():
    x = np.random.default_rng(0).normal(size=(12, 7, 5))
    whole = to_codes(x, QFormat(2, 3), Rounding.SR, key=KEY).codes
    for size in (1, 5, 12):
        parts = [
            to_codes(torch.from_numpy(x[start : start + size]), QFormat(2, 3), "SR", key=KEY.at(start * 35)).codes
            for start in range(0, 12, size)
        ]
        assert np.array_equal(torch.cat(parts).numpy(), whole)


def test_stochastic_rounding_does_not_depend_on_the_memory_layout():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    plain = to_codes(x, QFormat(2, 3), "SR", key=KEY).codes
    assert torch.equal(to_codes(x.to(memory_format=torch.channels_last), QFormat(2, 3), "SR", key=KEY).codes, plain)


@pytest.mark.parametrize("as_array", [np.asarray, torch.from_numpy])
def test_just_below_zero_the_rest_is_not_rounded_before_it_meets_the_random_number(as_array):
    # Between -1/4 and 0 floats are finer than 1 + x can be: the rest of x must be compared without forming it.
    chance = uniforms(KEY, np.arange(1000))
    near = chance > 0.75
    at, above = np.where(near, chance - 1, 0.0), np.where(near, np.nextafter(chance - 1, 0), 0.0)
    assert np.array_equal(1 + above, 1 + at)
    assert near.sum() > 100
    assert to_codes(as_array(at), QFormat(1, 0), "SR", key=KEY).codes.tolist() == np.where(near, -1, 0).tolist()
    assert not np.asarray(to_codes(as_array(above), QFormat(1, 0), "SR", key=KEY).codes).any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("rounding", list(Rounding))
def test_a_gpu_gives_the_codes_of_numpy(rounding):
    x = np.random.default_rng(0).normal(size=(100, 1000))
    for fmt, lsb in ((QFormat(1, 6), None), (IntFormat(4), 0.3)):
        codes, overflows = to_codes(torch.from_numpy(x).cuda(), fmt, rounding, key=KEY, lsb=lsb)
        expected = to_codes(x, fmt, rounding, key=KEY, lsb=lsb)
        assert np.array_equal(codes.cpu().numpy(), expected.codes)
        assert overflows == expected.overflows


def test_another_draw_rounds_otherwise():
    x = np.full(100, 0.5)
    one = to_codes(x, QFormat(2, 0), "SR", key=RandomKey(0, "w", 0)).codes
    two = to_codes(x, QFormat(2, 0), "SR", key=RandomKey(0, "w", 1)).codes
    assert not np.array_equal(one, two)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8), st.integers(2, 16), st.floats(1e-3, 10))
def test_integer_codes_are_nearest_multiples_of_the_lsb_and_symmetric(xs, bits, lsb):
    fmt = IntFormat(bits)
    top = 2 ** (bits - 1) - 1
    expected = []
    for x in xs:
        ratio = Fraction(x / lsb)
        expected.append(min(max(math.floor(ratio + Fraction(1, 2)), -top), top))
    assert to_codes(np.array(xs), fmt, lsb=lsb).codes.tolist() == expected
    assert to_codes(torch.tensor(xs, dtype=torch.float64), fmt, lsb=lsb).codes.tolist() == expected


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_a_python_lsb_is_not_rounded_to_float32(make):
    # float32 holds 0.7 as 0.69999999, of which 2.1 - 1e-9 holds three.
    x = make([2.1 - 1e-9], dtype=np.float64 if make is np.array else torch.float64)
    assert to_codes(x, IntFormat(4), "TR", lsb=0.7).codes.tolist() == [2]


def test_each_channel_has_its_lsb():
    x = np.array([[1.0, 2.0], [1.0, 2.0]])
    lsb = np.array([[1.0], [0.5]])
    assert to_codes(x, IntFormat(4), lsb=lsb).codes.tolist() == [[1, 2], [2, 4]]
    got = to_codes(torch.from_numpy(x), IntFormat(4), lsb=torch.from_numpy(lsb))
    assert got.codes.tolist() == [[1, 2], [2, 4]]
    assert from_codes(got.codes, IntFormat(4), lsb=torch.from_numpy(lsb)).tolist() == x.tolist()


@pytest.mark.parametrize("x", [np.array(0.3), torch.tensor(0.3), 0.3])
@pytest.mark.parametrize("rounding", list(Rounding))
def test_a_single_value_has_a_single_code(x, rounding):
    codes = to_codes(x, QFormat(1, 6), rounding, key=KEY).codes
    assert codes.shape == ()
    assert int(codes) in (19, 20)


@pytest.mark.parametrize("x", [np.zeros((0, 3)), torch.zeros(0, 3), np.zeros((0, 3), np.int64)])
def test_no_values_give_no_codes(x):
    codes, overflows = to_codes(x, QFormat(1, 6), "SR", key=KEY)
    assert tuple(codes.shape) == (0, 3)
    assert overflows == 0


@pytest.mark.parametrize("x", [np.array([1, -3, 0]), torch.tensor([1, -3, 0]), torch.tensor([1.0, -3.0, 0.0]).half()])
def test_integers_and_half_floats_are_values_too(x):
    assert to_codes(x, QFormat(1, 1)).codes.tolist() == [2, -4, 0]
    assert to_codes(np.array([True, False]), QFormat(1, 1)).codes.tolist() == [2, 0]
    assert to_codes(torch.tensor([True, False]), QFormat(1, 1)).codes.tolist() == [2, 0]


def test_a_parameter_that_learns_can_be_rounded():
    x = torch.tensor([0.3], requires_grad=True)
    assert to_codes(x, IntFormat(4), lsb=torch.tensor(0.1, requires_grad=True)).codes.tolist() == [3]


def refusal(message, kind=UsageError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_nan_and_infinity_are_refused(make):
    message = "2 of 3 values are NaN or infinite; a format holds finite values, so mend or mask them"
    with refusal(message):
        to_codes(make([1.0, math.nan, -math.inf]), QFormat(1, 6))


def test_fp32_has_no_codes():
    with refusal("FP32 has no codes; use the values as they are, or choose a format like Q1.6 or INT4"):
        to_codes(np.zeros(1), FP32)


def test_a_symmetric_format_does_not_wrap():
    with refusal("INT4 is symmetric, -7..7, and wrap yields -8 too; use saturate, or a Q format"):
        to_codes(np.zeros(1), IntFormat(4), overflow="wrap", lsb=1.0)


def test_an_lsb_goes_with_integer_formats_only():
    with refusal("INT4 needs the real size of one code; give lsb="):
        to_codes(np.zeros(1), IntFormat(4))
    with refusal("Q1.6 has the step 2**-6, and an lsb was given; lsb goes with INTn only"):
        to_codes(np.zeros(1), QFormat(1, 6), lsb=0.5)
    with refusal("Q1.6 has the step 2**-6, and an lsb was given; lsb goes with INTn only"):
        from_codes(np.zeros(1, np.int64), QFormat(1, 6), lsb=0.5)


@pytest.mark.parametrize("lsb", [0.0, -1.0, math.inf, math.nan])
@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_an_lsb_that_is_not_positive_is_refused(make, lsb):
    with refusal(f"lsb reaches {lsb}..{lsb}; it must be positive and finite"):
        to_codes(make([1.0]), IntFormat(4), lsb=lsb)


def test_an_lsb_that_widens_the_values_is_refused():
    with refusal("lsb of shape (2, 1) does not broadcast to values of (3,)"):
        to_codes(np.zeros(3), IntFormat(4), lsb=np.ones((2, 1)))


def test_stochastic_rounding_without_a_key_is_refused():
    with refusal("SR draws random numbers, and no key was given; give key=RandomKey(seed, tensor)"):
        to_codes(np.zeros(1), QFormat(1, 6), "SR")


def test_an_unknown_rule_is_refused():
    with refusal("rounding is 'nearest'; it must be one of TR, RN, SR"):
        to_codes(np.zeros(1), QFormat(1, 6), "nearest")
    with refusal("overflow is 'clip'; it must be one of saturate, wrap"):
        to_codes(np.zeros(1), QFormat(1, 6), overflow="clip")


@pytest.mark.parametrize("x", [np.array([1j]), torch.tensor([1j]), np.array(["a"]), np.zeros(1, np.longdouble)])
def test_other_types_are_refused(x):
    message = f"values are {x.dtype}; they must be floats of at most 64 bits or integers"
    with refusal(message, TypeError):
        to_codes(x, QFormat(1, 6))


def test_integers_that_float64_cannot_hold_are_refused():
    with refusal(f"integer values reach {2**53 + 1} in magnitude, and float64 holds them only up to {2**53}"):
        to_codes(np.array([2**53 + 1]), QFormat(1, 6))


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_codes_out_of_range_do_not_become_values(make):
    with refusal("codes reach -8..3, and INT4 holds -7..7"):
        from_codes(make([-8, 3]), IntFormat(4), lsb=1.0)
    with pytest.raises(TypeError, match=r"^codes are .*float64; they must be integers$"):
        from_codes(make([0.5]).astype(np.float64) if make is np.array else torch.tensor([0.5]).double(), QFormat(1, 6))


@given(st.sampled_from(["Q1.6", "UQ0.8", "Q11.16", "Q20.32"]), st.data())
def test_codes_and_values_are_one_to_one(text, data):
    fmt = parse_format(text)
    codes = data.draw(st.lists(st.integers(*fmt.code_range), min_size=1, max_size=5))
    values = from_codes(np.array(codes), fmt)
    assert [Fraction(v) for v in values.tolist()] == [Fraction(c, 2**fmt.frac_bits) for c in codes]
    assert to_codes(values, fmt, "TR").codes.tolist() == codes
