"""The trace of a run: every spike and every stored potential of every timestep, in one file format.

Normative: ``spikes/NAME`` uint8, the number of spikes of each neuron and timestep, and ``potential/NAME``
int32, both ``(timesteps, batch, *shape)``, for every spiking node, of a graded one the potential alone, which
is what it puts out;
``potential/NAME.VARIABLE`` like it for each further state variable of the node;
``output/NAME`` int64 ``(timesteps, batch, classes)`` for readouts; ``counts`` as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.counts import Counts
from spikequant.errors import UsageError, one_line
from spikequant.trace_archive import opened_archive, write_archive

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Trace:
    """Spikes, stored potentials and readouts of a run, and its counts.

    Attributes:
        spikes: uint8 ``(timesteps, batch, *shape)`` under the name of each spiking node that is not graded.
        potentials: int32 like ``spikes``: U of every spiking node as stored; further state variables under
            ``NAME.VARIABLE``.
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
        """Write an ``.npz``; the file appears whole or not at all.

        Raises:
            UsageError: The file cannot be written.
        """
        arrays: dict[str, Any] = {}
        for group, values in self._groups():
            arrays.update({f"{group}/{name}": array for name, array in values.items()})
        arrays["counts"] = np.array(json.dumps(self.counts.to_json()))
        write_archive(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Read what :meth:`save` wrote.

        Raises:
            UsageError: The file cannot be read, is damaged or of another kind, or holds arrays that are no trace.
        """
        with opened_archive(path, "a trace") as archive:
            groups, counts = _read(archive)
            _check(groups)
        return cls(groups["spikes"], groups["potential"], groups["output"], counts)

    def _groups(self) -> tuple[tuple[str, Arrays], ...]:
        return ("spikes", self.spikes), ("potential", self.potentials), ("output", self.outputs)


_FIELDS = {"spikes": "spikes", "potential": "potentials", "output": "outputs"}


def _read(archive: Any) -> tuple[dict[str, dict[str, NDArray[Any]]], Counts]:
    if "counts" not in archive.files:
        raise UsageError("it holds no counts")
    counts = Counts.from_json(json.loads(str(archive["counts"])))
    groups: dict[str, dict[str, NDArray[Any]]] = {group: {} for group in _FIELDS}
    for key in archive.files:
        group, _, name = key.partition("/")
        if key == "counts":
            continue
        if group not in groups or not name:
            raise UsageError(f"it holds an array '{one_line(key)}', which no trace has")
        groups[group][one_line(name)] = archive[key]
    return groups, counts


def _check(groups: Mapping[str, Arrays]) -> None:
    """Raise unless all arrays are integers of as many timesteps and samples."""
    leading: tuple[int, ...] | None = None
    for group, arrays in groups.items():
        for name, array in arrays.items():
            check_array(name, _FIELDS[group], array)
            leading = leading or array.shape[:2]
            if array.shape[:2] != leading:
                raise UsageError(
                    f"node '{name}': {_FIELDS[group]} have shape {array.shape}; every array of this trace"
                    f" begins with {leading} (timesteps, samples)"
                )


def check_array(name: str, field: str, array: NDArray[Any]) -> None:
    """Raise unless ``array`` can stand in a trace: integers of shape ``(timesteps, batch, ...)``.

    Raises:
        UsageError: It cannot; ``name`` is the node's and ``field`` that of the trace.
    """
    if array.dtype.kind not in "iu":
        raise UsageError(f"node '{name}': {field} are of type {array.dtype}; a trace holds integers")
    if array.ndim < 2:
        raise UsageError(
            f"node '{name}': {field} have shape {array.shape}; a trace holds (timesteps, samples, ...) of them"
        )


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
