"""From what the layers did to the trace of the program: codes instead of real values."""

from __future__ import annotations

import torch
from torch import Tensor

from spikequant import QFormat, Recording
from spikequant_decolle.names import layer_names
from spikequant_decolle.parameters import Formats
from spikequant_decolle.reading import Reading
from spikequant_decolle.run import Seen


class Recorder:
    """Gathers what :func:`~spikequant_decolle.run.run` shows.

    Args:
        formats: Of the state variables; none is FP32.
        reading: How spikes become a class.
    """

    def __init__(self, formats: Formats, reading: Reading) -> None:
        self._formats, self._reading = formats, reading
        self._spikes: dict[str, list[Tensor]] = {}
        self._states: dict[str, list[Tensor]] = {}

    def __call__(self, seen: Seen) -> None:
        """Take what one layer did in some timesteps."""
        names, formats = layer_names(seen.layer), self._formats
        self._spikes.setdefault(names.neurons, []).append(seen.s.to(torch.int64))
        states = (
            (names.trace, seen.p, formats.P),
            (f"{names.trace}.synaptic", seen.q, formats.Q),
            (names.neurons, seen.v, formats.V),
            (f"{names.neurons}.refractory", seen.r, formats.R),
        )
        for name, values, fmt in states:
            self._states.setdefault(name, []).append(_codes(values, fmt))

    def recording(self, counted: Tensor) -> Recording:
        """Return the trace, given what each timestep adds to the program's readout."""
        spikes = {name: torch.cat(parts) for name, parts in self._spikes.items()}
        states = {name: torch.cat(parts) for name, parts in self._states.items()}
        if self._reading.decode == "mode":
            spikes["winner"], states["winner"] = counted, torch.zeros_like(counted)
        return Recording(spikes, states, counted.cumsum(0))


def _codes(values: Tensor, fmt: QFormat | None) -> Tensor:
    return (values.double() if fmt is None else values.double() / fmt.step).to(torch.int64)
