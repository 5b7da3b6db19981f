"""What the nodes of DECOLLE compute in one timestep, as operations with widths, for counts and energy.

Each expression is counted as it is written: a product for each factor, a sum, one rounding (see
:func:`spikequant.fixed_point.rounding_operations`) and one write for each variable. A factor of 0 takes nothing and
one of 1 no product; a spike gates its gain, so ``kR S`` is no product either. Clipping is not counted.
"""

from __future__ import annotations

from spikequant.fixed_point import rounding_operations
from spikequant.formats import QFormat
from spikequant.memory import signed_bits
from spikequant.program import Operation
from spikequant.rounding import Rounding


def scaled(value_bits: int, code: int, shift: int) -> tuple[Operation, ...]:
    """Return the product of a value and ``code / 2**shift``.

    >>> scaled(8, 61, 6), scaled(8, 64, 6)
    ((Operation(name='multiply', bits=8, count=1),), ())
    """
    return () if code in (0, 1 << shift) else (Operation("multiply", max(value_bits, code.bit_length())),)


def kept(rule: Rounding, sum_bits: int, fmt: QFormat) -> tuple[Operation, ...]:
    """Return the sum of two numbers of ``sum_bits``, its rounding and the write of the result."""
    return Operation("add", sum_bits), *rounding_operations(rule, sum_bits), Operation("register", fmt.width)


def width(limits: tuple[int, int]) -> int:
    """Return the two's complement width of a sum within ``limits``.

    >>> width((-9, 7))
    5
    """
    return signed_bits(min(limits[0], 0), max(limits[1], 0))
