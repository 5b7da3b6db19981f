"""Gradients of one layer's weights and thresholds at one timestep: written out, as no gradient goes further."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from spikequant_decolle.layer import DecolleLayer

_convolution_backward: Any = torch.ops.aten.convolution_backward


def weight_gradient(layer: DecolleLayer, p: Tensor, dv: Tensor, w: Tensor) -> Tensor:
    r"""Return :math:`\partial L / \partial w`, given that of the potentials.

    Args:
        layer: For its kind and padding.
        p: Traces ``(batch, *in_shape)``.
        dv: Gradient of the loss with respect to V, ``(batch, *out_shape)``.
        w: For the shape and the order in memory.
    """
    if not layer.plan.kernel:
        return dv.T @ p
    padding = [layer.plan.padding] * 2
    found = _convolution_backward(dv, p, w, None, [1, 1], padding, [1, 1], False, [0, 0], 1, [False, True, False])
    return cast("Tensor", found[1])


def threshold_gradient(g: Tensor) -> Tensor:
    r"""Return :math:`\partial L / \partial V_{th}` of each channel: a higher threshold is a lower potential.

    Args:
        g: Gradient of the loss with respect to the pooled potentials; all others have none.
    """
    return g.sum((0, *range(2, g.dim()))).neg_()
