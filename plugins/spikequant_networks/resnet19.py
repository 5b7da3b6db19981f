"""ResNet-19 for small images: 12,687,232 weights and 1,442,048 neurons on 32x32 images."""

from __future__ import annotations

from typing import ClassVar

from spikequant import Network
from spikequant.network import (
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    Layer,
    PoolSumLayer,
    ReadoutLayer,
    ResidualLayer,
)
from spikequant.program import Shape
from spikequant_networks.square import check_width, square_side

BLOCKS = ((1, 3, 1), (2, 3, 2), (4, 2, 2))
"""Factor on the width, number of blocks, and stride of the first of them."""


class ResNet19(Network):
    """conv 128, 3 residual blocks of 128, 3 of 256, 2 of 512, average pool over the map, dense 256, readout.

    Source: the spiking ResNet-19 of Zheng et al. 2021 (tdBN), which spiking papers mean by this name; MINT's
    Table I names it and cites He et al. 2016. BatchNorm stands before all neurons.

    Args:
        width: Channels of the first group of blocks; the others follow as 2x and 4x, and the dense layer as 2x.
    """

    name: ClassVar[str] = "resnet19"
    summary: ClassVar[str] = "ResNet-19 of the MINT paper, for 32x32 images"

    def __init__(self, width: int = 128) -> None:
        check_width(self.name, width)
        self.width = width

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return the layers.

        Raises:
            UsageError: The samples are not square images whose side is divisible by 4.
        """
        side = square_side(self.name, shape, 4)
        blocks = [
            ResidualLayer(self.width * factor, stride if number == 0 else 1)
            for factor, count, stride in BLOCKS
            for number in range(count)
        ]
        return (
            ConvLayer(self.width, batch_norm=True),
            *blocks,
            PoolSumLayer(side // 4),
            FlattenLayer(),
            DenseLayer(2 * self.width, batch_norm=True),
            ReadoutLayer(classes),
        )
