"""Bit layouts of the core's memories: spikes as HWC words, bit-planes, weights as rows of 128 lanes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikequant.program import IntArray
from spikequant_mint_rtl.buffers import LANES, WORD

Words = NDArray[np.uint32]


def words_of(channels: int) -> int:
    """Number of 32-bit words that hold one bit per channel."""
    return -(-channels // WORD)


def pack_planes(values: IntArray, planes: int) -> Words:
    """Pack unsigned integers as bit-planes, most significant first.

    Args:
        values: ``(time, batch, channels, height, width)``.
        planes: Bits of one value.

    Returns:
        uint32 ``(batch, time, planes, height, width, words)``; bit c % 32 of word c // 32 is channel c.

    >>> pack_planes(np.array([2, 1, 3]).reshape(1, 1, 3, 1, 1), 2).ravel().tolist()
    [5, 6]
    """
    hwc = values.transpose(1, 0, 3, 4, 2)[:, :, None]
    shifts = np.arange(planes - 1, -1, -1).reshape(1, 1, planes, 1, 1, 1)
    bits = ((hwc >> shifts) & 1).astype(np.uint8)
    pad = words_of(bits.shape[-1]) * WORD - bits.shape[-1]
    padded = np.pad(bits, [(0, 0)] * 5 + [(0, pad)])
    return np.ascontiguousarray(np.packbits(padded, axis=-1, bitorder="little")).view("<u4").astype(np.uint32)


def unpack_spikes(words: Words, channels: int) -> NDArray[np.uint8]:
    """Turn words ``(batch, time, height, width, words)`` into uint8 ``(time, batch, channels, height, width)``."""
    octets = np.ascontiguousarray(words.astype("<u4")).view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little", count=channels)
    return np.ascontiguousarray(bits.transpose(1, 0, 4, 2, 3))


def by_tile(values: IntArray, fill: int = 0) -> IntArray:
    """Cut a first axis of outputs into tiles of 128 lanes: ``(tiles, 128, ...)``, idle lanes ``fill``."""
    tiles = -(-values.shape[0] // LANES)
    padded = np.full((tiles * LANES, *values.shape[1:]), fill, np.int64)
    padded[: values.shape[0]] = values
    return padded.reshape(tiles, LANES, *values.shape[1:])


def pack_weights(codes: IntArray, bits: int) -> Words:
    """Pack codes ``(out, channels, kh, kw)`` as words ``(tiles, kh * kw * channels, words per row)``.

    >>> pack_weights(np.array([1, -1]).reshape(2, 1, 1, 1), 8)[0, 0, :2].tolist()
    [65281, 0]
    """
    rows = by_tile(codes).transpose(0, 3, 4, 2, 1)
    fields = (rows & ((1 << bits) - 1)).reshape(rows.shape[0], -1, LANES * bits // WORD, WORD // bits)
    shifts = np.arange(0, WORD, bits, dtype=np.int64)
    packed: IntArray = (fields << shifts).sum(axis=-1)
    return packed.astype(np.uint32)


def rows_by_neuron(rows: NDArray[np.int32], shape: tuple[int, int, int, int], channels: int) -> NDArray[np.int32]:
    """Return ``(time, batch, channels, height, width)`` of rows ``(batch, tile * y * x * time, 128)``.

    Args:
        rows: As the core puts them out.
        shape: Tiles, output height, output width, timesteps.
        channels: Outputs in use.
    """
    lanes = rows.reshape(rows.shape[0], *shape, LANES).transpose(4, 0, 1, 5, 2, 3)
    joined = lanes.reshape(*lanes.shape[:2], shape[0] * LANES, *shape[1:3])
    return np.ascontiguousarray(joined[:, :, :channels])
