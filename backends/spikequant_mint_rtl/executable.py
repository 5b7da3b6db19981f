"""Run a compiled program on simulated cores, layer by layer, all samples of a batch in one C call each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikequant.backend import Executable, Inputs
from spikequant.counts import Counts, NodeCounts
from spikequant.inputs import input_values
from spikequant.program import Input, IntArray, Program
from spikequant.trace import Trace
from spikequant_mint_rtl.builder import CoreConfig
from spikequant_mint_rtl.counting import NOTES, layer_counts
from spikequant_mint_rtl.layer import Layer, layers_of
from spikequant_mint_rtl.packing import pack_planes, rows_by_neuron, unpack_spikes
from spikequant_mint_rtl.registers import cycle_limit, layer_registers
from spikequant_mint_rtl.residence import Residence
from spikequant_mint_rtl.simulator import COUNTERS, LANES, WORD, Simulator, Words


class MintRtlExecutable(Executable):
    """A program whose layers run one after the other on the accelerator.

    Args:
        program: Accepted by the backend's refusals.
        configs: Core of each layer, under its neuron's name.
        libraries: Built library of each core.
        zero_skip: Whether empty spikes cost no cycle.
    """

    def __init__(
        self,
        program: Program,
        configs: Mapping[str, CoreConfig],
        libraries: Mapping[CoreConfig, Path],
        *,
        zero_skip: bool,
    ) -> None:
        self._program = program
        self._layers = layers_of(program)
        self._configs = dict(configs)
        self._cores = {config: Simulator(path) for config, path in libraries.items()}
        self._zero_skip = zero_skip
        self._residence = {config: Residence(core, config) for config, core in self._cores.items()}

    def close(self) -> None:
        """Free the simulated cores."""
        for core in self._cores.values():
            core.close()

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch; see :meth:`spikequant.backend.Executable.run`."""
        program = self._program
        given = input_values(program, inputs)
        batch = next(iter(given.values())).shape[1]
        spikes: dict[str, NDArray[np.uint8]] = {}
        potentials: dict[str, NDArray[np.int32]] = {}
        outputs: dict[str, IntArray] = {}
        words: dict[str, Words] = {}
        active = {name: int(np.count_nonzero(values)) for name, values in given.items()}
        nodes: dict[str, NodeCounts] = {}
        cycles = 0
        for layer in self._layers:
            name, shape = layer.neuron.name, program.shapes[layer.neuron.name]
            source = _source(layer, given, words)
            fired, rows, counters, loaded = self._run_layer(layer, source, keep_rows=record or layer.readout)
            if layer.readout:
                outputs[name] = rows.reshape(*rows.shape[:2], *shape).astype(np.int64)
            else:
                words[name], active[name] = fired, counters["fires"]
                if record:
                    potentials[name] = rows.reshape(*rows.shape[:2], *shape)
                    spikes[name] = unpack_spikes(fired, shape[0]).reshape(*rows.shape[:2], *shape)
            seen = active[layer.source.name]
            nodes.update(layer_counts(program, layer, counters, loaded_rows=loaded, samples=batch, active=seen))
            cycles += counters["cycles"]
        ordered = {node.name: nodes[node.name] for node in program.order if node.name in nodes}
        return Trace(spikes, potentials, outputs, Counts("mint_rtl", batch, ordered, cycles, NOTES))

    def _run_layer(
        self, layer: Layer, source: Words, *, keep_rows: bool
    ) -> tuple[Words, NDArray[np.int32], dict[str, int], int]:
        """Run a layer in groups of tiles that fit the weight memory.

        Returns:
            Spike words ``(batch, time, height, width, words)``, rows ``(time, batch, channels, height, width)``
            (empty unless kept), summed counters, and weight rows loaded.
        """
        config = self._configs[layer.neuron.name]
        core = self._cores[config]
        residence = self._residence[config]
        group = residence.largest_group(layer)
        batch, (channels, height, width) = source.shape[0], layer.out_shape
        fired = np.zeros((batch, layer.destination_words), np.uint32)
        kept: list[NDArray[np.int32]] = []
        totals = dict.fromkeys(COUNTERS, 0)
        for start in range(0, layer.tiles, group):
            tiles = range(start, min(start + group, layer.tiles))
            place = residence.place(layer, tiles)
            core.configure(layer_registers(layer, tiles, place, zero_skip=self._zero_skip))
            core.clear_counters()
            shape = (len(tiles), height, width, layer.timesteps)
            out, rows = core.run_samples(
                source.reshape(batch, -1),
                (layer.source_words, layer.destination_words),
                int(np.prod(shape)),
                keep_rows=keep_rows,
                cycle_limit=cycle_limit(layer, len(tiles)),
            )
            _merge(fired, out, layer, tiles)
            if rows is not None:
                kept.append(rows_by_neuron(rows, shape, min(channels - start * LANES, len(tiles) * LANES)))
            totals = {name: totals[name] + value for name, value in core.counters().items()}
        spatial = fired.reshape(batch, layer.timesteps, height, width, -1) if not layer.readout else fired
        empty = np.zeros((layer.timesteps, batch, 0, height, width), np.int32)
        return spatial, np.concatenate(kept, axis=2) if kept else empty, totals, layer.tiles * layer.tile_rows


def _source(layer: Layer, given: Mapping[str, IntArray], words: Mapping[str, Words]) -> Words:
    """Return the source's words ``(batch, ...)``; spikes of a layer before are already packed."""
    if not isinstance(layer.source, Input):
        return words[layer.source.name]
    values = given[layer.source.name][: layer.source_steps]
    return pack_planes(values.reshape(*values.shape[:2], *layer.in_shape), layer.planes)


def _merge(fired: Words, out: Words, layer: Layer, tiles: range) -> None:
    """Keep of one group's spikes the words that its tiles wrote."""
    if layer.readout:
        return
    per_pixel = -(-layer.out_shape[0] // WORD)
    part = slice(tiles.start * (LANES // WORD), tiles.stop * (LANES // WORD))
    shape = (len(out), -1, per_pixel)
    fired.reshape(shape)[..., part] = out.reshape(shape)[..., part]
