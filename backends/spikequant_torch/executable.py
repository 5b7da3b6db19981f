"""Run a program chunk by chunk: all timesteps of a node at once, cycles one timestep after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikequant.backend import Executable, Inputs
from spikequant.inputs import input_values
from spikequant.program import Input, Program, Readout, SpikingNode
from spikequant.trace import Trace
from spikequant_torch.chunk import Chunk, Values
from spikequant_torch.device import exact_arithmetic
from spikequant_torch.exact import float_dtype, magnitude
from spikequant_torch.groups import groups
from spikequant_torch.neurons import neurons
from spikequant_torch.recorder import Recorder
from spikequant_torch.stateless import stateless
from spikequant_torch.tally import Tallies

CHUNK_ELEMENTS = 1 << 20
LOOP_ELEMENTS = 1 << 23
LARGEST_CHUNK = 4096


class TorchExecutable(Executable):
    """A program ready to run; ``batch`` samples at a time, or as many as stay in the cache."""

    def __init__(self, program: Program, name: str, device: torch.device, batch: int | None) -> None:
        self._program, self._name, self._device = program, name, device
        self._groups = groups(program)
        loops = any(group.cyclic for group in self._groups)
        room = LOOP_ELEMENTS if loops else CHUNK_ELEMENTS
        self._batch = chunk_size(program, room) if batch is None else batch
        stateful = (Input, SpikingNode, Readout)
        with torch.inference_mode():
            self._stateless = {
                n.name: stateless(program, n, device) for n in program.nodes if not isinstance(n, stateful)
            }
            self._neurons = {node.name: neurons(program, node, device) for node in program.spiking}

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch; see :meth:`spikequant.backend.Executable.run`."""
        given = input_values(self._program, inputs)
        samples = next(iter(given.values())).shape[1]
        recorder, tallies = Recorder(self._program, samples, record), Tallies(self._program)
        executors = (self._stateless, self._neurons)
        with exact_arithmetic(self._device):
            for start in range(0, samples, self._batch):
                recorder.span = slice(start, min(start + self._batch, samples))
                values = self._loaded(given, recorder.span)
                chunk = Chunk(self._program, executors, values, recorder, tallies)
                for group in self._groups:
                    chunk.run(group)
        return recorder.trace(tallies.counts(self._name, samples))

    def _loaded(self, given: Mapping[str, NDArray[Any]], span: slice) -> Values:
        """Copy a chunk of the inputs to the device; a direct input keeps one step."""
        values: Values = {}
        for node in self._program.inputs:
            dtype = float_dtype(magnitude(self._program, node.name))
            steps = slice(0, 1) if node.coding == "direct" else slice(None)
            chunk = np.array(given[node.name][steps, span], np.float32 if dtype == torch.float32 else np.float64)
            values[node.name] = torch.from_numpy(chunk).to(self._device)
        return values


def chunk_size(program: Program, elements: int = CHUNK_ELEMENTS) -> int:
    """Return how many samples of the largest value, over all timesteps, hold ``elements`` numbers.

    The default, about four megabytes, stays in the cache. A cycle calls torch for every timestep, which
    costs more than the cache saves: there more samples at once are faster.

    >>> from spikequant.program import Dense, Lif, chain
    >>> nodes = [Input("input", (784,)), Dense("fc", np.ones((400, 784), int)), Lif("lif")]
    >>> chunk_size(chain(nodes, timesteps=4)), chunk_size(chain(nodes, timesteps=10000))
    (655, 1)
    """
    largest = 1
    for node in program.nodes:
        steps = 1 if isinstance(node, Input) and node.coding == "direct" else program.timesteps
        largest = max(largest, steps * int(np.prod(program.shapes[node.name])))
    return min(max(1, elements // largest), LARGEST_CHUNK)
