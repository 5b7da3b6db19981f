"""Explorations without a network: accuracy is a table, so that any process can evaluate any setting at once.

Importable by worker processes, since tests put this folder on ``sys.path``; also a script, to be killed.
"""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from spikequant.explore import (
    Evaluation,
    Explorer,
    Plan,
    PlannedAxis,
    Scheme,
    Store,
    memory_of,
)
from spikequant.explore.executors import InProcess, LocalProcesses
from spikequant.explore.tables import write_csv
from spikequant.formats import FP32, QFormat
from spikequant.quantity import Quantity

SAMPLES = 1000
QUANTITIES = (
    Quantity("w", "variable", 784 * 400, "quantizer"),
    Quantity("V", "variable", 400, "neuron"),
    Quantity("Vth", "variable", 400, "neuron"),
    Quantity("Vreset", "constant", 400, value=-65.0),
    Quantity("theta", "constant", 400, value=0.05),
)
BELONGS = {"version": "0.1.0", "recipe": {"seed": 0, "data": {"name": "none"}}, "seed": 0, "data": "0", "samples": 1000}


def axis(name: str, int_bits: int, fractions: tuple[int, ...]) -> PlannedAxis:
    return PlannedAxis(name, (name,), tuple((QFormat(int_bits, f),) for f in fractions))


def plan(**changes: object) -> Plan:
    axes = (axis("w", 1, (8, 6, 4, 2)), axis("V", 11, (8, 6, 4)), axis("Vth", 11, (8, 5, 2)))
    return Plan(**{"axes": axes, "schemes": (Scheme.PTQ, Scheme.ITQ), "target": 2.0, **changes})


@dataclass(frozen=True)
class TableEvaluator:
    """Accuracy falls with the bits taken away, with noise of the setting's own, so that walks prune here and there."""

    seed: int = 0
    noise: int = 12
    group_size: int = 4
    weights: tuple[str, ...] = ("w",)
    seconds: float = 0.0
    deadly: str = ""
    marker: Path | None = None
    counter: Path | None = None

    def group(self, setting):
        return (setting.scheme, setting.rounding, dict(setting.formats)["w"])

    def __call__(self, settings):
        assert len(settings) <= self.group_size
        assert len({self.group(setting) for setting in settings}) == 1
        return [self._one(setting) for setting in settings]

    def _one(self, setting):
        time.sleep(self.seconds)
        if setting.key == self.deadly and (self.marker is None or not self.marker.exists()):
            if self.marker is not None:
                self.marker.touch()
            os._exit(3)
        if self.counter is not None:
            with self.counter.open("a") as stream:
                stream.write(setting.key + "\n")
        lost = 0
        if not setting.is_float:
            bits = sum(max(0, 8 - fmt.frac_bits) for _, fmt in setting.formats if fmt != FP32)
            lost = bits * bits * 3 // 4 + random.Random(f"{self.seed} {setting.key}").randrange(-self.noise, self.noise)
        memory = memory_of(setting, QUANTITIES)
        return Evaluation(setting, 900 - lost, SAMPLES, memory.bits, memory.fp32_bits, time.time() % 1, {"lost": lost})


def main(store: str, table: str, jobs: str, seconds: str) -> None:
    place = InProcess() if jobs == "1" else LocalProcesses(int(jobs))
    with Store.open(Path(store), BELONGS) as opened:
        print("ready", flush=True)
        found = Explorer(plan(), TableEvaluator(seconds=float(seconds)), opened, place).run()
    write_csv(found, Path(table))


if __name__ == "__main__":
    main(*sys.argv[1:])
