"""Run a program on Lava: each batch is one job of one process group."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spikequant import Executable
from spikequant.backend import Inputs
from spikequant.counting import fan_out
from spikequant.errors import BackendError
from spikequant.files import reason
from spikequant.inputs import input_values
from spikequant.program import Conv2d, IntArray, Program, Weighted
from spikequant.trace import Trace
from spikequant_lava.implementations import Kinds
from spikequant_lava.job import PROCESSES, Arrays, Plan
from spikequant_lava.results import read_result, trace_of
from spikequant_lava.supervisor import RUNNER, run_job_file

PREFIX = "spikequant-lava-"
"""How the name of a job's folder begins, by which the runner knows that it may remove it."""
START_SECONDS = 120.0
CELL_SECONDS = 5e-3
CALL_SECONDS = 2e-4
MAC_SECONDS = 2e-8
NEURON_SECONDS = 1e-6


class LavaExecutable(Executable):
    """A program ready for Lava; each run is one job of one process group.

    Args:
        program: What to run.
        python: The interpreter that has Lava.
        kinds: Mappings of plugins' neuron kinds.
        timeout_s: See below.
        runner: Folder that holds the package ``lava_job``.
        processes: Largest number of Lava's processes for the program's nodes.
        plan: The job, where it is not the plain one of ``program``.

    Attributes:
        timeout_s: Seconds after which a run counts as hung; by default from the program's size.
    """

    def __init__(
        self,
        program: Program,
        python: Path,
        *,
        kinds: Kinds | None = None,
        timeout_s: float | None = None,
        runner: Path = RUNNER,
        processes: int = PROCESSES,
        plan: Plan | None = None,
    ) -> None:
        self._plan = plan or Plan(program, kinds, processes)
        self._python = python
        self._runner = runner
        self.timeout_s = timeout_s

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch as one job: all samples stream through, states return to 0 between them."""
        return self._run_job(input_values(self._plan.program, inputs), record=record)

    def _run_job(self, given: Mapping[str, IntArray], *, record: bool) -> Trace:
        """Run inputs, int64 ``(timesteps, batch, *shape)`` each, as one job."""
        samples = next(iter(given.values())).shape[1]
        timeout_s = self.timeout_s if self.timeout_s is not None else self.estimated_timeout_s(samples)
        try:
            with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
                job, result = Path(folder, "job.npz"), Path(folder, "result.npz")
                np.savez(job, **self._plan.job(given, record=record))  # type: ignore[arg-type]
                run_job_file(self._python, job, result, timeout_s, self._runner)
                found = self._read_back(read_result(result))
        except OSError as error:
            raise BackendError(
                f"the job's files in {tempfile.gettempdir()} cannot be written or read: {reason(error)};"
                " free some space, or set TMPDIR to another folder"
            ) from error
        return trace_of(self._plan, given, found, record=record)

    def _read_back(self, result: Arrays) -> Arrays:
        """Return the runner's arrays in the program's units, which they have."""
        return result

    def estimated_timeout_s(self, samples: int) -> float:
        """Return about ten times what ``samples`` should take, plus two minutes for a busy machine to start."""
        program = self._plan.program
        steps = samples * program.timesteps + self._plan.steps_after
        per_step = CELL_SECONDS * self._plan.cells
        for node in program.nodes:
            if isinstance(node, Weighted):
                shape = program.shapes[program.source_of(node.name).name]
                per_step += MAC_SECONDS * float(np.broadcast_to(fan_out(node, shape), shape).sum())
                if isinstance(node, Conv2d):
                    per_step += CALL_SECONDS * node.codes.shape[0] * node.codes.shape[1]
            else:
                per_step += NEURON_SECONDS * math.prod(program.shapes[node.name])
        return START_SECONDS + steps * per_step
