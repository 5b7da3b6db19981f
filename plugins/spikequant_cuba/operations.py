"""What the four kinds compute in one timestep, as operations with widths, for counts and energy.

Each expression is counted as it is written: a product where something decays, one rounding (see
:func:`spikequant.fixed_point.rounding_operations`; ``toward_zero`` costs what ``nearest`` does, an add before the
shift), the sums, the compares and one write for each variable. A decay of 0 or 1 takes nothing; clipping to the
register is not counted.
"""

from __future__ import annotations

from spikequant.fixed_point import rounding_operations
from spikequant.memory import signed_bits
from spikequant.program import IntArray, Operation
from spikequant.rounding import Rounding
from spikequant_cuba.grid import Limits, Rule

COSTS: dict[Rule, Rounding] = {
    "floor": Rounding.TR,
    "nearest": Rounding.RN,
    "toward_zero": Rounding.RN,
    "stochastic": Rounding.SR,
}


def scaling(bits: int, factor: IntArray, factor_bits: int, rule: Rule) -> tuple[Operation, ...]:
    """Return the product of a register of ``bits`` and ``factor / 2**factor_bits``, and its rounding.

    >>> import numpy as np
    >>> [(o.name, o.bits) for o in scaling(8, np.array(3), 2, "floor")], scaling(8, np.array(4), 2, "floor")
    ([('multiply', 8), ('shift', 10)], ())
    """
    if bool(((factor == 0) | (factor == 1 << factor_bits)).all()):
        return ()
    product = Operation("multiply", max(bits, int(factor.max()).bit_length()))
    return product, *rounding_operations(COSTS[rule], bits + int(factor.max()).bit_length())


def moving(bits: int, shift: int, rule: Rule) -> tuple[Operation, ...]:
    """Return a move of ``bits`` wide numbers to a grid ``2**shift`` times finer, or coarser where that is negative.

    >>> moving(8, 0, "floor"), moving(8, 6, "floor")
    ((), (Operation(name='shift', bits=14, count=1),))
    """
    if shift == 0:
        return ()
    return (Operation("shift", bits + shift),) if shift > 0 else rounding_operations(COSTS[rule], bits)


def width(limits: Limits) -> int:
    """Return the two's complement width of a sum within ``limits``.

    >>> width((-9, 7))
    5
    """
    return signed_bits(min(limits[0], 0), max(limits[1], 0))
