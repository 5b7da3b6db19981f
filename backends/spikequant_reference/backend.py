"""The backend that is the semantics: every other one is compared with it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from spikequant.backend import Backend, Executable, Inputs
from spikequant.oracle import run_oracle
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
)
from spikequant.trace import Trace


class ReferenceExecutable(Executable):
    """A program run by :func:`spikequant.oracle.run_oracle`."""

    def __init__(self, program: Program, name: str) -> None:
        self._program, self._name = program, name

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch; see :meth:`spikequant.backend.Executable.run`."""
        trace = run_oracle(self._program, inputs)
        counts = replace(trace.counts, backend=self._name)
        return replace(trace, counts=counts) if record else Trace(outputs=trace.outputs, counts=counts)


class ReferenceBackend(Backend):
    """Runs every node of the semantics, and plugin neurons through their own code."""

    name: ClassVar[str] = "reference"
    summary: ClassVar[str] = "the oracle in plain NumPy: slow, obvious, runs everything"
    supports: ClassVar[tuple[type[Node], ...]] = (
        Input, Dense, Conv2d, Lateral, PoolOr, PoolSum, Add, Flatten, Concat, Lif, SpikingNode, Readout,
    )  # fmt: skip

    def build(self, program: Program) -> Executable:
        """Wrap the oracle; nothing is compiled."""
        return ReferenceExecutable(program, self.name)
