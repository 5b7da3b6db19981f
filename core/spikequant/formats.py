"""Number formats: fixed point ``Qi.f`` and ``UQi.f``, symmetric integers ``INTn``, and ``FP32``.

Normative text: docs/formats.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from spikequant.errors import UsageError

MOST_Q_BITS = 53
MOST_INT_BITS = 32


@dataclass(frozen=True)
class QFormat:
    """Fixed point with ``int_bits`` integer and ``frac_bits`` fraction bits; one more bit for the sign.

    Signed: two's complement, range ``[-2**i, 2**i - 2**-f]``, text ``Q1.6``. Unsigned: range
    ``[0, 2**i - 2**-f]``, text ``UQ1.6``, for parameters that are never negative.

    Source: Q-SpiNN, Section III (the ``Qi.f`` notation counts the sign bit apart).

    Raises:
        UsageError: A count of bits is negative, or the width is not 1 to 53 (so that a float64 holds every value).

    >>> fmt = QFormat(1, 6)
    >>> print(fmt, fmt.width, fmt.step, fmt.range)
    Q1.6 8 0.015625 (-2.0, 1.984375)
    """

    int_bits: int
    frac_bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if self.int_bits < 0 or self.frac_bits < 0 or not 1 <= self.width <= MOST_Q_BITS:
            raise UsageError(
                f"format {self} has {self.int_bits} integer and {self.frac_bits} fraction bits, {self.width} in all;"
                f" neither may be negative and the width must be 1 to {MOST_Q_BITS}"
            )

    @property
    def width(self) -> int:
        """Bits of one value."""
        return self.signed + self.int_bits + self.frac_bits

    @property
    def step(self) -> float:
        """Distance of two neighbours, ``2**-f``."""
        return 2.0**-self.frac_bits

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code, both included; ``value = code * step``."""
        magnitude = 1 << (self.int_bits + self.frac_bits)
        return (-magnitude if self.signed else 0), magnitude - 1

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value, both included."""
        low, high = self.code_range
        return low * self.step, high * self.step

    def __str__(self) -> str:
        return f"{'' if self.signed else 'U'}Q{self.int_bits}.{self.frac_bits}"


@dataclass(frozen=True)
class IntFormat:
    """Symmetric signed codes in ``[-s, s]``, ``s = 2**(bits-1) - 1``; ``value = code * lsb`` with a real lsb.

    The lsb belongs to a tensor or channel, not to the format, so it is an argument wherever values matter.

    Source: MINT, Eq. 10.

    Raises:
        UsageError: ``bits`` is not 2 to 32.

    >>> print(IntFormat(4), IntFormat(4).code_range)
    INT4 (-7, 7)
    """

    bits: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MOST_INT_BITS:
            raise UsageError(f"format INT{self.bits} has {self.bits} bits; it must have 2 to {MOST_INT_BITS}")

    @property
    def width(self) -> int:
        """Bits of one value."""
        return self.bits

    @property
    def step(self) -> int:
        """Distance of two neighbours, in units of the lsb."""
        return 1

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code, both included."""
        top = (1 << (self.bits - 1)) - 1
        return -top, top

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value in units of the lsb, both included."""
        return self.code_range

    def __str__(self) -> str:
        return f"INT{self.bits}"


@dataclass(frozen=True)
class FloatFormat:
    """IEEE 754 single precision: a level of exploration too, but one without codes or a step."""

    @property
    def width(self) -> int:
        """Bits of one value."""
        return 32

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest finite value."""
        top = (2.0 - 2.0**-23) * 2.0**127
        return -top, top

    def __str__(self) -> str:
        return "FP32"


FP32 = FloatFormat()
Format = QFormat | IntFormat | FloatFormat

_NUMBER = "(0|[1-9][0-9]{0,2})"
_Q = re.compile(rf"(U?)Q{_NUMBER}\.{_NUMBER}")
_INT = re.compile(rf"INT{_NUMBER}")


def parse_format(text: str) -> Format:
    """Read ``Q1.6``, ``UQ1.6``, ``INT4`` or ``FP32``; ``str()`` of the result gives the same text back.

    Raises:
        UsageError: The text is no format, or its widths are out of range.

    >>> parse_format("UQ0.8")
    QFormat(int_bits=0, frac_bits=8, signed=False)
    >>> parse_format("FP32") is FP32
    True
    """
    if text == "FP32":
        return FP32
    if match := _Q.fullmatch(text):
        return QFormat(int(match[2]), int(match[3]), signed=not match[1])
    if match := _INT.fullmatch(text):
        return IntFormat(int(match[1]))
    raise UsageError(f"format {text!r} is not known; write it like Q1.6, UQ1.6, INT4 or FP32")
