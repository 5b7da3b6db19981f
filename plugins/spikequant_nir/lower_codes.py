"""What the weights of a program come to: integers and the sizes of their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers of one part.

    Attributes:
        weight: Whole numbers in NIR's layout, or of a diagonal one for each channel; they carry gradients.
        bias: Whole numbers per output channel, in units of ``lsb``; or none.
        lsb: Real size of one unit of the sums, float64.
        unit: Real size of one code.
        bits: Width of a code.
        signed: Whether codes are two's complement.
        overflows: How many weights lie beyond the largest or the smallest code.
    """

    weight: Tensor
    bias: Tensor | None
    lsb: Tensor
    unit: float
    bits: int
    signed: bool
    overflows: int


@dataclass(frozen=True)
class Shared:
    """The size of a sum that several parts add to.

    Of ``Qi.f`` it is the finest of theirs. A quantizer with a clip takes the coarsest of its weights' sizes, so that no
    clip shrinks. Where values of smaller units enter as well, such as pixels beside spikes, it is so many powers of two
    less that the codes of their weights are not lost in its unit, and all other codes are that much larger.

    Attributes:
        lsb: Real size of one unit of the sum.
        steps: Of each part with a format: what its codes count before they are shifted left, where a clip decides it.
        finer: By how many powers of two ``lsb`` is below the coarsest of ``steps``.
    """

    lsb: Tensor
    steps: Mapping[str, Tensor] = field(default_factory=dict)
    finer: int = 0
