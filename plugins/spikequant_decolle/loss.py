"""What a layer's readout is trained for at every timestep."""

from __future__ import annotations

from torch import Tensor


def smooth_l1(y: Tensor, target: Tensor) -> Tensor:
    r"""Return the loss, averaged over everything.

    .. math:: \ell(e) = e^2 / 2 \text{ where } |e| < 1, \text{ else } |e| - 1/2, \quad e = y - target

    Source: Kaiser, Mostafa and Neftci 2020.

    Args:
        y: Readouts ``(..., classes)``.
        target: One-hot labels that broadcast with it.
    """
    error = y - target
    clipped = error.clamp(-1.0, 1.0)
    return (clipped * (error - clipped / 2)).mean()


def smooth_l1_gradient(y: Tensor, target: Tensor) -> Tensor:
    """Return the gradient of :func:`smooth_l1` with respect to ``y``, both ``(batch, classes)``.

    >>> import torch
    >>> smooth_l1_gradient(torch.tensor([[3.0, 0.5]]), torch.tensor([[1.0, 0.0]])).tolist()
    [[0.5, 0.25]]
    """
    return (y - target).clamp_(-1.0, 1.0).div_(y.numel())
