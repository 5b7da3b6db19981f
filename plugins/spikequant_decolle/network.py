"""The networks as plugins: convolutions or fully connected layers, each with a random readout of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from spikequant import InputCoding, Network
from spikequant.errors import UsageError
from spikequant.model import NeuronFactory
from spikequant_decolle.layer import LayerPlan
from spikequant_decolle.model import DecolleModel
from spikequant_decolle.neuron import DecolleNeuron
from spikequant_decolle.reading import Reading
from spikequant_decolle.votes import Decode

MOST_FEATURES = 100_000


class DecolleNetwork(Network):
    """What both networks share: how spikes become a class."""

    def __init__(self, decode: Decode = "mode", burn_in: int = 0) -> None:
        if burn_in < 0:
            raise ValueError(f"network '{self.name}': burn_in is {burn_in}; it must be at least 0")
        self.decode, self.burn_in = decode, burn_in

    @abstractmethod
    def plans(self, coding: InputCoding) -> tuple[LayerPlan, ...]:
        """Return the layers for what the network is fed."""

    def model(
        self, neuron: NeuronFactory, coding: InputCoding, classes: int, timesteps: int, *, seed: int
    ) -> DecolleModel:
        """Return the model; its readouts are drawn from ``seed``."""
        cell = neuron()
        if not isinstance(cell, DecolleNeuron):
            raise UsageError(
                f"network '{self.name}' runs neuron '{DecolleNeuron.name}' only, and was given '{cell.name}';"
                f" set neuron.name to '{DecolleNeuron.name}', or choose another network"
            )
        if coding.frame_s is None:
            raise UsageError(
                f"network '{self.name}' takes frames of events, one per timestep, and a sample of the data set is one"
                f" array {coding.shape}; set data.name to a data set of events (one of your own sets frame_s), or"
                " choose another network"
            )
        if self.burn_in >= timesteps:
            raise UsageError(
                f"network.burn_in is {self.burn_in} and there are {timesteps} timesteps; no timestep is left to vote;"
                f" set network.burn_in to at most {timesteps - 1}, or give more timesteps"
            )
        reading = Reading(classes, self.decode, self.burn_in, seed)
        return DecolleModel(self.plans(coding), cell, coding, timesteps, reading)

    def _check_sizes(self, option: str, sizes: Sequence[int]) -> None:
        if not sizes or min(sizes) < 1 or max(sizes) > MOST_FEATURES:
            raise ValueError(
                f"network '{self.name}': {option} is {list(sizes)}; give one size or more, each 1 to {MOST_FEATURES:,}"
            )


class DecolleConv3(DecolleNetwork):
    """Q-SpiNN's S-SNN: convolutions with OR-pooling, then a readout; fewer and smaller layers by options.

    Source: Kaiser, Mostafa and Neftci 2020; Q-SpiNN, Fig. 4.

    Args:
        channels: Output channels of each convolution.
        kernel: Width of all kernels, odd; inputs are padded so that sizes stay.
        pools: Width of the pooling windows after each convolution, 1 for none.
        features: Neurons of fully connected layers after the convolutions; none by default.
        decode: ``mode``: the class that most timesteps name; ``sum``: that of the summed readouts.
        burn_in: Timesteps before the first vote and the first update.
    """

    name: ClassVar[str] = "decolle-conv3"
    summary: ClassVar[str] = "convolutions with local random readouts, for learner and neuron decolle (Q-SpiNN's S-SNN)"

    def __init__(
        self,
        *,
        channels: Sequence[int] = (64, 128, 128),
        kernel: int = 7,
        pools: Sequence[int] = (2, 1, 2),
        features: Sequence[int] = (),
        decode: Decode = "mode",
        burn_in: int = 100,
    ) -> None:
        super().__init__(decode, burn_in)
        self._check_sizes("channels", channels)
        if features:
            self._check_sizes("features", features)
        if len(pools) != len(channels) or min(pools) < 1:
            raise ValueError(
                f"network '{self.name}': pools is {list(pools)} for {len(channels)} convolutions; give a width"
                " for each, 1 for none"
            )
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"network '{self.name}': kernel is {kernel}; it must be odd and positive")
        self.channels, self.kernel, self.pools = tuple(channels), kernel, tuple(pools)
        self.features = tuple(features)

    def plans(self, coding: InputCoding) -> tuple[LayerPlan, ...]:
        """Return the convolutions.

        Raises:
            UsageError: A frame is no image, or pooling leaves nothing of it.
        """
        if len(coding.shape) != 3:
            raise UsageError(
                f"network '{self.name}' takes frames (channels, height, width), and the data set's are {coding.shape};"
                " choose network decolle-mlp"
            )
        size = min(coding.shape[1:])
        for number, pool in enumerate(self.pools, 1):
            size //= pool
            if size < 1:
                raise UsageError(f"network '{self.name}': pooling {number} leaves nothing of frames {coding.shape}")
        pairs = zip(self.channels, self.pools, strict=True)
        convolutions = (LayerPlan(channels, self.kernel, self.kernel // 2, pool) for channels, pool in pairs)
        return (*convolutions, *map(LayerPlan, self.features))


class DecolleMlp(DecolleNetwork):
    """Fully connected layers.

    Args:
        features: Neurons of each layer.
        decode: ``mode``: the class that most timesteps name; ``sum``: that of the summed readouts.
        burn_in: Timesteps before the first vote and the first update.
    """

    name: ClassVar[str] = "decolle-mlp"
    summary: ClassVar[str] = "fully connected layers with local random readouts, for learner and neuron decolle"

    def __init__(self, *, features: Sequence[int] = (128, 128), decode: Decode = "mode", burn_in: int = 20) -> None:
        super().__init__(decode, burn_in)
        self._check_sizes("features", features)
        self.features = tuple(features)

    def plans(self, coding: InputCoding) -> tuple[LayerPlan, ...]:
        """Return the layers."""
        return tuple(LayerPlan(features) for features in self.features)
