"""Register values of one pass over one block of a layer."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant.program import Lif
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.buffers import LANES, WORD
from spikequant_mint_rtl.layer import Layer, Pair, Shortcut, Taps
from spikequant_mint_rtl.packing import words_of
from spikequant_mint_rtl.residence import Place
from spikequant_mint_rtl.schedule import Block, Pass
from spikequant_mint_rtl.simulator import Register

R = Register
ZERO_SKIP, READOUT, BIAS, LEAK_ON_STORE, TOWARD_ZERO, SUBTRACT = (1 << bit for bit in range(6))
SHIFT_AT, FRACTION_AT = 8, 16
LANE_MODE, LOAD, HOLD, STORE = (1 << bit for bit in range(12, 16))


@dataclass(frozen=True)
class Band:
    """The part of a source's map that a pass needs: first row and column, and how many; may be empty.

    Attributes:
        y, x: Position on the map in memory.
        height, width: Size.
        origin: Map position (of what the kernel slides over) of tap (0, 0) of output (0, 0).
    """

    y: int
    x: int
    height: int
    width: int
    origin: Pair


def band_of(layer: Layer, one: Pass, block: Block) -> Band:
    """Return the part of the source that a pass over ``block`` reads."""
    part = layer.parts[one.part]
    if isinstance(part, Shortcut):
        return Band(block.y, block.x, block.height, block.width, (0, 0))
    starts, lengths, origin = [], [], []
    for axis, first, size, kernel in (
        (0, block.y, block.height, one.kernel_y),
        (1, block.x, block.width, one.kernel_x),
    ):
        low = first * part.stride[axis] - part.padding[axis] + kernel.start
        high = low + (size - 1) * part.stride[axis] + len(kernel) - 1
        seen = max(0, low), min(high, part.seen[axis] - 1)
        step, window = part.window_stride[axis], part.window[axis]
        starts.append(seen[0] * step if seen[1] >= seen[0] else 0)
        lengths.append(max(0, (seen[1] - seen[0]) * step + window) if seen[1] >= seen[0] else 0)
        origin.append(low)
    return Band(starts[0], starts[1], lengths[0], lengths[1], (origin[0], origin[1]))


def pass_registers(
    layer: Layer, one: Pass, block: Block, tiles: range, place: Place, *, zero_skip: bool
) -> dict[Register, int]:
    """Return the registers of a pass.

    The source lies at address 0, the destination behind it. ``SRC_ORIGIN`` is the address that tap (0, 0) of
    output (0, 0) would have; in the padding it is negative.

    Args:
        layer: The layer.
        one: The pass.
        block: The outputs.
        tiles: The group of tiles.
        place: Where their weights and constants are.
        zero_skip: Whether inputs without a spike cost no cycle.
    """
    outputs = min(layer.out_shape[0], tiles.stop * LANES) - tiles.start * LANES
    part, band = layer.parts[one.part], band_of(layer, one, block)
    source = _taps_registers(part, one, band) if isinstance(part, Taps) else _lanes_registers(band, words_of(outputs))
    if part.steps == 1:
        source[R.SRC_TIME_STRIDE] = 0
    return {
        R.FLAGS: flags(layer, one, zero_skip=zero_skip),
        R.TIMESTEPS: 1 if one.store and layer.still else layer.timesteps,
        R.TILES: len(tiles),
        R.LAST_LANES: outputs - (len(tiles) - 1) * LANES,
        R.OUT_HEIGHT: block.height,
        R.OUT_WIDTH: block.width,
        **source,
        **_destination(layer, block, outputs, source_size(layer, one, block, outputs)),
        R.ROW_BASE: place.row,
        R.TILE_BASE: place.tile,
    }


def source_size(layer: Layer, one: Pass, block: Block, outputs: int) -> int:
    """Words of one sample's source in a pass."""
    part, band = layer.parts[one.part], band_of(layer, one, block)
    pixels = part.steps * band.height * band.width
    if isinstance(part, Shortcut):
        return pixels * words_of(outputs)
    return pixels * part.planes * len(one.words)


def _taps_registers(part: Taps, one: Pass, band: Band) -> dict[Register, int]:
    words, channels = len(one.words), one.channels(part.stored[0])
    row = band.width * words
    tap_y, tap_x = part.window_stride[0] * row, part.window_stride[1] * words
    origin = (band.origin[0] * part.window_stride[0] - band.y) * row
    origin += (band.origin[1] * part.window_stride[1] - band.x) * words
    plane = band.height * row
    return {
        R.PLANES: part.planes,
        R.IN_HEIGHT: part.seen[0],
        R.IN_WIDTH: part.seen[1],
        R.KERNEL_HEIGHT: len(one.kernel_y),
        R.KERNEL_WIDTH: len(one.kernel_x),
        R.STRIDE_Y: part.stride[0],
        R.STRIDE_X: part.stride[1],
        R.ORIGIN_Y: band.origin[0],
        R.ORIGIN_X: band.origin[1],
        R.CHANNELS: channels,
        R.WORDS: words,
        R.TAIL_BITS: channels - (words - 1) * WORD,
        R.WINDOW_HEIGHT: part.window[0],
        R.WINDOW_WIDTH: part.window[1],
        R.TILE_ROWS: one.rows(part),
        R.SRC_ORIGIN: origin,
        R.SRC_ROW_STRIDE: row,
        R.SRC_TAP_Y_STRIDE: tap_y,
        R.SRC_TAP_X_STRIDE: tap_x,
        R.SRC_PLANE_STRIDE: plane,
        R.SRC_TIME_STRIDE: part.planes * plane,
        R.SRC_OUT_X_STRIDE: part.stride[1] * tap_x,
        R.SRC_OUT_Y_STRIDE: part.stride[0] * tap_y,
    }


def _lanes_registers(band: Band, words: int) -> dict[Register, int]:
    row = band.width * words
    return {
        R.SRC_ORIGIN: 0,
        R.SRC_TIME_STRIDE: band.height * row,
        R.SRC_OUT_X_STRIDE: words,
        R.SRC_OUT_Y_STRIDE: row,
    }


def _destination(layer: Layer, block: Block, outputs: int, base: int) -> dict[Register, int]:
    words = words_of(outputs)
    height, width = block.height // layer.pool[0], block.width // layer.pool[1]
    return {
        R.DST_BASE: base,
        R.DST_WORDS: words,
        R.DST_ROW_STRIDE: width * words,
        R.DST_TIME_STRIDE: height * width * words,
        R.DST_HEIGHT: height,
        R.DST_WIDTH: width,
        R.POOL_HEIGHT: layer.pool[0],
        R.POOL_WIDTH: layer.pool[1],
    }


def flags(layer: Layer, one: Pass, *, zero_skip: bool) -> int:
    """Return the flags register: modes, phases of the pass, and the rules of the LIF unit."""
    shortcut = isinstance(layer.parts[one.part], Shortcut)
    value = ZERO_SKIP * zero_skip | READOUT * (layer.readout and not one.store) | BIAS * one.bias
    value |= LANE_MODE * shortcut | LOAD * one.load | HOLD * one.hold | STORE * one.store
    neuron = layer.neuron
    if isinstance(neuron, Lif):
        value |= LEAK_ON_STORE * (neuron.order == "leak_on_store") | SUBTRACT * (neuron.reset.kind == "subtract")
        if neuron.leak.kind == "shift":
            value |= TOWARD_ZERO * (neuron.leak.rounding == "toward_zero") | neuron.leak.shift << SHIFT_AT
    elif isinstance(neuron, ScaledLif):
        value |= neuron.leak_shift << SHIFT_AT | neuron.fraction << FRACTION_AT
    return value


def cycle_limit(layer: Layer, one: Pass, block: Block, tiles: int) -> int:
    """Cycles that no sample can need, however dense its spikes: more means a hang."""
    part = layer.parts[one.part]
    beats = LANES // WORD
    if isinstance(part, Taps):
        positions = part.planes * len(one.kernel_y) * len(one.kernel_x) * part.window[0] * part.window[1]
        beats = positions * len(one.words) * WORD
    return 64 + tiles * (block.height * block.width * (layer.timesteps * (beats + 32) + 1) + 1)
