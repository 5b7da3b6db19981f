"""Power-of-two weights for spikequant: every nonzero code is ±2^k, a shift on chip."""

import torch
from torch import Tensor

from spikequant import Quantizer, hookimpl


class PowerOfTwo(Quantizer):
    """Round ``x / scale`` to the nearest signed power of two, or to zero below 1/2."""

    name = "pow2"

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return int32 codes shaped like ``x``, in units of ``scale``."""
        ratio = x / scale
        exponent = ratio.abs().clamp(min=1.0).log2().round().clamp(max=self.bits - 2)
        codes = torch.where(ratio.abs() < 0.5, 0.0, ratio.sign() * 2.0**exponent)
        return codes.to(torch.int32)


@hookimpl
def spikequant_quantizers() -> list[type[Quantizer]]:
    """Offer this distribution's quantizers."""
    return [PowerOfTwo]
