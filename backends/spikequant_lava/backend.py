"""The backend ``lava``: programs on the lava-nc runtime in its own interpreter, equal to the oracle."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikequant import Availability, Backend, Executable
from spikequant.backend import Inputs
from spikequant.counting import fan_out
from spikequant.errors import BackendError, PluginError
from spikequant.inputs import input_values
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Input,
    Lateral,
    Lif,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    SpikingNode,
    Weighted,
)
from spikequant.registry import node_kinds
from spikequant.trace import Trace
from spikequant_lava import environment
from spikequant_lava.implementations import Kinds, implementation_of, is_implemented
from spikequant_lava.job import PROCESSES, Plan
from spikequant_lava.results import read_result, trace_of
from spikequant_lava.supervisor import RUNNER, run_job_file

START_SECONDS = 120.0
PROCESS_SECONDS = 5e-3
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
    ) -> None:
        self._plan = Plan(program, kinds, processes)
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
            np.savez(job, **self._plan.job(given, record=record))  # type: ignore[arg-type]
            run_job_file(self._python, job, result, timeout_s, self._runner)
            return trace_of(self._plan, given, read_result(result), record=record)

    def estimated_timeout_s(self, samples: int) -> float:
        """Return about ten times what ``samples`` should take, plus two minutes for a busy machine to start."""
        program = self._plan.program
        steps = samples * program.timesteps + self._plan.steps_after
        per_step = PROCESS_SECONDS * self._plan.processes
        for node in program.nodes:
            if isinstance(node, Weighted):
                shape = program.shapes[program.source_of(node.name).name]
                per_step += MAC_SECONDS * float(np.broadcast_to(fan_out(node, shape), shape).sum())
                if isinstance(node, Conv2d):
                    per_step += CALL_SECONDS * node.codes.shape[0] * node.codes.shape[1]
            else:
                per_step += NEURON_SECONDS * math.prod(program.shapes[node.name])
        return START_SECONDS + steps * per_step


class LavaBackend(Backend):
    """Runs programs on lava-nc 0.10.0, Intel's simulator of Loihi, in an interpreter of its own.

    Args:
        processes: Largest number of Lava's processes for the nodes of a program; each is a process of the
            operating system. A program with more nodes and relays shares them.
        kinds: Mappings of plugins' neuron kinds; default: those of the installed plugins.
    """

    name: ClassVar[str] = "lava"
    summary: ClassVar[str] = "lava-nc 0.10.0 in an isolated interpreter; its delays are undone, loops included"
    supports: ClassVar[tuple[type[Node], ...]] = (
        Input,
        Dense,
        Conv2d,
        PoolOr,
        PoolSum,
        Lateral,
        Add,
        Concat,
        Flatten,
        Lif,
        SpikingNode,
        Readout,
    )

    def __init__(self, processes: int = PROCESSES, kinds: Kinds | None = None) -> None:
        if processes < 1:
            raise ValueError(f"processes is {processes}; it must be 1 or more")
        self._processes = processes
        self._given = kinds

    @property
    def _kinds(self) -> Kinds:
        return node_kinds() if self._given is None else self._given

    def refusal(self, program: Program, node: Node) -> str | None:
        """Refuse what no path joins to the first input, plugins' kinds without implementation, redefined nodes."""
        if node.name not in _joined(program, program.inputs[0].name):
            return (
                f"no path of edges, whatever their direction, joins it to the input '{program.inputs[0].name}';"
                " Lava runs one connected graph, so make two programs"
            )
        if type(node) in self.supports:
            return None
        known = next(kind for kind in self.supports if isinstance(node, kind))
        if not isinstance(node, SpikingNode) or (known is Lif and not is_implemented(node)):
            return f"{type(node).__name__} redefines {known.kind}, and Lava would run the plain {known.kind}"
        try:
            implementation_of(node, self._kinds)
        except (BackendError, PluginError) as error:
            return str(error)
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
        return LavaExecutable(program, environment.current().python, kinds=self._kinds, processes=self._processes)


def _joined(program: Program, start: str) -> set[str]:
    """Names of the nodes that edges join to ``start``."""
    found: set[str] = set()
    new = {start}
    while new:
        found |= new
        touching = [edge for edge in program.edges if edge.source in new or edge.target in new]
        new = {name for edge in touching for name in (edge.source, edge.target)} - found
    return found
