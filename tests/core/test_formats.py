"""Number formats: text, width, step, range, and what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikequant.errors import UsageError
from spikequant.formats import FP32, IntFormat, QFormat, parse_format

q_formats = st.builds(QFormat, st.integers(0, 20), st.integers(0, 30), st.just(True)) | st.builds(
    QFormat, st.integers(1, 20), st.integers(0, 30), st.just(False)
)
formats = q_formats | st.builds(IntFormat, st.integers(2, 32)) | st.just(FP32)


@pytest.mark.parametrize(
    ("text", "width", "step", "low", "high"),
    [
        ("Q1.6", 8, 2.0**-6, -2.0, 2.0 - 2.0**-6),
        ("UQ1.6", 7, 2.0**-6, 0.0, 2.0 - 2.0**-6),
        ("Q11.8", 20, 2.0**-8, -2048.0, 2048.0 - 2.0**-8),
        ("Q0.7", 8, 2.0**-7, -1.0, 1.0 - 2.0**-7),
        ("Q4.0", 5, 1.0, -16.0, 15.0),
        ("Q0.0", 1, 1.0, -1.0, 0.0),
        ("UQ0.8", 8, 2.0**-8, 0.0, 1.0 - 2.0**-8),
        ("INT8", 8, 1, -127, 127),
        ("INT2", 2, 1, -1, 1),
    ],
)
def test_width_step_and_range_are_those_of_the_definition(text, width, step, low, high):
    fmt = parse_format(text)
    assert (fmt.width, fmt.step, fmt.range) == (width, step, (low, high))


def test_fp32_is_a_format_of_32_bits_without_a_step():
    assert FP32.width == 32
    assert not hasattr(FP32, "step")
    assert parse_format("FP32") == FP32


@given(formats)
def test_the_text_of_a_format_reads_back_as_the_format(fmt):
    assert parse_format(str(fmt)) == fmt
    assert str(parse_format(str(fmt))) == str(fmt)


@given(q_formats)
def test_the_range_of_a_q_format_is_its_codes_times_its_step(fmt):
    low, high = fmt.code_range
    assert high - low + 1 == 2**fmt.width
    assert fmt.range == (low * fmt.step, high * fmt.step)
    assert fmt.range == (-(2.0**fmt.int_bits) if fmt.signed else 0.0, 2.0**fmt.int_bits - 2.0**-fmt.frac_bits)


@pytest.mark.parametrize("text", ["", "q1.6", "Q1", "Q1.", "Q-1.6", "Q01.6", "Q1.6 ", "INT", "int4", "Q\u0661.6"])
def test_other_text_is_refused_with_examples(text):
    message = f"format {text!r} is not known; write it like Q1.6, UQ1.6, INT4 or FP32"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        parse_format(text)


def test_a_q_format_too_wide_for_float64_is_refused():
    message = (
        "format Q30.23 has 30 integer and 23 fraction bits, 54 in all;"
        " neither may be negative and the width must be 1 to 53"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        QFormat(30, 23)


@pytest.mark.parametrize("bits", [(-1, 8, True), (3, -1, True), (0, 0, False)])
def test_negative_or_no_bits_are_refused(bits):
    with pytest.raises(UsageError, match=r"neither may be negative and the width must be 1 to 53$"):
        QFormat(*bits)


@pytest.mark.parametrize("bits", [0, 1, 33])
def test_an_integer_format_has_2_to_32_bits(bits):
    with pytest.raises(UsageError, match=f"^format INT{bits} has {bits} bits; it must have 2 to 32$"):
        parse_format(f"INT{bits}")
