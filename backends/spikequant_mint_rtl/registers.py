"""Register values of a layer, and the parameters of the core that runs it."""

from __future__ import annotations

from collections.abc import Sequence

from spikequant.program import Lif, Program
from spikequant_mint_rtl.builder import CoreConfig
from spikequant_mint_rtl.layer import ACC_WIDTHS, Layer
from spikequant_mint_rtl.limits import SPIKE_DEPTHS, WEIGHT_DEPTHS, acc_bits_needed
from spikequant_mint_rtl.packing import words_of
from spikequant_mint_rtl.residence import Place
from spikequant_mint_rtl.simulator import LANES, WORD, Register

R = Register
ZERO_SKIP, READOUT, BIAS, LEAK_ON_STORE, TOWARD_ZERO, SUBTRACT = (1 << bit for bit in range(6))
SHIFT_AT = 8


def core_configs(program: Program, layers: Sequence[Layer]) -> dict[str, CoreConfig]:
    """Return under each layer's neuron name the core that runs it.

    Layers of equal widths share a core, whose accumulators and memories fit the largest of them.
    """
    groups: dict[tuple[int, int], list[Layer]] = {}
    for layer in sorted(layers, key=lambda item: item.readout):
        groups.setdefault(_widths(layer, list(groups)), []).append(layer)
    configs: dict[str, CoreConfig] = {}
    for (weight_bits, potential_bits), members in groups.items():
        acc = max(acc_bits_needed(program, layer.neuron) for layer in members)
        rows = max(layer.tile_rows for layer in members)
        words = max(layer.source_words + layer.destination_words for layer in members)
        config = CoreConfig(
            weight_bits,
            potential_bits,
            next(width for width in ACC_WIDTHS if acc <= width),
            next(depth for depth in WEIGHT_DEPTHS if rows <= 1 << depth),
            next(depth for depth in SPIKE_DEPTHS if words <= 1 << depth),
        )
        configs.update({layer.neuron.name: config for layer in members})
    return configs


def _widths(layer: Layer, known: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Widths of weights and potential; a readout stores no potential and joins any core of its weights."""
    if isinstance(layer.neuron, Lif):
        return layer.weight_bits, layer.neuron.u_bits
    return next((pair for pair in known if pair[0] == layer.weight_bits), (layer.weight_bits, layer.weight_bits))


def layer_registers(layer: Layer, tiles: range, place: Place, *, zero_skip: bool) -> dict[Register, int]:
    """Return the registers for the given tiles of a layer.

    The weights lie at ``place``, the source at address 0, the destination behind it. ``SRC_ORIGIN`` is
    the address that tap (0, 0) of output (0, 0) would have; in the padding it is negative.
    """
    channels, height, width = layer.in_shape
    words = words_of(channels)
    row = width * words
    stride, padding = layer.stride, layer.padding
    outputs = min(layer.out_shape[0], tiles.stop * LANES) - tiles.start * LANES
    out_words = words_of(layer.out_shape[0])
    return {
        R.FLAGS: flags(layer, zero_skip=zero_skip),
        R.TIMESTEPS: layer.timesteps,
        R.PLANES: layer.planes,
        R.TILES: len(tiles),
        R.LAST_LANES: outputs - (len(tiles) - 1) * LANES,
        R.OUT_HEIGHT: layer.out_shape[1],
        R.OUT_WIDTH: layer.out_shape[2],
        R.IN_HEIGHT: height,
        R.IN_WIDTH: width,
        R.KERNEL_HEIGHT: layer.codes.shape[2],
        R.KERNEL_WIDTH: layer.codes.shape[3],
        R.STRIDE_Y: stride[0],
        R.STRIDE_X: stride[1],
        R.PAD_Y: padding[0],
        R.PAD_X: padding[1],
        R.CHANNELS: channels,
        R.WORDS: words,
        R.TAIL_BITS: channels - (words - 1) * WORD,
        R.TILE_ROWS: layer.tile_rows,
        R.ROW_BASE: place.row,
        R.TILE_BASE: place.tile,
        R.SRC_ORIGIN: -(padding[0] * row + padding[1] * words),
        R.SRC_ROW_STRIDE: row,
        R.SRC_PLANE_STRIDE: height * row,
        R.SRC_TIME_STRIDE: 0 if layer.source_steps == 1 else layer.planes * height * row,
        R.SRC_OUT_X_STRIDE: stride[1] * words,
        R.SRC_OUT_Y_STRIDE: stride[0] * row,
        R.DST_BASE: layer.source_words + tiles.start * (LANES // WORD),
        R.DST_WORDS: out_words,
        R.DST_TIME_STRIDE: layer.out_shape[1] * layer.out_shape[2] * out_words,
    }


def flags(layer: Layer, *, zero_skip: bool) -> int:
    """Return the flags register: modes, and the LIF unit's rules with the leak shift."""
    value = ZERO_SKIP * zero_skip | READOUT * layer.readout | BIAS * (layer.bias is not None)
    neuron = layer.neuron
    if isinstance(neuron, Lif):
        value |= LEAK_ON_STORE * (neuron.order == "leak_on_store") | SUBTRACT * (neuron.reset.kind == "subtract")
        if neuron.leak.kind == "shift":
            value |= TOWARD_ZERO * (neuron.leak.rounding == "toward_zero") | neuron.leak.shift << SHIFT_AT
    return value


def cycle_limit(layer: Layer, tiles: int) -> int:
    """Cycles that no sample can need, however dense its spikes: more means a hang."""
    height, width = layer.codes.shape[2:]
    taps = int(height) * int(width) * words_of(layer.in_shape[0])
    pixels = layer.out_shape[1] * layer.out_shape[2]
    return 64 + tiles * (pixels * (layer.timesteps * (layer.planes * taps * WORD + 16) + 1) + 1)
