"""What stands for the derivative of a spike, of which a step has none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

Kind = Literal["boxcar", "triangle", "fast-sigmoid"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Surrogate:
    r"""Slope of a spike over the distance :math:`d = V - V_{th}`, 1 at the threshold.

    .. math:: \text{boxcar } [|d| \le w], \quad \text{triangle } \max(0, 1 - |d| / w), \quad
        \text{fast-sigmoid } (1 + |d| / w)^{-2}

    Source: Kaiser, Mostafa and Neftci 2020 (boxcar); Zenke and Ganguli 2018 (fast sigmoid).

    Args:
        kind: Which of them.
        width: w, in the unit of V.

    Raises:
        ValueError: The kind is unknown, or the width not positive.
    """

    kind: Kind = "fast-sigmoid"
    width: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"surrogate is '{self.kind}'; it must be one of {', '.join(KINDS)}")
        if not (math.isfinite(self.width) and self.width > 0):
            raise ValueError(f"surrogate_width is {self.width}; it must be positive")

    def times_(self, g: Tensor, d: Tensor) -> Tensor:
        """Multiply ``g`` in place by the slope at ``d`` of the same shape, and return it.

        >>> import torch
        >>> Surrogate("triangle", 2.0).times_(torch.ones(3), torch.tensor([0.0, -1.0, 3.0])).tolist()
        [1.0, 0.5, 0.0]
        """
        if self.kind == "boxcar":
            return g.mul_((d.abs() <= self.width).to(g.dtype))
        if self.kind == "triangle":
            return g.mul_((1.0 - d.abs() / self.width).clamp_(min=0.0))
        x = 1.0 + d.abs() / self.width
        return g.div_(x * x)
