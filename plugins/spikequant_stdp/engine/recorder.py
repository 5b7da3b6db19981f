"""Writes each step into arrays."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from spikequant_stdp.engine.contract import Recorded
from spikequant_stdp.engine.neurons import Neurons
from spikequant_stdp.engine.parameters import Parameters

ALL = slice(None)


class Recorder:
    """Records the spikes of some images, and if ``full`` all that :class:`Recorded` holds.

    Attributes:
        recorded: The arrays, filled up to the last step given.
    """

    def __init__(self, p: Parameters, images: int, full: bool = True) -> None:
        self._full = full
        shape = (p.timesteps, images, p.neurons)
        rest = shape if full else (0, images, p.neurons)
        self.recorded = Recorded(
            spikes=np.zeros(shape, dtype=np.uint8),
            potential=np.zeros(rest, dtype=np.float64),
            refractory=np.zeros(rest, dtype=np.int32),
            g=np.zeros(rest, dtype=np.float64) if p.synapse == "conductance" else None,
        )

    def step(self, t: int, spiking: Tensor, neurons: Neurons, images: slice = ALL) -> None:
        """Write step ``t`` of ``images``: who spiked, and the state after it."""
        self.recorded.spikes[t, images] = spiking.numpy()
        if self._full:
            self.recorded.potential[t, images] = neurons.v.numpy()
            self.recorded.refractory[t, images] = neurons.waits.numpy()
            if self.recorded.g is not None:
                self.recorded.g[t, images] = neurons.g.numpy()
