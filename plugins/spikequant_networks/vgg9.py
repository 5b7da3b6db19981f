"""VGG-9 as the MINT paper counts it: 1,736,906 weights and 245,760 neurons on 32x32 images."""

from __future__ import annotations

from typing import ClassVar

from spikequant import Network
from spikequant.network import ConvLayer, FlattenLayer, Layer, PoolOrLayer, PoolSumLayer, ReadoutLayer
from spikequant.program import Shape
from spikequant_networks.square import check_width, square_side


class Vgg9(Network):
    """64-64-P-128-128-P-256-256-256, average pool over the map, readout.

    Source: MINT, Table II, whose memory figures imply this variant (checked in the tests).

    Args:
        width: Channels of the first block; the others follow as 2x and 4x.
        batch_norm: Normalise before the neurons.
    """

    name: ClassVar[str] = "vgg9"
    summary: ClassVar[str] = "VGG-9 of the MINT paper, for 32x32 images"

    def __init__(self, width: int = 64, batch_norm: bool = True) -> None:
        check_width(self.name, width)
        self.width, self.batch_norm = width, batch_norm

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return the layers.

        Raises:
            UsageError: The samples are not square images whose side is divisible by 4.
        """
        side = square_side(self.name, shape, 4)

        def conv(factor: int) -> ConvLayer:
            return ConvLayer(self.width * factor, batch_norm=self.batch_norm)

        return (
            *(conv(1), conv(1), PoolOrLayer(2)),
            *(conv(2), conv(2), PoolOrLayer(2)),
            *(conv(4), conv(4), conv(4), PoolSumLayer(side // 4)),
            FlattenLayer(),
            ReadoutLayer(classes),
        )
