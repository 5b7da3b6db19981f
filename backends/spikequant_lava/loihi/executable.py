"""Run a program on stock processes, and compare every run with the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikequant.backend import Inputs
from spikequant.counts import CLAIM
from spikequant.inputs import input_values
from spikequant.oracle import run_oracle
from spikequant.program import Input, Program
from spikequant.trace import Trace, joined
from spikequant_lava.executable import LavaExecutable
from spikequant_lava.job import Arrays
from spikequant_lava.loihi.claim import Claims
from spikequant_lava.loihi.plan import StockPlan
from spikequant_lava.results import Values


class StockExecutable(LavaExecutable):
    """A program on stock processes; the note that begins ``claim:`` speaks of all samples run so far.

    A recurrent program runs one sample a job: stock processes would carry the end of one to the start of the next.
    """

    def __init__(self, program: Program, python: Path, *, timeout_s: float | None = None) -> None:
        plan = StockPlan(program)
        super().__init__(program, python, timeout_s=timeout_s, plan=plan)
        self._program = program
        self._claims = Claims(program, plan.stocks)
        self._stock_plan = plan

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch on stock processes, then on the oracle, and state what holds."""
        given = input_values(self._program, inputs)
        samples = next(iter(given.values())).shape[1]
        parts = [slice(i, i + 1) for i in range(samples)] if self._program.recurrent else [slice(None)]
        got = joined([self._job({name: values[:, part] for name, values in given.items()}) for part in parts])
        expected = run_oracle(
            self._program, {name: _coded(self._program, name, values) for name, values in given.items()}
        )
        known = {**given, **expected.spikes, **expected.outputs}
        values = Values(self._program, known)
        self._claims.add(expected, got, {node.name: values.into(node.name)[0] for node in self._program.spiking})
        counts = replace(got.counts, notes=(*got.counts.notes, f"{CLAIM}{self._claims}"))
        return (
            Trace(got.spikes, got.potentials, got.outputs, counts)
            if record
            else Trace(outputs=got.outputs, counts=counts)
        )

    def _read_back(self, result: Arrays) -> Arrays:
        return self._stock_plan.read_back(result)

    def _job(self, given: Mapping[str, Any]) -> Trace:
        return self._run_job(given, record=True)


def _coded(program: Program, name: str, values: Any) -> Any:
    """Turn values per timestep back into what the oracle takes."""
    node = program.by_name[name]
    return values[0] if isinstance(node, Input) and node.coding == "direct" else values
