"""MINT's quantizer (Eq. 10) and the vanilla uniform quantizer it is compared with."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from spikequant import Quantizer

Init = Literal["mean", "max", "paper"]


class Uniform(Quantizer):
    r"""Symmetric uniform codes with a learnable clip ``a``.

    .. math:: Q(r, n) = \mathrm{round}(\mathrm{clamp}(r / a, -1, 1)\, s(n))\, a / s(n), \quad s(n) = 2^{n-1} - 1

    so that one code is worth ``a / s(n)``. Source: MINT, Eq. 10. Halves round up.

    Args:
        bits: n.
        init: Where the clip starts: ``mean`` is ``2 <|w|> sqrt(s(n))``, ``max`` is ``max |w|``,
            ``paper`` is ``2 <|w|> / s(n)``, which leaves almost no range at 8 bits.
    """

    def __init__(self, bits: int = 8, init: Init = "mean") -> None:
        super().__init__(bits)
        if init not in ("mean", "max", "paper"):
            raise ValueError(f"quantizer '{self.name}': init is {init!r}; it must be mean, max or paper")
        self.init = init

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the nearest codes within the range, int32."""
        low, high = self.code_range
        ratio = (x / scale).clamp_(low, high)
        below = torch.floor(ratio)
        return below.add_(ratio.sub_(below) >= 0.5).to(torch.int32)

    def initial_clip(self, x: Tensor) -> float:
        """Return the clip that training starts with, for the weights ``x`` of a layer."""
        magnitude, top = x.detach().abs(), self.code_range[1]
        mean = 2.0 * float(magnitude.mean())
        clips = {"mean": mean * math.sqrt(top), "max": float(magnitude.max()), "paper": mean / top}
        return max(clips[self.init], 1e-6)


class Mint(Uniform):
    """MINT: weights and potential share one learnable scale per layer, so inference has no multiplier."""

    name: ClassVar[str] = "mint"
    summary: ClassVar[str] = "MINT: integer weights and potentials on one shared learnable scale"


class VanillaUq(Uniform):
    """Vanilla uniform quantization: the weights' own scale; pair it with the neuron ``uq-lif``."""

    name: ClassVar[str] = "uq"
    summary: ClassVar[str] = "vanilla uniform quantization: separate scales, 32-bit multiplier (baseline)"
