"""One layer of the network: weights, thresholds, pooling, and the fixed random readout that trains it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikequant.program import Shape

READOUT_BITS = 8
READOUT_TOP = (1 << (READOUT_BITS - 1)) - 1


@dataclass(frozen=True)
class LayerPlan:
    """What a layer is, before it has a size.

    Attributes:
        features: Output channels of a convolution, or output features.
        kernel: Width of the square kernel; 0 for a fully connected layer.
        padding: Zero padding on each side.
        pool: Width of the OR-pooling windows; 1 for none.
    """

    features: int
    kernel: int = 0
    padding: int = 0
    pool: int = 1


class DecolleLayer(nn.Module):
    """Weights ``w``, thresholds ``v_th`` and readout codes ``G`` of one layer.

    Args:
        plan: What it is.
        shape: Of its input at one timestep; a fully connected layer flattens it.
        classes: Of the readout.
        draw: Seed of the readout.

    Attributes:
        w: ``(features, inputs)`` or ``(features, channels, kernel, kernel)``.
        v_th: Threshold of each output channel, ``(features,)``: minus the bias of DECOLLE.
        G: Readout codes int8 ``(classes, pooled features)``, uniform, drawn once and never trained.
    """

    w: Tensor
    v_th: Tensor
    G: Tensor

    def __init__(self, plan: LayerPlan, shape: Shape, classes: int, draw: tuple[int, ...]) -> None:
        super().__init__()
        self.plan = plan
        self.in_shape: Shape = shape if plan.kernel else (math.prod(shape),)
        self.out_shape = self._out_shape()
        self.pooled_shape = self._pooled_shape()
        fan_in = plan.kernel**2 * self.in_shape[0] if plan.kernel else self.in_shape[0]
        kernel = (plan.kernel,) * 2 if plan.kernel else ()
        start = torch.empty(plan.features, self.in_shape[0], *kernel).uniform_(-1, 1) / math.sqrt(fan_in)
        self.w = nn.Parameter(start, requires_grad=False)
        self.v_th = nn.Parameter(torch.zeros(plan.features), requires_grad=False)
        codes = np.random.default_rng(draw).integers(
            -READOUT_TOP, READOUT_TOP + 1, (classes, math.prod(self.pooled_shape)), dtype=np.int8
        )
        self.register_buffer("G", torch.from_numpy(codes))

    @property
    def readout_lsb(self) -> float:
        """Real size of one readout code: weights are uniform in ``+-0.5 / sqrt(features)``."""
        return 0.5 / math.sqrt(self.G.shape[1]) / READOUT_TOP

    def drive(self, p: Tensor, w: Tensor) -> Tensor:
        """Return the weighted sum of traces ``(batch, *in_shape)``: ``(batch, *out_shape)``."""
        if self.plan.kernel:
            return F.conv2d(p, w, padding=self.plan.padding)
        return F.linear(p, w)

    def pooled(self, spikes: Tensor) -> Tensor:
        """Return the OR over each pooling window of spikes ``(batch, *out_shape)``."""
        return F.max_pool2d(spikes, self.plan.pool) if self.plan.pool > 1 else spikes

    def spread(self, per_channel: Tensor) -> Tensor:
        """Shape values of the channels so that they broadcast with ``(batch, *out_shape)``."""
        return per_channel.reshape(-1, *[1] * (len(self.out_shape) - 1))

    def _out_shape(self) -> Shape:
        if not self.plan.kernel:
            return (self.plan.features,)
        sizes = tuple(size + 2 * self.plan.padding - self.plan.kernel + 1 for size in self.in_shape[1:])
        return (self.plan.features, *sizes)

    def _pooled_shape(self) -> Shape:
        if not self.plan.kernel:
            return self.out_shape
        return (self.plan.features, *(size // self.plan.pool for size in self.out_shape[1:]))
