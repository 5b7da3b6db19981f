"""``spikequant run`` on an integer program: samples or given arrays, batch by batch, on a backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.backend import Backend
from spikequant.cli.common import messages, run_batches
from spikequant.cli.progress import bar
from spikequant.errors import UsageError
from spikequant.event_frames import EventFrames
from spikequant.input_files import read_inputs
from spikequant.program import Program
from spikequant.trace import Trace, joined


@dataclass
class ProgramRun:
    """A program and where it runs.

    Attributes:
        program: Its timesteps may be set before it is compiled.
        backend: Where it runs.
        batch: Samples at once.
        record: Whether the trace holds spikes and potentials.
    """

    program: Program
    backend: Backend
    batch: int
    record: bool

    def timed(self, timesteps: int | None, path: Path) -> Program:
        """Return the program with a number of timesteps, if one is given.

        Raises:
            UsageError: The program was trained with another number.
        """
        if timesteps is not None and timesteps != self.program.timesteps:
            if "accuracy_trained" in self.program.provenance:
                raise UsageError(
                    f"{path} was trained with {self.program.timesteps} timesteps; leave out --timesteps {timesteps}"
                )
            self.program = replace(self.program, timesteps=timesteps)
        return self.program

    def on_samples(self, x: NDArray[np.integer[Any]] | EventFrames) -> Trace:
        """Run samples of a data set."""
        with self.backend.compile(self.program) as executable, bar(f"run on {self.backend.name}", len(x)) as advance:
            if messages.is_terminal:
                executable.on_progress = messages.print
            batches = run_batches(executable, self.program, x, record=self.record, batch=self.batch, advance=advance)
            return joined(list(batches))

    def on_inputs(self, words: Sequence[str], *, adapt: bool) -> Trace:
        """Run arrays from files.

        Args:
            words: See :func:`~spikequant.input_files.read_inputs`.
            adapt: Run as many timesteps as the arrays have; else they must have the program's.

        Raises:
            UsageError: The arrays do not fit, or an input takes one array for all timesteps.
        """
        direct = [node.name for node in self.program.inputs if node.coding == "direct"]
        if direct:
            raise UsageError(
                f"input '{direct[0]}' takes one array for all timesteps (direct); give samples with --data"
            )
        inputs = {
            name: _whole(name, array)
            for name, array in read_inputs(words, {node.name: node.shape for node in self.program.inputs}).items()
        }
        steps, batch = next(iter(inputs.values())).shape[:2]
        if adapt:
            self.program = replace(self.program, timesteps=steps)
        traces = []
        with self.backend.compile(self.program) as executable, bar(f"run on {self.backend.name}", batch) as advance:
            for start in range(0, batch, self.batch):
                part = {name: array[:, start : start + self.batch] for name, array in inputs.items()}
                traces.append(executable.run(part, record=self.record))
                advance(min(self.batch, batch - start))
        return joined(traces)


def _whole(name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    """Return whole numbers as integers."""
    if (array != np.trunc(array)).any() or np.abs(array).max() >= 2.0**53:
        raise UsageError(f"input '{name}' holds numbers that are not whole; an integer program takes whole ones")
    return array.astype(np.int64)
