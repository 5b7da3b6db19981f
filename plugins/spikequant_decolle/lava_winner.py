"""The vote of one timestep for an interpreter that has NumPy and nothing else; written from the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Neurons:
    """One spike at the first of the largest inputs, from timestep ``start`` on.

    Args:
        fields: The node's fields as its NIR metadata names them.
        shape: Shape of the node.
    """

    def __init__(self, fields: dict[str, Any], shape: tuple[int, ...]) -> None:
        self.start, self.shape = int(fields["start"]), shape

    def reset(self) -> None:
        """Start a new sample: nothing is kept between timesteps."""

    def step(self, x: Ints, t: int) -> tuple[Ints, dict[str, Ints]]:
        """Vote at one timestep."""
        nothing = np.zeros(self.shape, np.int64)
        spikes = nothing.copy()
        if t >= self.start:
            spikes.flat[np.flatnonzero(x == x.max())[0]] = 1
        return spikes, {"potential": nothing, "overflowed": nothing}
