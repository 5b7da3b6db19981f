"""A plugin that claims a name which is taken, beside one of its own."""

import torch
from torch import Tensor

from spikequant import Quantizer, hookimpl


class OtherMint(Quantizer):
    """Truncate toward zero."""

    name = "mint"

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return int32 codes shaped like ``x``."""
        return (x / scale).clamp(*self.code_range).to(torch.int32)


class Truncating(OtherMint):
    """The same under a name that is free."""

    name = "truncating"


@hookimpl
def spikequant_quantizers() -> list[type[Quantizer]]:
    """Offer both."""
    return [OtherMint, Truncating]
