"""Codes by exact fractions: ties, range ends, negative values, no fraction, no integer bits; torch and NumPy."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from spikequant.content_draw import content_key
from spikequant.counter_rng import uniforms
from spikequant.formats import QFormat
from spikequant.rounding import to_codes
from spikequant_qif.quantizer import Qif

SEED = 5
signed = st.builds(QFormat, st.integers(0, 8), st.integers(0, 15))
unsigned = st.builds(QFormat, st.integers(0, 8), st.integers(1, 15), st.just(False))
whole = st.builds(lambda bits: QFormat(bits, 0, signed=False), st.integers(1, 8))
formats = signed | unsigned | whole


def points(fmt):
    """Values where a code changes: on codes, halfway, at both ends and one float beside each."""
    low, high = fmt.code_range
    halves = st.integers(2 * low - 6, 2 * high + 6) | st.sampled_from([2 * low, 2 * low - 1, 2 * high, 2 * high + 1])
    at = halves.map(lambda n: n / 2 * fmt.step)
    beside = st.builds(lambda x, up: math.nextafter(x, math.inf if up else -math.inf), at, st.booleans())
    return at | beside | st.floats(2 * low * fmt.step, 2 * (high + 1) * fmt.step)


cases = formats.flatmap(lambda fmt: st.tuples(st.just(fmt), st.lists(points(fmt), min_size=1, max_size=10)))


def exact(x, fmt, rounding, overflow, chance):
    """One code, straight from the definition."""
    ratio = Fraction(x) * 2**fmt.frac_bits
    floor = math.floor(ratio)
    rest = ratio - floor
    code = floor + {"TR": False, "RN": rest >= Fraction(1, 2), "SR": Fraction(chance) < rest}[rounding]
    low, high = fmt.code_range
    if low <= code <= high:
        return code, 0
    return (min(max(code, low), high) if overflow == "saturate" else (code - low) % (high - low + 1) + low), 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
@pytest.mark.parametrize("rounding", ["TR", "RN", "SR"])
@given(case=cases)
@example(case=(QFormat(0, 0), [-1.5, -1.0, -0.5, -0.49999999999999994, 0.0, -0.0, 0.5, 0.49999999999999994, 1.0]))
@example(case=(QFormat(0, 3), [-1.0625, -1.0, -0.9375, 0.875, 0.9375, 0.9999, 1.0]))
@example(case=(QFormat(3, 0), [-8.5, -8.0, -7.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 7.4999, 7.5, 8.0]))
@example(case=(QFormat(0, 6, signed=False), [-1.0, -0.0078125, -0.007, 0.0, 0.9843, 0.9921875, 1.0, 2.0]))
@example(case=(QFormat(1, 6), [2.0**100, -(2.0**100), 1.9921875, 1.984375, -2.0, -2.0078125]))
def test_codes_are_those_of_exact_fractions(case, rounding, overflow, dtype):
    fmt, xs = case
    x = torch.tensor(xs, dtype=dtype)
    quantizer = Qif(str(fmt), rounding, overflow, SEED)
    key = content_key(SEED, "w", x)
    chances = uniforms(key, np.arange(len(xs))).tolist()
    expected = [exact(v, fmt, rounding, overflow, p) for v, p in zip(x.double().tolist(), chances, strict=True)]
    scale = torch.tensor(fmt.step)
    codes = quantizer.quantize(x, scale)
    assert codes.dtype == torch.int32
    assert codes.tolist() == [code for code, _ in expected]
    assert quantizer.overflows(x, scale) == sum(over for _, over in expected)
    in_numpy = to_codes(x.numpy(), fmt, rounding, overflow, key)
    assert in_numpy.codes.tolist() == codes.tolist()
    values = quantizer.dequantize(codes, scale)
    assert [Fraction(v) for v in values.tolist()] == [Fraction(code) / 2**fmt.frac_bits for code, _ in expected]


@pytest.mark.parametrize(
    ("text", "rounding", "overflow", "codes"),
    [
        ("Q1.1", "TR", "saturate", [-2, -1, -1, 0, 1, 2, 3, 3, -4, -4]),
        ("Q1.1", "RN", "saturate", [-1, -1, 0, 1, 2, 3, 3, 3, -4, -4]),
        ("Q1.1", "TR", "wrap", [-2, -1, -1, 0, 1, 2, 3, 3, -4, 3]),
        ("Q1.1", "RN", "wrap", [-1, -1, 0, 1, 2, 3, 3, -4, -4, -4]),
        ("UQ1.1", "TR", "saturate", [0, 0, 0, 0, 1, 2, 3, 3, 0, 0]),
        ("UQ1.1", "RN", "wrap", [3, 3, 0, 1, 2, 3, 3, 0, 0, 0]),
        ("Q0.1", "RN", "saturate", [-1, -1, 0, 1, 1, 1, 1, 1, -2, -2]),
        ("Q1.0", "RN", "saturate", [-1, 0, 0, 0, 1, 1, 1, 1, -2, -2]),
    ],
)
def test_hand_computed_codes(text, rounding, overflow, codes):
    x = torch.tensor([-0.75, -0.5, -0.25, 0.25, 0.75, 1.25, 1.5, 1.75, -2.0, -2.25])
    quantizer = Qif(text, rounding, overflow)
    assert quantizer.quantize(x, torch.tensor(quantizer.fixed_scale)).tolist() == codes
