"""Run a compiled program on simulated cores, layer by layer; the samples of a batch share the weights loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikequant.backend import Executable, Inputs
from spikequant.counts import Counts, NodeCounts
from spikequant.inputs import input_values
from spikequant.program import Input, IntArray, Program
from spikequant.trace import Trace
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.counting import LayerRun, layer_counts, notes
from spikequant_mint_rtl.layer import Layer
from spikequant_mint_rtl.maps import Results, outputs_of, source_of
from spikequant_mint_rtl.packing import Words, pack_planes
from spikequant_mint_rtl.registers import cycle_limit, pass_registers
from spikequant_mint_rtl.residence import Residence
from spikequant_mint_rtl.schedule import Plan, plan_layer
from spikequant_mint_rtl.simulator import Register, Running, Simulator
from spikequant_mint_rtl.traffic import kept_on_chip
from spikequant_mint_rtl.wiring import layers_of, map_shape


class MintRtlExecutable(Executable):
    """A program whose layers run one after the other on the accelerator.

    Args:
        program: Accepted by the backend's refusals.
        configs: Core of each layer, under its neuron's name.
        libraries: Built library of each core.
        buffers: Sizes of the core's memories.
        zero_skip: Whether empty spikes cost no cycle.
    """

    simulator: ClassVar[type[Simulator]] = Simulator

    def __init__(
        self,
        program: Program,
        configs: Mapping[str, CoreConfig],
        libraries: Mapping[CoreConfig, Path],
        buffers: Buffers,
        *,
        zero_skip: bool,
    ) -> None:
        self._program, self._buffers = program, buffers
        self._layers = layers_of(program)
        self._configs = dict(configs)
        self._plans = {layer.name: self._plan(layer) for layer in self._layers}
        self._cores = {config: self.simulator(path) for config, path in libraries.items()}
        self._zero_skip = zero_skip

    def _plan(self, layer: Layer) -> Plan:
        config = self._configs[layer.name]
        return plan_layer(layer, self._buffers, config.weight_bits, config.acc_bits)

    def close(self) -> None:
        """Free the simulated cores."""
        for core in self._cores.values():
            core.close()

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch; see :meth:`spikequant.backend.Executable.run`."""
        program = self._program
        given = input_values(program, inputs)
        batch = next(iter(given.values())).shape[1]
        maps = {node.name: _input_map(node, given[node.name]) for node in program.inputs}
        active = {name: int(np.count_nonzero(values)) for name, values in given.items()}
        spikes: dict[str, NDArray[np.uint8]] = {}
        potentials: dict[str, NDArray[np.int32]] = {}
        outputs: dict[str, IntArray] = {}
        nodes: dict[str, NodeCounts] = {}
        kept = kept_on_chip(self._layers, self._plans, self._configs, self._buffers) if batch == 1 else frozenset()
        residence = {config: Residence(core, config) for config, core in self._cores.items()}
        cycles = 0
        for layer in self._layers:
            shape = program.shapes[layer.name]
            run = LayerRun(batch, kept)
            results = self._run_layer(layer, maps, residence[self._configs[layer.name]], run, record or layer.readout)
            if layer.readout:
                outputs[layer.name] = results.rows.reshape(*results.rows.shape[:2], *shape).astype(np.int64)
            else:
                maps[layer.name] = results.words
                active[layer.name] = int(np.bitwise_count(results.words).sum())
                if record:
                    potentials[layer.name] = results.rows.reshape(*results.rows.shape[:2], *shape)
                    spikes[layer.name] = results.spikes.reshape(*results.rows.shape[:2], *shape)
            for name, counts in layer_counts(program, layer, run, self._configs[layer.name], active).items():
                nodes[name] = nodes[name] + counts if name in nodes else counts
            cycles += run.total["cycles"]
        ordered = {node.name: nodes[node.name] for node in program.order if node.name in nodes}
        return Trace(spikes, potentials, outputs, Counts("mint_rtl", batch, ordered, cycles, notes(self._buffers)))

    def _run_layer(
        self, layer: Layer, maps: Mapping[str, Words], residence: Residence, run: LayerRun, keep: bool
    ) -> Results:
        """Run a layer as planned: groups of tiles, chunks of samples, blocks, passes."""
        plan, core = self._plans[layer.name], self._cores[self._configs[layer.name]]
        results = Results(layer, run.batch, keep=keep)
        chunk = plan.samples_at_once or run.batch
        for tiles in plan.groups:
            for start in range(0, run.batch, chunk):
                samples = range(start, min(start + chunk, run.batch))
                for block in plan.blocks:
                    for one in plan.passes:
                        before = residence.loaded_rows
                        place = residence.place(layer, tiles, one)
                        registers = pass_registers(layer, one, block, tiles, place, zero_skip=self._zero_skip)
                        core.configure(registers)
                        core.clear_counters()
                        part = layer.parts[one.part]
                        stored = None if part.source is None else maps[part.source.name]
                        source = source_of(layer, one, block, tiles, stored, samples)
                        core.running = Running(
                            layer.name, plan.passes.index(one), tiles.start, (block.y, block.x), start
                        )
                        output = core.run_samples(
                            source,
                            (registers[Register.DST_BASE], 0 if one.store else self._destination(layer, registers)),
                            0 if one.store else len(tiles) * block.height * block.width * layer.timesteps,
                            keep_rows=keep and not one.store,
                            cycle_limit=cycle_limit(layer, one, block, len(tiles)),
                            sum_stride=plan.sums,
                        )
                        run.add(one.part, core.counters(), len(tiles), len(outputs_of(layer, tiles)))
                        run.moved(one.part, rows=residence.loaded_rows - before, source=source, output=output)
                        if not one.store:
                            results.add(output, block, tiles, samples)
        return results

    @staticmethod
    def _destination(layer: Layer, registers: Mapping[Register, int]) -> int:
        """Words of one sample's spikes in the core's memory."""
        return 0 if layer.readout else layer.timesteps * registers[Register.DST_TIME_STRIDE]


def _input_map(node: Input, values: IntArray) -> Words:
    """Return an input's bit-planes ``(batch, steps, planes, height, width, words)``."""
    seen = values[:1] if node.coding == "direct" else values
    return pack_planes(seen.reshape(*seen.shape[:2], *map_shape(node.shape)), node.bits)
