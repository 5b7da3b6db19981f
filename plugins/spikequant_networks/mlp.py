"""A multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from spikequant import Network
from spikequant.network import DenseLayer, FlattenLayer, Layer, ReadoutLayer
from spikequant.program import Shape

MOST_NEURONS = 1_000_000


class Mlp(Network):
    """Dense layers of spiking neurons and a readout.

    Args:
        hidden: Neurons of each hidden layer.
        batch_norm: Normalise before the neurons.
    """

    name: ClassVar[str] = "mlp"
    summary: ClassVar[str] = "dense layers"

    def __init__(self, hidden: Sequence[int] = (128,), batch_norm: bool = False) -> None:
        if not hidden or min(hidden) < 1:
            raise ValueError(f"network 'mlp': hidden is {list(hidden)}; it must list positive sizes")
        if sum(hidden) > MOST_NEURONS:
            raise ValueError(f"network 'mlp': hidden has {sum(hidden)} neurons in all; the limit is {MOST_NEURONS}")
        self.hidden, self.batch_norm = tuple(hidden), batch_norm

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """Return flatten, the hidden layers, and the readout."""
        hidden = (DenseLayer(size, self.batch_norm) for size in self.hidden)
        return (FlattenLayer(), *hidden, ReadoutLayer(classes))
