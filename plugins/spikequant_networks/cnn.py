"""A small strided convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from spikequant import Network
from spikequant.network import ConvLayer, FlattenLayer, Layer, ReadoutLayer
from spikequant.program import Shape

MOST_CHANNELS = 100_000


class Cnn(Network):
    """3x3 convolutions of spiking neurons and a readout; size is reduced by strides, not by pooling.

    Args:
        channels: Output channels of each convolution.
        strides: Stride of each convolution.
        batch_norm: Normalise before the neurons.
    """

    name: ClassVar[str] = "cnn"
    summary: ClassVar[str] = "strided 3x3 convolutions"

    def __init__(
        self, channels: Sequence[int] = (16, 32), strides: Sequence[int] = (1, 2), batch_norm: bool = True
    ) -> None:
        if not channels or len(channels) != len(strides) or min(*channels, *strides) < 1:
            raise ValueError(
                f"network 'cnn': channels {list(channels)} and strides {list(strides)} must be"
                " positive and equally many"
            )
        if max(channels) > MOST_CHANNELS:
            raise ValueError(f"network 'cnn': channels is {list(channels)}; each must be at most {MOST_CHANNELS}")
        self.channels, self.strides, self.batch_norm = tuple(channels), tuple(strides), batch_norm

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return the convolutions, flatten, and the readout."""
        convolutions = (
            ConvLayer(channels, stride=stride, batch_norm=self.batch_norm)
            for channels, stride in zip(self.channels, self.strides, strict=True)
        )
        return (*convolutions, FlattenLayer(), ReadoutLayer(classes))
