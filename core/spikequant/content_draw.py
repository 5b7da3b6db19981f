"""The draw that a tensor is rounded with, made from its values: equal values are always rounded alike.

A stochastic quantizer rounds a layer's weights with fresh random numbers after each update, and yet training,
evaluation, export and a resumed run must compute with the same codes, however a batch is split. A count of calls
cannot give that; the values can.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spikequant.counter_rng import RandomKey, mix, mixed

_WORD = (1 << 64) - 1


def content_key(seed: int, tensor: str, x: Tensor) -> RandomKey:
    """Return the random key to round ``x`` with: its draw is :func:`content_draw`."""
    return RandomKey(seed, tensor, content_draw(x))


def content_draw(x: Tensor) -> int:
    """Return a number below 2**63 that the values of ``x`` and their places in C order decide.

    It is the same on every device, and for float32 and float64 of equal values; 0.0 equals -0.0.

    >>> content_draw(torch.tensor([0.5, -0.0])) == content_draw(torch.tensor([0.5, 0.0]).double())
    True
    >>> content_draw(torch.tensor([0.5, 0.0])) == content_draw(torch.tensor([0.0, 0.5]))
    False
    """
    words = (x.detach().to(torch.float64).reshape(-1) + 0.0).view(torch.int64)
    places = mixed(torch.arange(1, words.numel() + 1, device=words.device))
    return mix(int(mixed(words ^ places).sum()) & _WORD) >> 1
