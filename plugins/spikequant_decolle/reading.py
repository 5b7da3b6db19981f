"""How spikes become a class, as data."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant_decolle.votes import Decode


@dataclass(frozen=True)
class Reading:
    """How spikes become a class.

    Attributes:
        classes: How many there are.
        decode: ``mode`` or ``sum``.
        burn_in: Timesteps before the first vote, and before the first update of a sample.
        seed: Of the random readouts, and of stochastic rounding.
    """

    classes: int
    decode: Decode = "mode"
    burn_in: int = 0
    seed: int = 0
