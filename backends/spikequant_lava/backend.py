"""The backend ``lava``: programs on the lava-nc runtime in its own interpreter, equal to the oracle."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikequant import Availability, Backend, Executable
from spikequant.backend import Inputs
from spikequant.counting import fan_out
from spikequant.errors import BackendError
from spikequant.inputs import input_values
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, Node, Program, Readout, Weighted
from spikequant.trace import Trace
from spikequant_lava import environment
from spikequant_lava.job import Plan
from spikequant_lava.results import read_result, trace_of
from spikequant_lava.supervisor import RUNNER, run_job_file

START_SECONDS = 120.0
PROCESS_SECONDS = 5e-3
CALL_SECONDS = 2e-4
MAC_SECONDS = 2e-8


class LavaExecutable(Executable):
    """A program ready for Lava; each run is one job of one process group.

    Attributes:
        timeout_s: Seconds after which a run counts as hung; by default from the program's size.
    """

    def __init__(
        self, program: Program, python: Path, *, timeout_s: float | None = None, runner: Path = RUNNER
    ) -> None:
        self._plan = Plan(program)
        self._python = python
        self._runner = runner
        self.timeout_s = timeout_s

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch as one job: all samples stream through, states return to 0 between them."""
        given = input_values(self._plan.program, inputs)
        samples = next(iter(given.values())).shape[1]
        timeout_s = self.timeout_s if self.timeout_s is not None else self.estimated_timeout_s(samples)
        with tempfile.TemporaryDirectory(prefix="spikequant-lava-") as folder:
            job, result = Path(folder, "job.npz"), Path(folder, "result.npz")
            np.savez(job, **self._plan.job(given))  # type: ignore[arg-type]
            run_job_file(self._python, job, result, timeout_s, self._runner)
            return trace_of(self._plan, given, read_result(result), record=record)

    def estimated_timeout_s(self, samples: int) -> float:
        """Return about ten times what ``samples`` should take, plus two minutes for a busy machine to start."""
        program = self._plan.program
        steps = samples * program.timesteps + self._plan.steps_after
        per_step = PROCESS_SECONDS * len(program.nodes)
        for node in program.nodes:
            if isinstance(node, Weighted):
                shape = program.shapes[program.source_of(node.name).name]
                per_step += MAC_SECONDS * float(np.broadcast_to(fan_out(node, shape), shape).sum())
                if isinstance(node, Conv2d):
                    per_step += CALL_SECONDS * node.codes.shape[0] * node.codes.shape[1]
        return START_SECONDS + steps * per_step


class LavaBackend(Backend):
    """Runs programs on lava-nc 0.10.0, Intel's simulator of Loihi, in an interpreter of its own."""

    name: ClassVar[str] = "lava"
    summary: ClassVar[str] = "lava-nc 0.10.0 in an isolated interpreter; one delay step per dense and conv2d, cut off"
    supports: ClassVar[tuple[type[Node], ...]] = (Input, Dense, Conv2d, Flatten, Lif, Readout)

    def refusal(self, program: Program, node: Node) -> str | None:
        """Refuse recurrence, several inputs, and nodes whose class changes the meaning of a known kind."""
        if type(node) not in self.supports:
            kind = next(kind for kind in self.supports if isinstance(node, kind))
            return f"{type(node).__name__} redefines {kind.kind}, and Lava would run the plain {kind.kind}"
        if isinstance(node, Input) and len(program.inputs) > 1:
            return f"it is one of {len(program.inputs)} inputs; Lava runs programs of one input"
        delayed = [edge for edge in program.inputs_of(node.name) if edge.delayed]
        if delayed:
            return f"the edge {delayed[0].source} -> {node.name} is delayed; Lava runs feed-forward programs only"
        return None

    def availability(self) -> Availability:
        """Ready if ``spikequant lava setup`` has completed."""
        if os.name != "posix":
            return Availability(False, "Lava's process groups need POSIX", "run on Linux or macOS")
        return environment.availability()

    def build(self, program: Program) -> Executable:
        """Plan the job; nothing runs yet."""
        available = self.availability()
        if not available.ready:
            raise BackendError(f"backend 'lava' is not ready: {available.detail}; {available.remedy}")
        return LavaExecutable(program, environment.current().python)
