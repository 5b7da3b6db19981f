"""Where a run's spikes, potentials and outputs go, chunk by chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikequant.counts import Counts
from spikequant.program import Program
from spikequant.trace import Trace


class Recorder:
    """Arrays of a whole run ``(timesteps, samples, *shape)``; spikes and potentials only if ``record``."""

    def __init__(self, program: Program, samples: int, record: bool) -> None:
        def arrays(names: list[str], dtype: type[np.integer[Any]]) -> dict[str, NDArray[Any]]:
            return {name: np.empty((program.timesteps, samples, *program.shapes[name]), dtype) for name in names}

        spiking = [node.name for node in program.spiking] if record else []
        self._spikes = arrays(spiking, np.uint8)
        self._potentials = arrays(spiking, np.int32)
        self._outputs = arrays([node.name for node in program.readouts], np.int64)
        self.span = slice(0, 0)

    def stepped(self, name: str, t: int, fires: Tensor, potential: Tensor) -> None:
        """Keep one timestep of a spiking node for the samples in ``span``."""
        if name in self._spikes:
            self._spikes[name][t, self.span] = fires.cpu().numpy()
            self._potentials[name][t, self.span] = potential.cpu().numpy()

    def read(self, name: str, t: int, value: Tensor) -> None:
        """Keep the value of a readout from timestep ``t`` on."""
        self._outputs[name][t : t + len(value), self.span] = value.cpu().numpy()

    def trace(self, counts: Counts) -> Trace:
        """Return everything kept."""
        return Trace(self._spikes, self._potentials, self._outputs, counts)
