"""Counts of a run, summed up on the device and put into the closed form of :mod:`spikequant.counting`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spikequant.counting import fan_out, readout_counts, spiking_counts, weighted_counts
from spikequant.counts import Counts, NodeCounts
from spikequant.program import Lateral, Program, Readout, SpikingNode, Weighted
from spikequant_torch.exact import magnitude


@dataclass
class Tally:
    """What one node did so far; which fields are used depends on its kind."""

    accumulates: int = 0
    active: int = 0
    fires: int = 0
    saturations: int = 0


class Tallies:
    """The tallies of every node of a program over a run."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._of = {node.name: Tally() for node in program.nodes}
        weighted = [node for node in program.nodes if isinstance(node, (Weighted, Lateral))]
        self._sources = {node.name: program.source_of(node.name).name for node in weighted}
        self._fan_out = {n.name: fan_out(n, program.shapes[self._sources[n.name]]) for n in weighted}
        self._bits = {n.name: magnitude(program, self._sources[n.name]).bit_length() for n in weighted}

    def saw(self, node: Weighted | Lateral, x: Tensor, repeat: int) -> None:
        """Count the input ``(steps, batch, *shape)`` of a weighted or lateral node, shown ``repeat`` times."""
        tally, bits = self._of[node.name], self._bits[node.name]
        spikes = bits == 1 and self._program.ranges[self._sources[node.name]][0] == 0
        ones = x if spikes else set_bits(x, bits)
        per_element = ones.sum((0, 1), dtype=torch.float64).cpu().numpy().astype(np.int64)
        tally.accumulates += int((per_element * self._fan_out[node.name]).sum()) * repeat
        tally.active += (int(per_element.sum()) if spikes else count(x != 0)) * repeat

    def stepped(self, node: SpikingNode, fires: Tensor, overflow: Tensor | None) -> None:
        """Count where a node put out other than zero at one timestep, and what overflow changed."""
        tally = self._of[node.name]
        tally.fires += count(fires)
        tally.saturations += 0 if overflow is None else count(overflow)

    def counts(self, backend: str, samples: int) -> Counts:
        """Return the counts of ``samples`` samples, equal to the oracle's."""
        nodes: dict[str, NodeCounts] = {}
        for node in self._program.order:
            shows = samples * self._program.timesteps
            steps = int(np.prod(self._program.shapes[node.name])) * shows
            tally = self._of[node.name]
            if isinstance(node, (Weighted, Lateral)):
                nodes[node.name] = self._weighted(node, shows)
            elif isinstance(node, SpikingNode):
                nodes[node.name] = spiking_counts(self._program, node, steps, tally.fires, tally.saturations)
            elif isinstance(node, Readout):
                nodes[node.name] = readout_counts(self._program, node, steps)
        return Counts(backend, samples, nodes)

    def _weighted(self, node: Weighted | Lateral, shows: int) -> NodeCounts:
        """Scale the counts of one silent sample and put in what depends on the values.

        Every other amount of the closed form grows with the number of samples alone.
        """
        tally = self._of[node.name]
        shape = self._program.shapes[self._sources[node.name]]
        silent = weighted_counts(self._program, node, np.zeros((1, *shape), np.int64))
        summed = tally.accumulates
        operations = tuple(
            replace(o, count=summed if o.name == "accumulate" else o.count * shows) for o in silent.operations
        )
        code_bits = node.bits if isinstance(node, Weighted) else 0
        traffic = tuple(
            replace(m, bits=summed * code_bits if m.what == "weights" else m.bits * shows) for m in silent.traffic
        )
        return replace(
            silent, operations=operations, traffic=traffic, inputs=silent.inputs * shows, active=tally.active
        )


def set_bits(x: Tensor, bits: int) -> Tensor:
    """Return the number of one bits of each magnitude; no magnitude has more than ``bits``.

    >>> set_bits(torch.tensor([0.0, -3.0, 4.0, 255.0]), 8)
    tensor([0, 2, 1, 8], dtype=torch.uint8)
    """
    dtype = torch.uint8 if bits <= 8 else torch.int32 if bits <= 31 else torch.int64
    magnitudes = x.abs().to(dtype)
    ones = magnitudes & 1
    for plane in range(1, bits):
        ones += (magnitudes >> plane) & 1
    return ones


def count(mask: Tensor) -> int:
    """Return how many elements are true or other than zero; NumPy counts bytes many times faster than torch."""
    return int(np.count_nonzero(mask.numpy()) if mask.device.type == "cpu" else torch.count_nonzero(mask))
