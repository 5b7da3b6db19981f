"""The trace of a run in floats, in the file format of a :class:`~spikequant.trace.Trace`.

``spikes/NAME`` uint8, ``potential/NAME`` and ``output/NAME`` float32, all ``(timesteps, batch, *shape)``; an output is
what the network puts out at each timestep, not yet summed. There are no counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError, one_line
from spikequant.trace_archive import opened_archive, write_archive

Arrays = dict[str, NDArray[Any]]


@dataclass(eq=False)
class FloatTrace:
    """Spikes, potentials and outputs of a run in floats.

    Attributes:
        spikes: uint8 ``(timesteps, batch, *shape)`` under the name of each spiking node.
        potentials: float32 like it, in real units, after reset; further state variables under ``NAME.VARIABLE``.
        outputs: float32 ``(timesteps, batch, *shape)`` under each output's name.

    >>> trace = FloatTrace(outputs={"out": np.array([[[0.0, 1.0]], [[0.5, 1.0]]], np.float32)})
    >>> trace.predictions()
    array([1])
    """

    spikes: Arrays = field(default_factory=dict)
    potentials: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)

    def predictions(self, output: str | None = None) -> NDArray[np.int64]:
        """Class of each sample: argmax of the output summed over time, lowest index on a tie.

        Raises:
            UsageError: There is no such output.
        """
        name = output if output is not None else next(iter(self.outputs), None)
        if name is None or name not in self.outputs:
            known = ", ".join(self.outputs) or "none"
            raise UsageError(f"the trace holds no output '{name or ''}'; it has: {known}")
        summed = self.outputs[name].sum(axis=0, dtype=np.float64)
        classes: NDArray[np.int64] = summed.reshape(len(summed), -1).argmax(axis=-1)
        return classes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz``; the file appears whole or not at all.

        Raises:
            UsageError: The file cannot be written.
        """
        groups = zip(_KINDS, (self.spikes, self.potentials, self.outputs), strict=True)
        arrays: dict[str, Any] = {f"{group}/{name}": array for group, named in groups for name, array in named.items()}
        write_archive(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FloatTrace:
        """Read what :meth:`save` wrote.

        Raises:
            UsageError: The file cannot be read, is damaged, or holds something else.
        """
        with opened_archive(path, "a trace in floats") as archive:
            return _read(archive)


def joined_floats(traces: Sequence[FloatTrace]) -> FloatTrace:
    """Join traces of consecutive batches along the batch axis.

    Raises:
        UsageError: There are none.
    """
    if not traces:
        raise UsageError("no trace to join; run at least one batch")

    def group(name: str) -> Arrays:
        return {
            key: np.concatenate([getattr(t, name)[key] for t in traces], axis=1) for key in getattr(traces[0], name)
        }

    return FloatTrace(group("spikes"), group("potentials"), group("outputs"))


_KINDS = {"spikes": "u", "potential": "f", "output": "f"}


def _read(archive: Any) -> FloatTrace:
    groups: dict[str, Arrays] = {group: {} for group in _KINDS}
    leading: tuple[int, ...] | None = None
    for key in archive.files:
        group, _, name = key.partition("/")
        if group not in groups or not name:
            raise UsageError(f"it holds an array '{one_line(key)}', which no trace in floats has")
        array = archive[key]
        if array.dtype.kind != _KINDS[group] or array.ndim < 2 or array.shape[:2] != (leading or array.shape[:2]):
            raise UsageError(
                f"'{one_line(key)}' is {array.dtype} {array.shape}; spikes are uint8, all else floats,"
                f" and all begin with the same (timesteps, samples)"
            )
        leading = array.shape[:2]
        groups[group][one_line(name)] = array
    return FloatTrace(groups["spikes"], groups["potential"], groups["output"])
