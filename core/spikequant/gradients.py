"""Whole numbers forward, useful gradients backward: the autograd functions of integer-domain training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


class _Exact(Function):
    """Forward one value, send the gradient to another: the straight-through estimator without float error."""

    @staticmethod
    def forward(ctx: Any, smooth: Tensor, exact: Tensor) -> Tensor:
        return exact.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """Return exactly ``exact``; the gradient goes to ``smooth`` unchanged.

    ``smooth + (exact - smooth).detach()`` is the usual way and is off by a float rounding now and then;
    integers may not be.

    >>> x = torch.tensor(0.3, requires_grad=True)
    >>> y = straight_through(x * 2, torch.tensor(1.0)); y.backward(); y.item(), x.grad.item()
    (1.0, 2.0)
    """
    result: Tensor = _Exact.apply(smooth, exact.to(smooth.dtype))  # type: ignore[no-untyped-call]
    return result


def rounded(x: Tensor) -> Tensor:
    """Round half up (``RN`` of docs/formats.md), straight-through gradient."""
    below = torch.floor(x.detach())
    return straight_through(x, below + (x.detach() - below >= 0.5))


class _Codes(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, codes: Tensor, low: int, high: int) -> Tensor:
        ctx.save_for_backward(x, scale)
        ctx.range = low, high
        return codes.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, scale = ctx.saved_tensors
        low, high = ctx.range
        ratio = x / scale
        to_x = grads[0] * ((ratio >= low) & (ratio <= high)) / scale
        return to_x, -ratio.mul_(to_x).sum_to_size(scale.shape), None, None, None


def straight_through_codes(x: Tensor, scale: Tensor, codes: Tensor, limits: tuple[int, int]) -> Tensor:
    """Return ``codes`` as floats; the gradient is that of ``clamp(x / scale, *limits)``, for both arguments.

    >>> x, scale = torch.tensor([0.6, 9.0], requires_grad=True), torch.tensor(0.5, requires_grad=True)
    >>> straight_through_codes(x, scale, torch.tensor([1, 3]), (-3, 3)).sum().backward()
    >>> x.grad.tolist(), round(scale.grad.item(), 6)
    ([2.0, 0.0], -2.4)
    """
    result: Tensor = _Codes.apply(x, scale, codes, *limits)  # type: ignore[no-untyped-call]
    return result


class _ScaledGradient(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.factor, None


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """Return ``x``; its gradient is multiplied by ``factor``."""
    result: Tensor = _ScaledGradient.apply(x, factor)  # type: ignore[no-untyped-call]
    return result


class _Spike(Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, lsb: Tensor, theta: Tensor, v_th: float) -> Tensor:
        ctx.save_for_backward(h, lsb)
        ctx.v_th = v_th
        return (h >= theta).to(h.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        h, lsb = ctx.saved_tensors
        near = grads[0] * (1.0 - (h * lsb - ctx.v_th).abs() / ctx.v_th).clamp_min(0.0) / ctx.v_th
        to_lsb = (near * h).sum_to_size(lsb.shape) if ctx.needs_input_grad[1] else None
        return near * lsb, to_lsb, None, None


def spike(h: Tensor, lsb: Tensor, theta: Tensor, v_th: float) -> Tensor:
    r"""Return ``[h >= theta]`` in {0, 1} with the triangular surrogate gradient of the real potential.

    .. math:: \partial S / \partial (h \cdot lsb) = \max(0, 1 - |h \cdot lsb - v_{th}| / v_{th}) / v_{th}

    Args:
        h: Potential before reset, whole numbers as floats.
        lsb: Real size of one unit of ``h``; broadcasts with it; receives a gradient.
        theta: Integer threshold, broadcasts with ``h``.
        v_th: Real threshold, positive.
    """
    result: Tensor = _Spike.apply(h, lsb, theta, v_th)  # type: ignore[no-untyped-call]
    return result
