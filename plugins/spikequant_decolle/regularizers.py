"""Regularizers that keep a layer from firing all the time, and from never firing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

MARGIN, LEAST = 0.01, 0.1


@dataclass(frozen=True)
class Regularizers:
    r"""Two terms on the distances :math:`d = V - V_{th}` of a layer's pooled neurons, added to its loss.

    .. math:: \lambda_1 \langle [d + 0.01]^+ \rangle + \lambda_2 [0.1 - \langle d \rangle]^+

    where :math:`\langle\cdot\rangle` averages over the neurons of a sample, and the loss over the samples.

    Source: Kaiser, Mostafa and Neftci 2020, Eq. 12 and 13 (in form; the constants are ours to state).

    Args:
        high: :math:`\lambda_1`, against potentials above the threshold; 0 for none.
        low: :math:`\lambda_2`, against a mean below it; 0 for none.

    Raises:
        ValueError: One is negative or not finite.
    """

    high: float = 0.0
    low: float = 0.0

    def __post_init__(self) -> None:
        for name in ("high", "low"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"regularize_{name} is {value}; it must be 0 or positive")

    @property
    def active(self) -> bool:
        """Whether there is anything to add."""
        return self.high > 0 or self.low > 0

    def add_(self, g: Tensor, d: Tensor) -> Tensor:
        """Add the gradient with respect to ``d`` to ``g`` in place, both ``(batch, *pooled)``, and return it."""
        share = 1.0 / d.numel()
        if self.high:
            g.add_((d > -MARGIN).to(g.dtype), alpha=self.high * share)
        if self.low:
            mean = d.flatten(1).mean(1)
            few = (mean < LEAST).to(g.dtype).reshape(-1, *[1] * (d.dim() - 1))
            g.sub_(few, alpha=self.low * share)
        return g
