"""A layer as the core runs it: one ``dense`` or ``conv2d`` with the ``lif`` or ``readout`` that it feeds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikequant.memory import signed_bits
from spikequant.program import Conv2d, Flatten, Input, IntArray, Lif, Node, Program, Readout, Weighted
from spikequant_mint_rtl.packing import by_tile, words_of
from spikequant_mint_rtl.simulator import LANES

Pair = tuple[int, int]
Shape3 = tuple[int, int, int]
WEIGHT_WIDTHS = (2, 4, 8)
ACC_WIDTHS = (16, 24, 32)


@dataclass(frozen=True, eq=False)
class Layer:
    """What one configuration of the core computes.

    A ``dense`` behind a ``flatten`` is a convolution whose kernel is the whole map: the spikes stay
    where they are, and only the order of the weights' rows changes.

    Attributes:
        weighted: The node with the weights.
        neuron: The ``lif`` or ``readout`` behind it.
        source: The ``input`` or ``lif`` before it.
        codes: Weights ``(out, channels, kernel height, kernel width)``.
        in_shape: Channels, height and width of the source.
        out_shape: The same of the output.
        timesteps: T.
    """

    weighted: Weighted
    neuron: Lif | Readout
    source: Input | Lif
    codes: IntArray
    in_shape: Shape3
    out_shape: Shape3
    timesteps: int
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    @property
    def planes(self) -> int:
        """Bit-planes of one input value."""
        return self.source.bits if isinstance(self.source, Input) else 1

    @property
    def source_steps(self) -> int:
        """Timesteps of the source in memory: one when it is the same at every timestep."""
        return 1 if isinstance(self.source, Input) and self.source.coding == "direct" else self.timesteps

    @property
    def source_words(self) -> int:
        """Words of one sample's source."""
        _, height, width = self.in_shape
        return self.source_steps * self.planes * height * width * words_of(self.in_shape[0])

    @property
    def destination_words(self) -> int:
        """Words of one sample's spikes; a readout has none."""
        channels, height, width = self.out_shape
        return 0 if self.readout else self.timesteps * height * width * words_of(channels)

    @property
    def readout(self) -> bool:
        """Whether the accumulators are kept over timesteps instead of firing."""
        return isinstance(self.neuron, Readout)

    @property
    def tiles(self) -> int:
        """Groups of 128 outputs."""
        return -(-self.out_shape[0] // LANES)

    @property
    def tile_rows(self) -> int:
        """Weight rows of one tile: the fan-in of one output."""
        return int(np.prod(self.codes.shape[1:]))

    @property
    def weight_bits(self) -> int:
        """Narrowest width of the core that holds the codes."""
        return next(width for width in WEIGHT_WIDTHS if code_bits(self.weighted) <= width)

    @cached_property
    def bias(self) -> IntArray | None:
        """Bias of both nodes per output, or none: one addition serves both."""
        own = self.weighted.bias
        more = self.neuron.bias if isinstance(self.neuron, Lif) else None
        if own is None and more is None:
            return None
        total = np.zeros(self.out_shape[0], np.int64) if own is None else own
        return total if more is None else total + per_output(more, self.out_shape[0])

    @cached_property
    def theta(self) -> IntArray | None:
        """Threshold per output, or none for a readout."""
        return per_output(self.neuron.theta, self.out_shape[0]) if isinstance(self.neuron, Lif) else None

    def theta_rows(self, acc_bits: int) -> IntArray:
        """Thresholds ``(tiles, 128)``; idle lanes never fire."""
        never = (1 << (acc_bits - 1)) - 1
        return by_tile(np.zeros(self.out_shape[0], np.int64) if self.theta is None else self.theta, never)

    def bias_rows(self) -> IntArray:
        """Biases ``(tiles, 128)``."""
        return by_tile(np.zeros(self.out_shape[0], np.int64) if self.bias is None else self.bias)


def code_bits(node: Weighted) -> int:
    """Two's complement width that a node's weights take in the core: the node's, or what unsigned codes reach."""
    return node.bits if node.signed else signed_bits(int(node.codes.min()), int(node.codes.max()))


def per_output(constant: IntArray, outputs: int) -> IntArray:
    """Spread a constant of a layer, its channels or its neurons over the outputs (lanes).

    Raises:
        ValueError: It differs within a channel, and a lane holds one constant.
    """
    if constant.ndim == 0:
        return np.full(outputs, int(constant), np.int64)
    flat = constant.reshape(outputs, -1)
    if (flat != flat[:, :1]).any():
        raise ValueError("the constant differs within a channel")
    return flat[:, 0].astype(np.int64)


def source_behind(program: Program, name: str) -> Node:
    """Return the node that feeds ``name``, looking through flattens."""
    node = program.source_of(name)
    while isinstance(node, Flatten):
        node = program.source_of(node.name)
    return node


def map_shape(shape: tuple[int, ...]) -> Shape3:
    """Return ``(channels, height, width)``; features are channels of a 1x1 map."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)


def layers_of(program: Program) -> tuple[Layer, ...]:
    """Cut an accepted program into layers, in topological order."""
    return tuple(layer_of(program, node) for node in program.order if isinstance(node, (Lif, Readout)))


def layer_of(program: Program, neuron: Lif | Readout) -> Layer:
    """Return the layer that ends in ``neuron``, whose wiring was accepted."""
    weighted = program.source_of(neuron.name)
    source = source_behind(program, weighted.name)
    if not isinstance(weighted, Weighted) or not isinstance(source, (Input, Lif)):
        raise TypeError(f"node '{neuron.name}' is not behind a weighted node; refusals() says why")
    in_shape, out_shape = map_shape(program.shapes[source.name]), map_shape(program.shapes[weighted.name])
    if isinstance(weighted, Conv2d):
        return Layer(
            weighted,
            neuron,
            source,
            weighted.codes,
            in_shape,
            out_shape,
            program.timesteps,
            weighted.stride,
            weighted.padding,
        )
    codes = weighted.codes.reshape(-1, *in_shape)
    return Layer(weighted, neuron, source, codes, in_shape, out_shape, program.timesteps)
