"""Layers as plain data, to be filled by any quantizer and neuron."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DenseLayer:
    """Fully connected weights, then optional BatchNorm, then neurons."""

    features: int
    batch_norm: bool = False


@dataclass(frozen=True)
class ConvLayer:
    """Convolution, then optional BatchNorm, then neurons; square kernel."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    batch_norm: bool = False


@dataclass(frozen=True)
class ResidualLayer:
    """Residual block: conv 3x3, BatchNorm, neurons, conv 3x3, BatchNorm, plus the block's input, then neurons.

    The input, always spikes, is added as it is where the shape stays; else through a 1x1 convolution with the
    block's stride, which shares the BatchNorm of the sum.
    """

    channels: int
    stride: int = 1


@dataclass(frozen=True)
class PoolOrLayer:
    """OR of spikes over ``kernel x kernel`` windows, stride equal to the kernel."""

    kernel: int = 2


@dataclass(frozen=True)
class PoolSumLayer:
    """Average over ``kernel x kernel`` windows; the integers hold the sum, the divisor goes into what follows."""

    kernel: int = 2


@dataclass(frozen=True)
class FlattenLayer:
    """``(channels, height, width)`` to ``(features,)``."""


@dataclass(frozen=True)
class ReadoutLayer:
    """Fully connected weights with bias, summed over all timesteps; the largest sum is the class."""

    classes: int


Layer = DenseLayer | ConvLayer | ResidualLayer | PoolOrLayer | PoolSumLayer | FlattenLayer | ReadoutLayer
