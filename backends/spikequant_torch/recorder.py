"""Where a run's spikes, potentials and outputs go, chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikequant.counts import Counts
from spikequant.program import Node, Program, SpikingNode
from spikequant.trace import Trace


class Recorder:
    """Arrays of a whole run ``(timesteps, samples, *shape)``; spikes and potentials only if ``record``."""

    def __init__(self, program: Program, samples: int, record: bool) -> None:
        def room(node: Node, dtype: type[np.integer[Any]]) -> NDArray[Any]:
            return np.empty((program.timesteps, samples, *program.shapes[node.name]), dtype)

        spiking = program.spiking if record else ()
        self._spikes = {node.name: room(node, np.uint8) for node in spiking if not node.graded}
        self._potentials = {name: room(node, np.int32) for node in spiking for name in node.state_names}
        self._record = record
        self._outputs = {node.name: room(node, np.int64) for node in program.readouts}
        self.span = slice(0, 0)

    def stepped(self, node: SpikingNode, t: int, fires: Tensor, state: Sequence[Tensor]) -> None:
        """Keep one timestep of a spiking node for the samples in ``span``."""
        if not self._record:
            return
        if not node.graded:
            self._spikes[node.name][t, self.span] = fires.cpu().numpy()
        for name, values in zip(node.state_names, state, strict=True):
            self._potentials[name][t, self.span] = values.cpu().numpy()

    def read(self, name: str, t: int, value: Tensor) -> None:
        """Keep the value of a readout from timestep ``t`` on."""
        self._outputs[name][t : t + len(value), self.span] = value.cpu().numpy()

    def trace(self, counts: Counts) -> Trace:
        """Return everything kept."""
        return Trace(self._spikes, self._potentials, self._outputs, counts)
