"""Parameters of a build of the core, and which core runs which layer of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikequant.program import Program
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.layer import ACC_WIDTHS, Layer
from spikequant_mint_rtl.widths import acc_bits_needed

SCALE_BITS = 32


@dataclass(frozen=True)
class CoreConfig:
    """Parameters of one build of the core.

    Attributes:
        weight_bits: 2, 4 or 8.
        potential_bits: Width of the stored U, 2..16.
        acc_bits: Accumulator width, 16, 24 or 32 (rounded up so that few builds exist).
        weight_rows: Rows of 128 weights in the weight buffer.
        spike_depth_log2: Log2 of the spike memory's depth in words of 32 spikes.
        sum_rows: Partial sums of one lane.
        uq: Whether the lanes are the baseline's, with a multiplier.

    >>> config = CoreConfig.of(4, 4, 24, Buffers())
    >>> config.weight_rows, config.spike_depth_log2, config.sum_rows
    (2304, 14, 341)
    """

    weight_bits: int = 8
    potential_bits: int = 8
    acc_bits: int = 16
    weight_rows: int = 1152
    spike_depth_log2: int = 14
    sum_rows: int = 512
    uq: bool = False

    @classmethod
    def of(cls, weight_bits: int, potential_bits: int, acc_bits: int, buffers: Buffers, uq: bool = False) -> CoreConfig:
        """Return the parameters that follow from widths and sizes of memories."""
        return cls(
            weight_bits,
            potential_bits,
            acc_bits,
            buffers.weight_rows(weight_bits),
            buffers.spike_words.bit_length() - 1,
            buffers.sum_rows(acc_bits),
            uq,
        )

    @property
    def theta_bits(self) -> int:
        """Width of a lane's threshold."""
        return SCALE_BITS if self.uq else self.acc_bits

    @property
    def parameters(self) -> tuple[str, ...]:
        """The core's parameters as Verilator options."""
        values = {
            "WeightBits": self.weight_bits,
            "PotentialBits": self.potential_bits,
            "AccBits": self.acc_bits,
            "WeightRows": self.weight_rows,
            "SpikeDepthLog2": self.spike_depth_log2,
            "SumRows": self.sum_rows,
            "Uq": int(self.uq),
        }
        return tuple(f"-G{name}={value}" for name, value in values.items())


def core_configs(
    program: Program, layers: Sequence[Layer], buffers: Buffers, *, uq: bool = False
) -> dict[str, CoreConfig]:
    """Return under each layer's neuron name the core that runs it.

    Layers of equal widths share a core, whose accumulators fit the largest of them.

    Args:
        program: The program.
        layers: Its layers.
        buffers: Sizes of the core's memories.
        uq: Run all layers on the baseline's lanes, not only those that need its multiplier.
    """
    groups: dict[tuple[int, int, bool], list[Layer]] = {}
    for layer in sorted(layers, key=lambda item: (item.readout, not item.taps)):
        groups.setdefault(_kind(layer, uq, list(groups)), []).append(layer)
    configs: dict[str, CoreConfig] = {}
    for (weight_bits, potential_bits, scaled), members in groups.items():
        needed = max(acc_bits_needed(program, layer, uq=scaled) for layer in members)
        acc = next(width for width in ACC_WIDTHS if needed <= width)
        config = CoreConfig.of(weight_bits, potential_bits, acc, buffers, scaled)
        configs.update({layer.name: config for layer in members})
    return configs


def _kind(layer: Layer, uq: bool, known: Sequence[tuple[int, int, bool]]) -> tuple[int, int, bool]:
    """Widths and lanes. A readout stores no potential, and shortcuts alone have no weights: both join other cores."""
    if layer.readout:
        fresh = (layer.weight_bits, layer.weight_bits, uq)
        return next((kind for kind in known if kind[0] == layer.weight_bits), fresh)
    own = (getattr(layer.neuron, "u_bits", 0), uq or layer.scaled)
    if layer.taps:
        return layer.weight_bits, *own
    return next((kind for kind in known if kind[1:] == own), (layer.weight_bits, *own))
