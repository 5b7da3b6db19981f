"""What the networks of all tools share: inputs, weights, sizes."""

from __future__ import annotations

import torch
from torch import nn

STEPS, SAMPLES = 25, 6


def inputs(shape: tuple[int, ...]) -> torch.Tensor:
    """Return spikes ``(STEPS, SAMPLES, *shape)``."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(STEPS, SAMPLES, *shape, generator=generator) < 0.3).float()


def weights(net: nn.Module, size: float = 1.0) -> None:
    """Draw every layer's weights, ``3 size / sqrt(inputs)`` wide, and biases up to ``size / 2``."""
    generator = torch.Generator().manual_seed(2)
    for module in net.children():
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            width = 3.0 * size / module.weight[0].numel() ** 0.5
            with torch.no_grad():
                module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * width)
                if module.bias is not None:
                    module.bias.copy_(torch.rand(module.bias.shape, generator=generator) * 0.5 * size)
