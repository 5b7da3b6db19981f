"""Memory traffic of a batch under three accountings, each with its assumptions in words.

The operations of a sample do not depend on the batch it is in; its memory traffic does, as codes are loaded once per
batch. What is on chip is taken from the counts of a run; what crosses the chip's border follows from shapes and widths.

Source: MINT, Fig. 5 (right) and Fig. 9 (right), which bill potentials U, weights W and spikes S.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from spikequant.counts import Counts
from spikequant.energy.breakdown import Work, layers_of, moved
from spikequant.energy.table import EnergyTable
from spikequant.errors import UsageError
from spikequant.program import Program, Weighted

PotentialPlace = Literal["stationary", "in_sram", "in_dram"]
BUFFER_BITS = 144 * 1024 * 8
"""The accelerator's global buffer."""
_IN_WORDS: dict[PotentialPlace, str] = {
    "stationary": "ours, temporal output-stationary: U stays in its processing element and is not moved",
    "in_sram": "U in the on-chip buffer: read and written there once per neuron, timestep and sample",
    "in_dram": "U off chip: read from and written to DRAM once per neuron, timestep and sample",
}
PLACES: tuple[PotentialPlace, ...] = get_args(PotentialPlace)


@dataclass(frozen=True)
class Widths:
    """Bits of each code and of each stored state variable, in place of the program's own."""

    weight: int
    potential: int

    def __str__(self) -> str:
        return f"W{self.weight}U{self.potential}"


@dataclass(frozen=True)
class Moved:
    """Bits of one kind moved at one level for a whole batch; a fraction where counts are a mean over samples."""

    kind: Work
    level: str
    bits: float


@dataclass(frozen=True)
class MemoryTraffic:
    """Traffic of a batch, and the accounting it was made by."""

    place: PotentialPlace
    batch: int
    parts: tuple[Moved, ...]

    def energy(self, table: EnergyTable) -> MemoryEnergy:
        """Bill the traffic per sample.

        Raises:
            UsageError: The table lacks a memory level.
        """
        pj: dict[tuple[Work, str], list[float]] = {}
        for part in self.parts:
            one = table.traffic(part.level).energy_pj
            pj.setdefault((part.kind, part.level), []).append(part.bits * one / self.batch)
        return MemoryEnergy({key: math.fsum(values) for key, values in pj.items()})


@dataclass(frozen=True)
class MemoryEnergy:
    """Energy of memory traffic per sample in pJ, by kind and level."""

    pj: dict[tuple[Work, str], float]

    def of(self, kind: Work | None = None, level: str | None = None) -> float:
        """Sum of one kind, of one level, of both, or of all."""
        return math.fsum(
            pj for (a_kind, a_level), pj in self.pj.items() if kind in (None, a_kind) and level in (None, a_level)
        )

    def share(self, kind: Work, level: str | None = None) -> float | None:
        """Part of the energy that a kind takes; none where nothing was moved."""
        total = self.of(level=level)
        return self.of(kind, level) / total if total else None


def assumption(place: PotentialPlace) -> str:
    """Return what an accounting assumes about potentials, in words."""
    return f"{place}: {_IN_WORDS[place]}"


def common_assumptions(program: Program, backend: str) -> tuple[str, ...]:
    """Return what all accountings assume, in words."""
    each_step = any(source.coding == "per_step" for source in program.inputs)
    widest = max((neuron.emitted_bits for neuron in program.spiking), default=1)
    width = "1 bit" if widest == 1 else f"1 to {widest} bits"
    shown = "once per sample and timestep" if each_step else "once per sample"
    return (
        "layers run one after another for the whole batch, so each code is loaded from DRAM once per batch;"
        f" inputs are loaded {shown}; biases and thresholds are not billed",
        f"a layer's spikes ({width} per neuron, timestep and sample, zeros included, before pooling) go to DRAM and"
        f" back once, unless those of the whole batch fit into the {BUFFER_BITS // 8192} KB buffer",
        f"traffic within the chip as backend '{backend}' counted it, the same for each sample of a batch",
    )


def memory_traffic(
    program: Program, counts: Counts, batch: int, place: PotentialPlace = "stationary", widths: Widths | None = None
) -> MemoryTraffic:
    """Return the memory traffic of a batch.

    Args:
        program: Gives shapes, widths and timesteps.
        counts: A run of it; gives the traffic within the chip. DRAM traffic that it holds is that of its own batch
            and is not used.
        batch: Samples that share one load of the weights.
        place: Where potentials are kept between timesteps.
        widths: Other widths for the same shapes and spikes. Traffic of codes is scaled in proportion; partial sums
            stay as they were counted.

    Raises:
        UsageError: ``batch`` is below 1, ``place`` is no such word, or the counts hold no sample.
    """
    if batch < 1:
        raise UsageError(f"batch is {batch}; it must be at least 1")
    if place not in get_args(PotentialPlace):
        raise UsageError(f"place is {place!r}; it must be one of {', '.join(get_args(PotentialPlace))}")
    if counts.samples < 1:
        raise UsageError(f"the counts of '{counts.backend}' hold no sample, so there is no traffic per sample")
    parts = [
        *_on_chip(program, counts, batch, widths),
        *_off_chip(program, batch, widths),
        *_potentials(program, batch, place, widths),
    ]
    return MemoryTraffic(place, batch, tuple(part for part in parts if part.bits))


def _on_chip(program: Program, counts: Counts, batch: int, widths: Widths | None) -> Iterator[Moved]:
    layers = layers_of(program)
    scale = {layer: _widening(program, layer, layers, widths) for layer in set(layers.values())}
    for name, node in counts.nodes.items():
        for traffic in node.traffic:
            if traffic.level != "dram":
                kind = moved(traffic.what)
                factor = scale.get(layers.get(name, name), 1.0) if kind == "weights" else 1.0
                yield Moved(kind, traffic.level, traffic.bits * factor * batch / counts.samples)


def _widening(program: Program, layer: str, layers: dict[str, str], widths: Widths | None) -> float:
    """How many times wider the codes of a layer become, all its codes together."""
    nodes = [n for n in program.order if isinstance(n, Weighted) and layers[n.name] == layer]
    bits = sum(node.codes.size * node.bits for node in nodes)
    return sum(node.codes.size for node in nodes) * widths.weight / bits if widths and bits else 1.0


def _off_chip(program: Program, batch: int, widths: Widths | None) -> Iterator[Moved]:
    for node in program.order:
        if isinstance(node, Weighted):
            yield Moved("weights", "dram", node.codes.size * (widths.weight if widths else node.bits))
    for source in program.inputs:
        shown = program.timesteps if source.coding == "per_step" else 1
        yield Moved("spikes", "dram", math.prod(source.shape) * source.bits * shown * batch)
    for neuron in program.spiking:
        bits = math.prod(program.shapes[neuron.name]) * neuron.emitted_bits * program.timesteps * batch
        if bits > BUFFER_BITS:
            yield Moved("spikes", "dram", 2 * bits)


def _potentials(program: Program, batch: int, place: PotentialPlace, widths: Widths | None) -> Iterator[Moved]:
    for neuron in program.spiking if place != "stationary" else ():
        state = len(neuron.state_bits) * widths.potential if widths else sum(neuron.state_bits)
        steps = math.prod(program.shapes[neuron.name]) * program.timesteps * batch
        yield Moved("potential", place.removeprefix("in_"), 2 * state * steps)
