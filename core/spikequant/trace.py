"""The trace of a run: every spike and every stored potential of every timestep, in one file format.

Normative: ``spikes/NAME`` uint8 and ``potential/NAME`` int32, both ``(timesteps, batch, *shape)``, for
every spiking node; ``output/NAME`` int64 ``(timesteps, batch, classes)`` for readouts; ``counts`` as JSON.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.counts import Counts
from spikequant.errors import UsageError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Trace:
    """Spikes, stored potentials and readouts of a run, and its counts.

    Attributes:
        spikes: uint8 ``(timesteps, batch, *shape)`` under each spiking node's name.
        potentials: int32 like ``spikes``: U as stored.
        outputs: int64 ``(timesteps, batch, classes)`` under each readout's name.
        counts: What the run did.
    """

    spikes: Arrays = field(default_factory=dict)
    potentials: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)
    counts: Counts = field(default_factory=lambda: Counts("none", 0))

    def predictions(self, readout: str | None = None) -> NDArray[np.int64]:
        """Class of each sample: argmax of the readout at the last timestep, lowest index on a tie."""
        name = readout if readout is not None else next(iter(self.outputs), None)
        if name is None or name not in self.outputs:
            raise UsageError("the trace holds no readout, so it has no predictions; add a readout node")
        classes: NDArray[np.int64] = np.argmax(self.outputs[name][-1], axis=-1)
        return classes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz``; the file appears whole or not at all."""
        arrays: dict[str, Any] = {}
        for group, values in self._groups():
            arrays.update({f"{group}/{name}": array for name, array in values.items()})
        arrays["counts"] = np.array(json.dumps(self.counts.to_json()))
        target = Path(path)
        partial = target.with_name(target.name + ".part")
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        partial.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Read what :meth:`save` wrote."""
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                counts = Counts.from_json(json.loads(str(archive["counts"])))
                groups: dict[str, dict[str, NDArray[Any]]] = {"spikes": {}, "potential": {}, "output": {}}
                for key in archive.files:
                    group, _, name = key.partition("/")
                    if name:
                        groups[group][name] = archive[key]
        except (OSError, EOFError, LookupError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} is not a trace: {error}; write one with 'spikequant run --trace'") from error
        return cls(groups["spikes"], groups["potential"], groups["output"], counts)

    def _groups(self) -> tuple[tuple[str, Arrays], ...]:
        return ("spikes", self.spikes), ("potential", self.potentials), ("output", self.outputs)


def joined(traces: Sequence[Trace]) -> Trace:
    """Join traces of consecutive batches along the batch axis and add up their counts."""
    if not traces:
        raise UsageError("no trace to join; run at least one batch")

    def group(name: str) -> Arrays:
        first: Arrays = getattr(traces[0], name)
        return {key: np.concatenate([getattr(trace, name)[key] for trace in traces], axis=1) for key in first}

    counts = traces[0].counts
    for trace in traces[1:]:
        counts = counts + trace.counts
    return Trace(group("spikes"), group("potentials"), group("outputs"), counts)
