"""From what an engine recorded to traces of the program's nodes, and to what calibration shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikequant import Observation, QFormat, Recording
from spikequant_stdp.engine.contract import Recorded
from spikequant_stdp.engine.parameters import Formats, Parameters, State

EXCITATORY, INHIBITORY = "exc", "inh"
"""Names of the program's spiking nodes."""
SHOWN = 100_000


def recording(seen: Recorded, formats: Formats, votes: NDArray[np.int64]) -> Recording:
    """Return the trace of the integer program: codes instead of real potentials, inhibitors, summed votes.

    An inhibitor fires one timestep after its neuron and stores nothing.

    Args:
        seen: Of inference with quantized V.
        formats: Those it ran with.
        votes: ``(classes, neurons)``.
    """
    spikes = seen.spikes.astype(np.int64)
    late = np.zeros_like(spikes)
    late[1:] = spikes[:-1]
    states: dict[str, NDArray[Any]] = {
        EXCITATORY: _codes(seen.potential, formats.V),
        f"{EXCITATORY}.refractory": seen.refractory,
    }
    if seen.g is not None:
        states[f"{EXCITATORY}.conductance"] = _codes(seen.g, formats.g)
    states[INHIBITORY] = np.zeros_like(spikes)
    output = np.cumsum(spikes @ votes.T, axis=0)
    return Recording(
        {EXCITATORY: torch.from_numpy(spikes), INHIBITORY: torch.from_numpy(late)},
        {name: torch.from_numpy(value.astype(np.int64)) for name, value in states.items()},
        torch.from_numpy(output),
    )


def observation(seen: Recorded, state: State, p: Parameters) -> Observation:
    """Return ranges and a sample of values of the quantities, firing rates, and the raster of the first sample.

    The threshold's range begins where it stands before any adaptation.
    """
    thresholds = p.threshold + state.theta.astype(np.float64)
    values = {"w": state.w.ravel().astype(np.float64), "V": seen.potential.ravel(), "Vth": thresholds}
    if seen.g is not None:
        values["g"] = seen.g.ravel()
    ranges = {name: (float(value.min()), float(value.max())) for name, value in values.items()}
    ranges["Vth"] = (min(p.threshold, ranges["Vth"][0]), ranges["Vth"][1])
    return Observation(
        ranges,
        {name: value[:: max(1, value.size // SHOWN)] for name, value in values.items()},
        {EXCITATORY: seen.spikes.sum(axis=0, dtype=np.float64).mean(axis=0)},
        {EXCITATORY: seen.spikes[:, 0]},
    )


def _codes(values: NDArray[np.float64], fmt: QFormat | None) -> NDArray[np.int64]:
    scaled = values if fmt is None else values / fmt.step
    return scaled.astype(np.int64)
