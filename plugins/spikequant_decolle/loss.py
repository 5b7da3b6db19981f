"""What a layer's readout is trained for at every timestep."""

from __future__ import annotations

from torch import Tensor


def smooth_l1(y: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the loss, averaged over samples and classes, and its gradient with respect to ``y``.

    .. math:: \ell(e) = e^2 / 2 \text{ where } |e| < 1, \text{ else } |e| - 1/2, \quad e = y - target

    Source: Kaiser, Mostafa and Neftci 2020.

    Args:
        y: Readout ``(batch, classes)``.
        target: One-hot labels of the same shape.
    """
    error = y - target
    clipped = error.clamp(-1.0, 1.0)
    loss = (clipped * (error - clipped / 2)).mean()
    return loss, clipped.div_(y.numel())
