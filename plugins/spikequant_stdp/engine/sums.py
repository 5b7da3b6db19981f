"""Sums of weight rows whose order is part of the result: float32 addition is not associative."""

from __future__ import annotations

import torch
from torch import Tensor

FLOAT32_EXACT = 1 << 24


def sum_of_rows(rows: Tensor) -> Tensor:
    """Add rows one after the other, first to last, starting from 0.

    Args:
        rows: Shape ``(k, neurons)``.

    Returns:
        Shape ``(neurons,)``, dtype of ``rows``.

    >>> sum_of_rows(torch.tensor([[1.0], [2.0**-24], [2.0**-24]])).item() == 1.0
    True
    """
    total = torch.zeros(rows.shape[1], dtype=rows.dtype)
    for row in rows:
        total += row
    return total


def arriving_sums(w: Tensor, spikes: Tensor) -> Tensor:
    """For each row of spikes add the weight rows of its inputs in ascending order, as :func:`sum_of_rows`.

    Args:
        w: Shape ``(inputs, neurons)``, float32.
        spikes: bool, shape ``(rows, inputs)``.

    Returns:
        float32, shape ``(rows, neurons)``.
    """
    counts = spikes.sum(dim=1)
    first = counts.cumsum(dim=0) - counts
    inputs = spikes.nonzero()[:, 1]
    total = torch.zeros((len(spikes), w.shape[1]), dtype=w.dtype)
    for k in range(int(counts.max()) if len(counts) else 0):
        has = (counts > k).nonzero()[:, 0]
        total[has] = total[has] + w[inputs[first[has] + k]]
    return total


def exact_sums(w: Tensor, spikes: Tensor, step: float) -> Tensor:
    """Do the same with weights on a grid, whose sums are exact in any order.

    Args:
        w: Multiples of ``step``, shape ``(inputs, neurons)``.
        spikes: bool, shape ``(rows, inputs)``.
        step: The grid's.

    Returns:
        Shape ``(rows, neurons)``: float32 where each column's codes sum to less than 2**24 in magnitude, else
        float64.
    """
    largest = float((w.to(torch.float64).abs().sum(dim=0) / step).max())
    dtype = torch.float32 if largest < FLOAT32_EXACT else torch.float64
    return spikes.to(dtype) @ w.to(dtype)
