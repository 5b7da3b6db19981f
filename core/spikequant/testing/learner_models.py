"""What the kit of learners trains: small chains of layers, and samples for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from spikequant.content_draw import content_key
from spikequant.dataset import Split
from spikequant.formats import QFormat
from spikequant.lif_neuron import LifNeuron
from spikequant.model import InputCoding, Model, SpikingModel
from spikequant.network import ConvLayer, DenseLayer, FlattenLayer, Layer, ReadoutLayer
from spikequant.quantizer import Quantizer
from spikequant.rounding import Rounding, to_codes

CLASSES = 3
SHAPE = (1, 4, 4)
CODING = InputCoding(SHAPE, 4, 15)


class Nearest(Quantizer):
    """Nearest code, halves up: the plainest quantizer, so that the kit needs no plugin."""

    name = "kit-nearest"

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the nearest codes within the range."""
        return torch.floor((x / scale).clamp(*self.code_range) + 0.5).to(torch.int32)


class Fixed(Quantizer):
    """``Q1.4``, stochastic: no learnable clip, and random numbers of its own."""

    name = "kit-fixed"
    fmt = QFormat(1, 4)
    rounding = Rounding.SR

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return codes rounded at random; equal values have equal codes."""
        return to_codes(x, self.fmt, self.rounding, key=content_key(self.seed, "w", x)).codes.to(torch.int32)


class PlainLif(LifNeuron):
    """The ``lif`` node with its defaults."""

    name = "kit-lif"


QUANTIZERS: dict[str, Callable[[], Quantizer] | None] = {
    "floats": None,
    "integers": lambda: Nearest(bits=6),
    "fixed point": lambda: Fixed(bits=6),
}


def samples() -> Split:
    """48 samples of three classes: bright rows, bright columns, noise; whole numbers 0..15."""
    random = np.random.default_rng(3)
    y = np.arange(48) % CLASSES
    x = random.integers(0, 6, (48, *SHAPE))
    x[y == 0, :, ::2, :] += 9
    x[y == 1, :, :, ::2] += 9
    return Split(x.astype(np.uint8), y.astype(np.int64))


def chains(coding: InputCoding, classes: int) -> Iterator[tuple[str, Model]]:
    """Yield fresh models: dense and convolutional, in floats and in two kinds of integers, always the same weights."""
    networks: dict[str, tuple[Layer, ...]] = {
        "dense": (FlattenLayer(), DenseLayer(12), ReadoutLayer(classes)),
        "convolutional with BatchNorm": (ConvLayer(4, batch_norm=True), FlattenLayer(), ReadoutLayer(classes)),
    }
    for name, layers in networks.items():
        for precision, quantizer in QUANTIZERS.items():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                model = SpikingModel(layers, lambda: PlainLif(bits=6), coding, timesteps=3)
            if quantizer is not None:
                model.quantize(quantizer)
            yield f"{name} network in {precision}", model
