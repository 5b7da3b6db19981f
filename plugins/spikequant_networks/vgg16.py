"""VGG-16 for small images: 14,715,584 weights and 276,480 neurons on 32x32 images."""

from __future__ import annotations

from typing import ClassVar

from spikequant import Network
from spikequant.network import ConvLayer, FlattenLayer, Layer, PoolOrLayer, PoolSumLayer, ReadoutLayer
from spikequant.program import Shape
from spikequant_networks.square import check_width, square_side

BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3))
"""Factor on the width and number of convolutions of the blocks that end in an OR pooling."""


class Vgg16(Network):
    """64-64-P-128-128-P-256-256-256-P-512-512-512-P-512-512-512, average pool over what is left, readout.

    Source: Simonyan and Zisserman 2014, configuration D, which MINT's Table I names; the three large dense
    layers of the original, made for 224x224 images, give way to the average pool and one readout.

    Args:
        width: Channels of the first block; the others follow as 2x, 4x, 8x and 8x.
        batch_norm: Normalise before the neurons.
    """

    name: ClassVar[str] = "vgg16"
    summary: ClassVar[str] = "VGG-16 of the MINT paper, for 32x32 images"

    def __init__(self, width: int = 64, batch_norm: bool = True) -> None:
        check_width(self.name, width)
        self.width, self.batch_norm = width, batch_norm

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return the layers.

        Raises:
            UsageError: The samples are not square images whose side is divisible by 16.
        """
        side = square_side(self.name, shape, 16)
        layers: list[Layer] = []
        for factor, count in BLOCKS:
            layers += [*self._convolutions(factor, count), PoolOrLayer(2)]
        layers += [*self._convolutions(8, 3), PoolSumLayer(side // 16)]
        return (*layers, FlattenLayer(), ReadoutLayer(classes))

    def _convolutions(self, factor: int, count: int) -> list[Layer]:
        return [ConvLayer(self.width * factor, batch_norm=self.batch_norm)] * count
