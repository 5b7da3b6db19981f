"""The contract of a network architecture: layers as plain data, to be filled by any quantizer and neuron."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from spikequant.program import Shape


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


Layer = DenseLayer | ConvLayer | PoolOrLayer | PoolSumLayer | FlattenLayer | ReadoutLayer


class Network(ABC):
    """A family of architectures; options are keyword arguments of the constructor, with defaults."""

    name: ClassVar[str]
    summary: ClassVar[str] = ""

    @abstractmethod
    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return the layers for samples of ``shape`` and a number of classes; the last is a readout."""
