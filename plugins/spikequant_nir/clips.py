"""Where a quantizer with a clip starts: what it says itself, or the clip with the least squared error."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from spikequant import Quantizer

ClipRule = Literal["quantizer", "max", "mse"]
CLIP_RULES: tuple[ClipRule, ...] = ("quantizer", "max", "mse")
LEAST = 1e-6
TRIED = 100


def clip_of(weight: Tensor, quantizer: Quantizer, rule: ClipRule) -> float:
    """Return the real magnitude of the largest code for the weights of a layer.

    Args:
        weight: Real weights.
        quantizer: Gives codes for a size of one code.
        rule: ``quantizer``: its own start; ``max``: the largest weight; ``mse``: the one of 100 fractions of that
            with the least squared error.
    """
    top = max(float(weight.detach().abs().max()), LEAST) if weight.numel() else LEAST
    if rule == "max":
        return top
    if rule == "quantizer":
        return max(quantizer.initial_clip(weight), LEAST)
    values, codes = weight.detach().float(), quantizer.code_range[1]
    errors = []
    for number in range(1, TRIED + 1):
        scale = torch.tensor(top * number / TRIED / codes, dtype=torch.float32, device=values.device)
        errors.append(float((quantizer.quantize(values, scale) * scale - values).square().sum()))
    best = min(range(TRIED), key=errors.__getitem__)
    return top * (best + 1) / TRIED
