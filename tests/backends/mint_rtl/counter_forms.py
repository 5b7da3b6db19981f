"""Closed forms of the core's counters: what every pass costs, from the oracle's spikes and the plan.

Nothing here looks at registers or at packed words: a pass is told by what it sums up (``mint_ctrl.sv``):

- a tile costs one cycle, each of its outputs one more, and each timestep ``Start``, the sum, and its end;
- the sum of taps is one cycle for the first word, its beats, and ``Drain``; a shortcut takes one cycle per word;
- adding a kept sum, the bias, and keeping a sum cost one cycle each; so do storing a sum, the LIF step and each
  word of spikes that is written.
"""

from collections import Counter

import numpy as np

from spikequant.program import Input, PoolOr
from spikequant_mint_rtl.layer import Taps

LANES, WORD = 128, 32


def source_map(program, source, values, spikes):
    """Return what a source shows, as bits ``(steps, batch, planes, channels, height, width)``."""
    if isinstance(source, Input):
        seen = values[source.name]
        planes = np.stack([seen >> plane & 1 for plane in range(source.bits)], axis=2)
        return planes.reshape(*planes.shape[:3], *_three(source.shape))
    fired = spikes[source.name].reshape(*spikes[source.name].shape[:2], *_three(program.shapes[source.name]))
    readers = [program.by_name[edge.target] for edge in program.edges if edge.source == source.name]
    window = next((reader.kernel for reader in readers if isinstance(reader, PoolOr)), (1, 1))
    height, width = fired.shape[3] // window[0], fired.shape[4] // window[1]
    cut = fired[..., : height * window[0], : width * window[1]]
    return cut.reshape(*cut.shape[:3], height, window[0], width, window[1]).max(axis=(4, 6))[:, :, None]


def _three(shape):
    return shape if len(shape) == 3 else (shape[0], 1, 1)


def chunks(plan, batch):
    """Ranges of samples that run together."""
    size = plan.samples_at_once or batch
    return [range(start, min(start + size, batch)) for start in range(0, batch, size)]


def order_of_work(layer, plan, batch):
    """Yield ``(tiles, samples, block, number of the pass)`` in the order that the plan promises."""
    for tiles in plan.groups:
        for samples in chunks(plan, batch):
            for block in plan.blocks:
                for number in range(len(plan.passes)):
                    yield tiles, samples, block, number


def lanes_of(layer, tiles):
    """Lanes in use of each tile."""
    return [min(LANES, layer.out_shape[0] - tile * LANES) for tile in tiles]


def pass_counters(program, layer, plan, work, seen, fires, zero_skip):
    """Return the counters of one pass but ``saturations``.

    Args:
        program: The program.
        layer: The layer.
        plan: Its plan.
        work: One item of :func:`order_of_work`.
        seen: Under each source's name, its :func:`source_map`.
        fires: The neurons' spikes ``(time, batch, channels, height, width)``; None for a readout.
        zero_skip: Whether inputs without a spike cost no cycle.
    """
    tiles, samples, block, number = work
    one, total = plan.passes[number], Counter()
    part = layer.parts[one.part]
    once = one.hold or (one.store and layer.still)
    runs = 1 if one.store and layer.still else layer.timesteps
    for tile, lanes in zip(tiles, lanes_of(layer, tiles), strict=True):
        words = -(-lanes // WORD)
        total["cycles"] += len(samples)
        for y, x in np.ndindex(block.height, block.width):
            pixels = len(samples)
            total["cycles"] += pixels
            summed = pixels if once else runs * pixels  # how often the taps are walked through
            kept = runs * pixels - summed  # timesteps that take the sum of the first one
            total["cycles"] += runs * pixels + summed * (one.load + one.bias + one.hold) + kept
            total["sums_read"] += summed * one.load + kept
            total["sums_written"] += summed * (one.hold + one.store)
            total["bias_adds"] += summed * one.bias * lanes
            position = block.y + y, block.x + x
            if isinstance(part, Taps):
                beats, rows, read, bits = _taps(part, one, seen[part.source.name], position, samples, once, zero_skip)
                total["cycles"] += 2 * summed + beats
                total["rows_read"] += rows
                total["words_read"] += read
                total["broadcasts"] += bits
                total["accumulates"] += bits * lanes
            else:
                total["cycles"] += summed * words
                total["words_read"] += summed * words
                total["shortcut_adds"] += _shortcut(part, seen, tile, lanes, position, samples, once, summed)
            total["cycles"] += runs * pixels  # the LIF step, or storing the sum
            if one.store:
                continue
            total["steps"] += runs * pixels * lanes
            if layer.readout:
                continue
            outputs = slice(tile * LANES, tile * LANES + lanes)
            total["fires"] += int(fires[:, samples.start : samples.stop, outputs, position[0], position[1]].sum())
            inside = all(
                at // window < size // window for at, window, size in zip((y, x), layer.pool, _size(block), strict=True)
            )
            written = runs * pixels * words * inside
            total["cycles"] += written
            total["words_written"] += written
            total["words_merged"] += written * (y % layer.pool[0] > 0 or x % layer.pool[1] > 0)
    return dict(total)


def _size(block):
    return block.height, block.width


def _taps(part, one, bits, position, samples, once, zero_skip):
    """Beats, weight rows, words and set bits of one output's taps, over timesteps and samples."""
    channels = range(one.words.start * WORD, min(one.words.stop * WORD, bits.shape[3]))
    chosen = bits[: 1 if once else None, samples.start : samples.stop]
    beats = rows = read = spikes = 0
    for ky in one.kernel_y:
        for kx in one.kernel_x:
            at = [position[i] * part.stride[i] - part.padding[i] + (ky, kx)[i] for i in range(2)]
            if not all(0 <= at[i] < part.seen[i] for i in range(2)):
                beats += chosen.shape[0] * chosen.shape[1] * part.planes
                continue
            for wy, wx in np.ndindex(part.window):
                pixel = chosen[..., at[0] * part.window_stride[0] + wy, at[1] * part.window_stride[1] + wx]
                for first in range(channels.start, channels.stop, WORD):
                    word = pixel[..., first : min(first + WORD, channels.stop)]
                    count = word.sum(axis=3)
                    read += count.size
                    spikes += int(count.sum())
                    rows += int(count.sum()) if zero_skip else count.size * word.shape[3]
                    beats += int(np.maximum(count, 1).sum()) if zero_skip else count.size * word.shape[3]
    return beats, rows, read, spikes


def _shortcut(part, seen, tile, lanes, position, samples, once, summed):
    """Additions of an identity shortcut; a constant's spikes are everywhere, in idle lanes of a word too."""
    if part.source is None:
        return summed * -(-lanes // WORD) * WORD
    bits = seen[part.source.name][: 1 if once else None, samples.start : samples.stop, 0]
    return int(bits[:, :, tile * LANES : tile * LANES + lanes, position[0], position[1]].sum())
