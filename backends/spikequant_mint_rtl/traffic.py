"""Which maps of spikes can stay in the core between layers when one sample runs alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spikequant.program import Input
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.layer import Layer
from spikequant_mint_rtl.packing import words_of
from spikequant_mint_rtl.schedule import Plan
from spikequant_mint_rtl.wiring import map_shape


def kept_on_chip(
    layers: Sequence[Layer], plans: Mapping[str, Plan], configs: Mapping[str, CoreConfig], buffers: Buffers
) -> frozenset[str]:
    """Return the neurons whose spikes need not leave the chip.

    A map stays if it is written and read whole (one block), by one core, and if at every layer from its writer to
    its last reader all maps that wait to be read fit the spike memory together with what the layer writes.
    """
    size = {layer.name: layer.destination_words for layer in layers}
    readers = {layer.name: [i for i, other in enumerate(layers) if layer.name in _sources(other)] for layer in layers}
    kept: set[str] = set()
    for index, layer in enumerate(layers):
        used = readers[layer.name]
        if layer.readout or not used:
            continue
        span = layers[index : used[-1] + 1]
        whole = all(len(plans[layers[i].name].blocks) == 1 for i in (index, *used))
        one_core = len({configs[layers[i].name] for i in (index, *used)}) == 1
        if whole and one_core and all(_live(layers, size, readers, other) <= buffers.spike_words for other in span):
            kept.add(layer.name)
    return frozenset(kept)


def _sources(layer: Layer) -> set[str]:
    return {part.source.name for part in layer.parts if part.source is not None}


def _live(layers: Sequence[Layer], size: Mapping[str, int], readers: Mapping[str, list[int]], at: Layer) -> int:
    """Words in memory while ``at`` runs: maps still to be read, inputs that it reads, and what it writes."""
    index = layers.index(at)
    waiting = sum(
        size[other.name]
        for i, other in enumerate(layers)
        if i < index and readers[other.name] and readers[other.name][-1] >= index
    )
    seen = {part.source.name: (part.source, part.steps) for part in at.parts if isinstance(part.source, Input)}
    inputs = sum(steps * node.bits * math.prod(_map_words(node)) for node, steps in seen.values())
    return waiting + inputs + size[at.name]


def _map_words(node: Input) -> tuple[int, int, int]:
    """Words of a pixel, height and width of an input's bit-plane."""
    channels, height, width = map_shape(node.shape)
    return words_of(channels), height, width
