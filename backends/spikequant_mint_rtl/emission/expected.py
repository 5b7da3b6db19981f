"""What the oracle's trace expects of each layer, in the order in which a bench looks it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikequant.program import IntArray
from spikequant.trace import Trace
from spikequant_mint_rtl.layer import Layer
from spikequant_mint_rtl.packing import Words, pack_planes


@dataclass(frozen=True)
class Expected:
    """Expected values of a layer.

    Attributes:
        rows: Stored potentials, or accumulators of a readout, ``(samples, height, width, time, channels)``.
        fired: Spikes as words ``(samples, height, width, time, words)``; none for a readout.
        words: The map that is written, pooled, ``(samples, time, 1, height, width, words)``; none for a readout.
    """

    rows: IntArray
    fired: Words | None = None
    words: Words | None = None


def expected_of(layer: Layer, trace: Trace) -> Expected:
    """Return what a trace says about a layer.

    Args:
        layer: The layer.
        trace: With spikes, potentials and outputs ``(time, samples, *shape)``.
    """
    values = (trace.outputs if layer.readout else trace.potentials)[layer.name]
    rows = values.reshape(*values.shape[:2], *layer.out_shape).transpose(1, 3, 4, 0, 2).astype(np.int64)
    if layer.readout:
        return Expected(rows)
    spikes = trace.spikes[layer.name].astype(np.int64).reshape(*values.shape[:2], *layer.out_shape)
    fired = pack_planes(spikes, 1)[:, :, 0].transpose(0, 2, 3, 1, 4)
    return Expected(rows, fired, pack_planes(_pooled(spikes, layer), 1))


def _pooled(spikes: IntArray, layer: Layer) -> IntArray:
    """Join the spikes of each window by OR; what is left over at the border belongs to no window."""
    channels, height, width = layer.destination_shape
    (tall, wide), lead = layer.pool, spikes.shape[:2]
    whole = spikes[..., : height * tall, : width * wide]
    pooled: IntArray = whole.reshape(*lead, channels, height, tall, width, wide).max(axis=(4, 6))
    return pooled
