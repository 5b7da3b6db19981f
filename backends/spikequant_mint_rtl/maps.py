"""Maps of spikes outside the core: which part a pass reads, and where a pass's results belong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikequant_mint_rtl.buffers import LANES, WORD
from spikequant_mint_rtl.layer import Layer, Shortcut
from spikequant_mint_rtl.packing import Words, rows_by_neuron, unpack_spikes, words_of
from spikequant_mint_rtl.registers import band_of
from spikequant_mint_rtl.schedule import Block, Pass
from spikequant_mint_rtl.simulator import Output

LANE_WORDS = LANES // WORD


def outputs_of(layer: Layer, tiles: range) -> range:
    """Outputs of a group of tiles."""
    return range(tiles.start * LANES, min(layer.out_shape[0], tiles.stop * LANES))


def words_in(layer: Layer, tiles: range) -> slice:
    """Words of a group of tiles in a pixel of the layer's spikes."""
    return slice(tiles.start * LANE_WORDS, tiles.start * LANE_WORDS + words_of(len(outputs_of(layer, tiles))))


def source_of(layer: Layer, one: Pass, block: Block, tiles: range, stored: Words | None, samples: range) -> Words:
    """Return what a pass reads, ``(samples, words)``.

    Args:
        layer: The layer.
        one: The pass.
        block: The outputs.
        tiles: Their tiles.
        stored: The source's map ``(batch, steps, planes, height, width, words)``; None for a spike everywhere.
        samples: Of the batch.
    """
    part, band = layer.parts[one.part], band_of(layer, one, block)
    words = words_in(layer, tiles) if isinstance(part, Shortcut) else slice(one.words.start, one.words.stop)
    if stored is None:
        return np.full((len(samples), band.height * band.width * (words.stop - words.start)), 0xFFFFFFFF, np.uint32)
    rows, columns = slice(band.y, band.y + band.height), slice(band.x, band.x + band.width)
    chosen = stored[samples.start : samples.stop, : part.steps, :, rows, columns, words]
    return np.ascontiguousarray(chosen).reshape(len(samples), -1)


class Results:
    """What a layer puts out, filled block by block.

    Args:
        layer: The layer.
        batch: Number of samples.
        keep: Whether rows of the array are kept too.
    """

    def __init__(self, layer: Layer, batch: int, *, keep: bool) -> None:
        self._layer = layer
        channels, height, width = layer.out_shape
        steps, words = layer.timesteps, words_of(channels)
        pooled = layer.destination_shape[1:]
        self.words = np.zeros((batch, steps, 1, *pooled, words) if not layer.readout else (batch, 0), np.uint32)
        self.rows = np.zeros((steps, batch, channels, height, width) if keep else (0,), np.int32)
        self._fired = np.zeros((batch, steps, height, width, words) if keep else (0,), np.uint32)

    @property
    def spikes(self) -> NDArray[np.uint8]:
        """Spikes ``(time, batch, channels, height, width)``, as the array showed them before they were pooled."""
        return unpack_spikes(self._fired, self._layer.out_shape[0])

    def add(self, output: Output, block: Block, tiles: range, samples: range) -> None:
        """Put in its place what the last pass over a block gave."""
        layer = self._layer
        chosen, words, outputs = slice(samples.start, samples.stop), words_in(layer, tiles), outputs_of(layer, tiles)
        if not layer.readout:
            (tall, wide), (high, broad) = layer.pool, (block.height // layer.pool[0], block.width // layer.pool[1])
            y, x = slice(block.y // tall, block.y // tall + high), slice(block.x // wide, block.x // wide + broad)
            shape = (len(samples), layer.timesteps, high, broad, words.stop - words.start)
            self.words[chosen, :, 0, y, x, words] = output.words.reshape(shape)
        if output.rows is None or output.fired is None:
            return
        size = (len(tiles), block.height, block.width, layer.timesteps)
        y, x = slice(block.y, block.y + block.height), slice(block.x, block.x + block.width)
        self.rows[:, chosen, outputs.start : outputs.stop, y, x] = rows_by_neuron(output.rows, size, len(outputs))
        fired = output.fired.reshape(len(samples), *size, LANE_WORDS).transpose(0, 4, 2, 3, 1, 5)
        joined = fired.reshape(*fired.shape[:4], len(tiles) * LANE_WORDS)
        self._fired[chosen, :, y, x, words] = joined[..., : words.stop - words.start]
