"""What an engine can do, and what it gives back. All engines give the same bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikequant_stdp.engine.parameters import Formats, Parameters, State

Progress = Callable[[int, int], None]
Candidate = tuple[Formats, State]


def silent(done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Recorded:
    """Every step of some images; arrays have the shape ``(timesteps, n, neurons)``.

    Without recording all but the spikes have the shape ``(0, n, neurons)``.

    Attributes:
        spikes: uint8 in {0, 1}.
        potential: float64, the potential as stored after each step.
        refractory: int32, steps still to wait after each step, at least 0.
        g: float64, the conductance as stored after each step; None for a current synapse.
    """

    spikes: NDArray[np.uint8]
    potential: NDArray[np.float64]
    refractory: NDArray[np.int32]
    g: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Training:
    """What training on some images gave, besides the changed state.

    Attributes:
        counts: Spikes of each neuron for each image, int32 of shape ``(n, neurons)``.
        vanished: Of the ``updates``, how many left the stored weight as it was.
        updates: Weights that STDP would have changed in float32, counted in each step of each image after
            clamping; counted where weights are quantized and ``stored``, else 0. Normalisation does not count.
        recorded: Every step, if asked for.
    """

    counts: NDArray[np.int32]
    vanished: int = 0
    updates: int = 0
    recorded: Recorded | None = None


class Engine(Protocol):
    """Simulates the network: see :mod:`spikequant_stdp.engine.torch_engine` for what every engine computes.

    Every method raises UsageError if formats, state and arrays do not go together.
    """

    @property
    def name(self) -> str:
        """``native`` or ``torch``."""
        ...

    def train(
        self,
        p: Parameters,
        formats: Formats,
        state: State,
        images: NDArray[np.uint8],
        *,
        draw: int,
        progress: Progress = silent,
    ) -> Training:
        """Train on ``images`` of shape ``(n, inputs)``, one after the other, changing ``state`` in place."""
        ...

    def train_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[np.uint8], record: bool = False
    ) -> Training:
        """Train on given input spikes of shape ``(n, timesteps, inputs)``, changing ``state`` in place."""
        ...

    def infer(
        self,
        p: Parameters,
        candidates: Sequence[Candidate],
        images: NDArray[np.uint8],
        *,
        progress: Progress = silent,
    ) -> NDArray[np.int32]:
        """Return the spikes per neuron, shape ``(candidates, n, neurons)``, of ``images`` (drawn with draw 0)."""
        ...

    def infer_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = True
    ) -> Recorded:
        """Return every step of inference on given input spikes of shape ``(n, timesteps, inputs)``."""
        ...
