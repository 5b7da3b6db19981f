"""How a layer is cut so that it fits the core: groups of tiles, blocks of outputs, passes over each block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from spikequant_mint_rtl.buffers import CONSTANT_ROWS, LANES, WORD, Buffers
from spikequant_mint_rtl.layer import Layer, Pair, Shortcut, Taps
from spikequant_mint_rtl.packing import words_of


@dataclass(frozen=True)
class Block:
    """A rectangle of outputs, a whole number of pooled windows except at the map's border."""

    y: int
    x: int
    height: int
    width: int


@dataclass(frozen=True)
class Pass:
    """One run of the core over a block: part of what is summed up.

    Attributes:
        part: Index of the layer's part.
        kernel_y, kernel_x: Ranges of the kernel's rows and columns.
        words: Range of the source's words (32 channels each); of a shortcut: those of the tile.
        load, bias, hold, store: See ``phases_t`` in ``mint_pkg.sv``.
    """

    part: int
    kernel_y: range = range(1)
    kernel_x: range = range(1)
    words: range = range(1)
    load: bool = False
    bias: bool = False
    hold: bool = False
    store: bool = False

    @property
    def first_channel(self) -> int:
        """The first input channel of its words."""
        return self.words.start * WORD

    def channels(self, total: int) -> int:
        """Number of input channels in its words, of ``total``."""
        return min(total, self.words.stop * WORD) - self.first_channel

    def rows(self, part: Taps) -> int:
        """Weight rows of one tile."""
        return len(self.kernel_y) * len(self.kernel_x) * self.channels(part.stored[0])


@dataclass(frozen=True)
class Plan:
    """The order of work: for each group of tiles, each chunk of samples and each block, every pass.

    Attributes:
        groups: Tiles that share a run; one tile where there is more than one pass.
        blocks: Parts of the output map.
        passes: In order; the last one ends in a LIF step or a readout.
        samples_at_once: Samples whose partial sums the scratchpad holds together; 0: any number.
        sums: Partial sums of one sample in a block.
    """

    groups: tuple[range, ...]
    blocks: tuple[Block, ...]
    passes: tuple[Pass, ...]
    samples_at_once: int
    sums: int


class FitError(Exception):
    """No way of cutting makes the layer fit; the text says what it needs."""


def plan_layer(layer: Layer, buffers: Buffers, weight_bits: int, acc_bits: int) -> Plan:
    """Cut a layer.

    Args:
        layer: The layer.
        buffers: Sizes of the core's memories.
        weight_bits: Width of the core's weights.
        acc_bits: Width of its accumulators.

    Raises:
        FitError: A memory is too small for the smallest piece.
    """
    rows = buffers.weight_rows(weight_bits)
    most = max((words_of(part.stored[0]) for part in layer.taps), default=1)
    for words in range(most, 0, -1):
        passes = _passes(layer, rows, words)
        if passes is None:
            continue
        alone = len(passes) == 1
        held = min(layer.tiles, CONSTANT_ROWS, rows // layer.taps[0].rows) if alone and layer.taps else 1
        for group in range(held, 0, -1):
            size = _block(layer, passes, buffers, buffers.sum_rows(acc_bits), group)
            if size is not None:
                break
        else:
            continue
        sums = 0 if alone else size[0] * size[1] * _sum_steps(layer)
        return Plan(
            tuple(range(start, min(start + group, layer.tiles)) for start in range(0, layer.tiles, group)),
            tuple(_blocks(layer, size)),
            passes,
            0 if alone else max(1, buffers.sum_rows(acc_bits) // sums),
            sums,
        )
    raise FitError(_need(layer, buffers, acc_bits, rows))


def _sum_steps(layer: Layer) -> int:
    return 1 if layer.still else layer.timesteps


def _passes(layer: Layer, rows: int, words: int) -> tuple[Pass, ...] | None:
    """Cut every part into pieces of at most ``words`` words whose weights fit; None if a kernel column does not."""
    pieces: list[Pass] = []
    for index, part in enumerate(layer.parts):
        if isinstance(part, Shortcut):
            pieces.append(Pass(index))
            continue
        cut = _pieces(part, rows, words)
        if cut is None:
            return None
        pieces += [Pass(index, *piece) for piece in cut]
    hold = layer.still and layer.timesteps > 1
    last = len(pieces) - 1
    biased = next((i for i, piece in enumerate(pieces) if isinstance(layer.parts[piece.part], Taps)), -1)
    return tuple(
        Pass(
            piece.part,
            piece.kernel_y,
            piece.kernel_x,
            piece.words,
            load=i > 0,
            bias=layer.own_bias is not None and i == biased,
            hold=hold and i == last,
            store=i < last,
        )
        for i, piece in enumerate(pieces)
    )


def _pieces(part: Taps, rows: int, words: int) -> Iterator[tuple[range, range, range]] | None:
    """Cut a kernel's channels, then its rows, then its columns, until a piece has at most ``rows`` weight rows."""
    channels, (height, width) = part.stored[0], part.kernel

    def cut(length: int, most: int) -> list[range]:
        return [range(start, min(start + most, length)) for start in range(0, length, most)]

    wide = min(channels, words * WORD)
    if height * width * wide <= rows:
        return product([range(height)], [range(width)], cut(words_of(channels), words))
    fits = rows // (height * width * WORD)
    if fits:
        return product([range(height)], [range(width)], cut(words_of(channels), min(fits, words)))
    wide = min(channels, WORD)
    if rows >= width * wide:
        return product(cut(height, rows // (width * wide)), [range(width)], cut(words_of(channels), 1))
    if rows >= wide:
        return product(cut(height, 1), cut(width, rows // wide), cut(words_of(channels), 1))
    return None


def _block(layer: Layer, passes: tuple[Pass, ...], buffers: Buffers, sum_rows: int, group: int) -> Pair | None:
    """Height and width of the largest block that fits: full rows if any can, or else part of a row."""
    _, height, width = layer.out_shape
    tall, wide = layer.pool

    def fits(rows: int, columns: int) -> bool:
        if len(passes) > 1 and rows * columns * _sum_steps(layer) > sum_rows:
            return False
        target = _destination(layer, rows, columns, group)
        return all(target + source_words(layer, one, (rows, columns)) <= buffers.spike_words for one in passes)

    for rows in _sizes(height, tall):
        if fits(rows, width):
            return rows, width
    for columns in _sizes(width, wide):
        if fits(min(tall, height), columns):
            return min(tall, height), columns
    return None


def _sizes(length: int, step: int) -> list[int]:
    """Lengths of a block to try, largest first: all, then multiples of ``step``."""
    return [length, *range((length - 1) // step * step, 0, -step)]


def _destination(layer: Layer, rows: int, columns: int, group: int) -> int:
    if layer.readout:
        return 0
    outputs = min(layer.out_shape[0], group * LANES)
    return layer.timesteps * (rows // layer.pool[0]) * (columns // layer.pool[1]) * words_of(outputs)


def source_words(layer: Layer, one: Pass, size: Pair) -> int:
    """Most words of source that a pass over a block of ``size`` needs."""
    part = layer.parts[one.part]
    if isinstance(part, Shortcut):
        return part.steps * size[0] * size[1] * min(words_of(layer.out_shape[0]), LANES // WORD)
    kernel = (len(one.kernel_y), len(one.kernel_x))
    height, width = (_span(part, kernel[i], size[i], i) for i in range(2))
    return part.steps * part.planes * height * width * len(one.words)


def _span(part: Taps, kernel: int, outputs: int, axis: int) -> int:
    """Positions of the map in memory that a row or column of outputs looks at, at most."""
    taps = (outputs - 1) * part.stride[axis] + kernel
    return min(part.stored[1 + axis], (taps - 1) * part.window_stride[axis] + part.window[axis])


def _blocks(layer: Layer, size: Pair) -> Iterator[Block]:
    _, height, width = layer.out_shape
    for y, x in product(range(0, height, size[0]), range(0, width, size[1])):
        yield Block(y, x, min(size[0], height - y), min(size[1], width - x))


def _need(layer: Layer, buffers: Buffers, acc_bits: int, rows: int) -> str:
    """Say what the smallest piece of a layer needs."""
    passes = _passes(layer, rows, 1)
    if passes is None:
        least = max(min(part.stored[0], WORD) for part in layer.taps)
        return f"needs {least} weight rows at least, and the core holds {rows} (backend option weight_bytes)"
    size = min(layer.pool[0], layer.out_shape[1]), min(layer.pool[1], layer.out_shape[2])
    sums = size[0] * size[1] * _sum_steps(layer)
    if len(passes) > 1 and sums > buffers.sum_rows(acc_bits):
        return (
            f"needs {len(passes)} passes and {sums} partial sums of {acc_bits} bits between them,"
            f" and a scratchpad of {buffers.scratchpad_bytes} bytes holds {buffers.sum_rows(acc_bits)}"
            " (backend option scratchpad_bytes)"
        )
    words = max(source_words(layer, one, size) for one in passes) + _destination(layer, *size, 1)
    return (
        f"needs {words} words of spikes for a single output over all timesteps, and the core holds"
        f" {buffers.spike_words} (backend option spike_bytes)"
    )
