"""A layer as the core runs it: what is summed up, and the neurons that the sum feeds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikequant.memory import signed_bits
from spikequant.program import Input, IntArray, Lif, Node, Readout, Weighted
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.buffers import LANES
from spikequant_mint_rtl.packing import by_tile, words_of

Pair = tuple[int, int]
Shape3 = tuple[int, int, int]
Neuron = Lif | ScaledLif | Readout
Source = Input | Lif | ScaledLif
WEIGHT_WIDTHS = (2, 4, 8)
ACC_WIDTHS = (16, 24, 32)


@dataclass(frozen=True, eq=False)
class Taps:
    """Weights whose inputs are broadcast to all lanes: a convolution over a map of spikes in memory.

    A ``dense`` is a convolution over a 1x1 map; behind a ``flatten`` its kernel is the whole map: the spikes
    stay where they are, and only the order of the weights' rows changes. Behind a ``pool_sum`` every position
    of a window meets the same weights, so that the pool needs no adder of its own.

    Attributes:
        node: The node with the weights.
        source: Where the spikes come from.
        codes: Weights ``(out, channels, kernel height, kernel width)``.
        stored: Channels, height and width of the map in memory.
        seen: Height and width of the map that the kernel slides over.
        steps: Timesteps of the map in memory; one if it is the same at every timestep.
        stride, padding: Of the kernel.
        window, window_stride: Of the sum pooling; ``(1, 1)`` without one.
    """

    node: Weighted
    source: Source
    codes: IntArray
    stored: Shape3
    seen: Pair
    steps: int
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    window: Pair = (1, 1)
    window_stride: Pair = (1, 1)

    @property
    def planes(self) -> int:
        """Bit-planes of one value in memory."""
        return self.source.bits if isinstance(self.source, Input) else 1

    @property
    def kernel(self) -> Pair:
        """Height and width of the kernel."""
        return int(self.codes.shape[2]), int(self.codes.shape[3])

    @property
    def rows(self) -> int:
        """Weight rows of one tile: the fan-in of one output."""
        return int(np.prod(self.codes.shape[1:]))


@dataclass(frozen=True, eq=False)
class Shortcut:
    """Spikes that each act on the lane of their own channel only: an identity shortcut.

    Attributes:
        node: The depthwise 1x1 ``conv2d``, or the ``add`` that the spikes feed directly; none for a constant.
        source: Where the spikes come from, on a map as large as the output; none: a spike everywhere.
        codes: What a spike adds, one per output.
    """

    node: Node | None
    source: Lif | ScaledLif | Input | None
    codes: IntArray
    steps: int


Part = Taps | Shortcut


@dataclass(frozen=True, eq=False)
class Layer:
    """Parts that are summed up, and the neurons behind them.

    Attributes:
        parts: What is summed up, at least one.
        neuron: The ``lif``, ``scaled_lif`` or ``readout``.
        out_shape: Channels, height and width of the neurons.
        pool: Windows whose spikes are joined by OR when they are written; ``(1, 1)`` for none.
        timesteps: T.
        own_bias: Bias of both kinds of node per output, or none.
    """

    parts: tuple[Part, ...]
    neuron: Neuron
    out_shape: Shape3
    pool: Pair
    timesteps: int
    own_bias: IntArray | None

    @property
    def name(self) -> str:
        """Name of the neurons' node."""
        return self.neuron.name

    @property
    def readout(self) -> bool:
        """Whether the accumulators are kept over timesteps instead of firing."""
        return isinstance(self.neuron, Readout)

    @property
    def scaled(self) -> bool:
        """Whether the neurons need the baseline's multiplier."""
        return isinstance(self.neuron, ScaledLif)

    @property
    def taps(self) -> tuple[Taps, ...]:
        """The parts with weights in rows."""
        return tuple(part for part in self.parts if isinstance(part, Taps))

    @property
    def still(self) -> bool:
        """Whether the sum is the same at every timestep."""
        return all(part.steps == 1 for part in self.parts)

    @property
    def tiles(self) -> int:
        """Groups of 128 outputs."""
        return -(-self.out_shape[0] // LANES)

    @property
    def destination_shape(self) -> Shape3:
        """Channels, height and width of the spikes in memory, pooled."""
        channels, height, width = self.out_shape
        return channels, height // self.pool[0], width // self.pool[1]

    @property
    def destination_words(self) -> int:
        """Words of one sample's spikes; a readout has none."""
        channels, height, width = self.destination_shape
        return 0 if self.readout else self.timesteps * height * width * words_of(channels)

    @property
    def weight_bits(self) -> int:
        """Narrowest width of the core that holds the codes."""
        needed = max((code_bits(part.node) for part in self.taps), default=WEIGHT_WIDTHS[0])
        return next(width for width in WEIGHT_WIDTHS if needed <= width)

    @cached_property
    def constants(self) -> dict[str, IntArray]:
        """Theta, bias and multiplier per output; zeros where there is none."""
        outputs = self.out_shape[0]
        zero = np.zeros(outputs, np.int64)
        theta = zero if isinstance(self.neuron, Readout) else per_output(self.neuron.theta, outputs)
        scale = per_output(self.neuron.multiplier, outputs) if isinstance(self.neuron, ScaledLif) else zero + 1
        return {"theta": theta, "bias": zero if self.own_bias is None else self.own_bias, "scale": scale}

    def theta_rows(self, bits: int) -> IntArray:
        """Thresholds ``(tiles, 128)``; idle lanes never fire."""
        return by_tile(self.constants["theta"], (1 << (bits - 1)) - 1)


def code_bits(node: Weighted) -> int:
    """Two's complement width that a node's weights take in the core: the node's, or what unsigned codes reach."""
    return node.bits if node.signed else signed_bits(int(node.codes.min()), int(node.codes.max()))


def per_output(constant: IntArray, outputs: int) -> IntArray:
    """Spread a constant of a layer, its channels or its neurons over the outputs (lanes).

    Raises:
        ValueError: It differs within a channel, and a lane holds one constant.
    """
    if constant.size == 1:
        return np.full(outputs, int(constant.reshape(-1)[0]), np.int64)
    flat = constant.reshape(outputs, -1)
    if (flat != flat[:, :1]).any():
        raise ValueError("the constant differs within a channel")
    return flat[:, 0].astype(np.int64)
