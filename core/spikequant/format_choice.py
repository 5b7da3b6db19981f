"""Which format a quantity needs: integer bits from a calibrated range, a whole format from a constant's value.

Source: Q-SpiNN, Section III-B and Table I.
"""

from __future__ import annotations

import math

from spikequant.errors import UsageError
from spikequant.formats import MOST_Q_BITS, QFormat

CONSTANT_BITS = 8


def int_bits_for(low: float, high: float, *, least: int = 1) -> int:
    """Return the fewest integer bits i with ``-2**i <= low`` and ``high < 2**i``, and ``least`` at least.

    A format's largest value lies one step below ``2**i``, so a range that ends on a power of two needs one bit
    more above than below. The paper gives weights in 0 .. 0.7 one bit: they may grow to 1, which ``Q0.f`` does not
    hold. Give ``least=0`` for a quantity that stays below 1 for certain.

    Source: Q-SpiNN, Table I and Section III-B: Vth, V and w need 11, 11 and 1 bits.

    Args:
        low: Smallest value seen or allowed.
        high: Largest value seen or allowed.
        least: Fewest bits to return, at least 0.

    Raises:
        UsageError: The range is empty or not finite, or no format holds it.

    >>> int_bits_for(-52, 1271.88), int_bits_for(-887.29, 1250.18), int_bits_for(0, 0.7)
    (11, 11, 1)
    >>> int_bits_for(-4, 3.9), int_bits_for(-4, 4), int_bits_for(0, 0.7, least=0)
    (2, 3, 0)
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise UsageError(f"range is {low}..{high}; it must be two finite numbers, the smaller first")
    bits = max(_bits_above(high), _bits_below(low), least)
    if bits >= MOST_Q_BITS:
        raise UsageError(f"range {low}..{high} needs {bits} integer bits; a format holds {MOST_Q_BITS - 1} at most")
    return bits


def format_of_constant(value: float) -> QFormat:
    """Return the format of 8 bits in which a constant is stored: the integer bits it needs, the rest fraction.

    A value with a fraction gets one integer bit at least, as the paper has it (0.05 is ``Q1.6``, not ``Q0.7``).
    A value that needs more than 7 integer bits gets them and no fraction, so it takes more than 8 bits.

    Source: Q-SpiNN, Section III-B: -65 is ``Q7.0`` and 0.05 is ``Q1.6``.

    Raises:
        UsageError: The value is not finite, or no format holds it.

    >>> print(format_of_constant(-65), format_of_constant(0.05), format_of_constant(-52), format_of_constant(300))
    Q7.0 Q1.6 Q6.1 Q9.0
    """
    whole = math.isfinite(value) and float(value).is_integer()
    int_bits = int_bits_for(value, value, least=0 if whole else 1)
    return QFormat(int_bits, max(CONSTANT_BITS - 1 - int_bits, 0))


def _bits_above(high: float) -> int:
    """Fewest i >= 0 with ``high < 2**i``."""
    return max(math.frexp(high)[1], 0) if high > 0 else 0


def _bits_below(low: float) -> int:
    """Fewest i >= 0 with ``-2**i <= low``."""
    if low >= 0:
        return 0
    mantissa, exponent = math.frexp(-low)
    return max(exponent - (mantissa == 0.5), 0)
