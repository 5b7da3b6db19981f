"""Everything that is known about a model's energy: what ``spikequant energy`` prints and saves, and reports show."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from spikequant.counts import Counts
from spikequant.energy.baselines import EnergyComparison, energy_comparison
from spikequant.energy.memory_sheets import memory_sheet, widths_sheet
from spikequant.energy.sheet import Sheet
from spikequant.energy.sheets import (
    TimestepRun,
    layers_sheet,
    savings_sheet,
    sparsity_sheet,
    timesteps_sheet,
)
from spikequant.energy.table import EnergyTable
from spikequant.program import Program

FILE = "energy.json"
"""Name of a saved study in a run folder."""


@dataclass(frozen=True)
class EnergyStudy:
    """Sheets about one model and run.

    Attributes:
        model_sha256: Of the model's file, so that a report shows no other model's energy.
        backend: That counted.
        samples: That were counted.
        timesteps: Of the model.
        cycles: Of the whole run, where the backend has a clock.
        sheets: Every sheet, table by table.
        comparisons: Under each table's name every accounting side by side; not read back from files.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")

    model_sha256: str
    backend: str
    samples: int
    timesteps: int
    cycles: int | None
    sheets: tuple[Sheet, ...]
    comparisons: Mapping[str, EnergyComparison] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data: ``tables`` holds the comparisons, ``sheets`` all else."""
        return {
            "model_sha256": self.model_sha256,
            "backend": self.backend,
            "samples": self.samples,
            "timesteps": self.timesteps,
            "cycles": self.cycles,
            "tables": {name: comparison.to_json() for name, comparison in self.comparisons.items()},
            "sheets": [sheet.to_json() for sheet in self.sheets],
        }

    def __str__(self) -> str:
        cycles = "" if self.cycles is None else f", {self.cycles / self.samples:,.0f} cycles per sample"
        blocks = [f"counted by {self.backend} on {self.samples} samples{cycles}"]
        blocks += [str(sheet) for sheet in self.sheets if sheet.kind == "sparsity"]
        for name, comparison in self.comparisons.items():
            blocks.append(str(comparison))  # which holds the savings too
            said = {note for report in comparison.reports.values() for note in report.notes}
            for sheet in self.sheets:
                if sheet.table == name and sheet.kind != "savings":
                    blocks.append(str(replace(sheet, notes=tuple(note for note in sheet.notes if note not in said))))
                    said.update(sheet.notes)
        return "\n\n".join(blocks)


def energy_study(
    program: Program,
    counts: Counts,
    tables: Sequence[EnergyTable],
    *,
    model_sha256: str,
    batches: Sequence[int] = (1, 4, 16, 32),
    accuracy: float | None = None,
    runs: Sequence[TimestepRun] = (),
) -> EnergyStudy:
    """Bill a run with every table, in every way.

    Args:
        program: What ran.
        counts: What it did.
        tables: Energies.
        model_sha256: Of the file that holds the program; see :func:`digest`.
        batches: Batch sizes for memory energy.
        accuracy: Of the run, in [0, 1], if it is known.
        runs: The program at other numbers of timesteps; without any there is no such sheet.

    Raises:
        UsageError: As :func:`spikequant.energy.energy_of` and :func:`spikequant.energy.uq_counterpart` do.
    """
    own = TimestepRun(program.timesteps, counts, accuracy)
    sheets = [sparsity_sheet(program, counts)]
    for table in tables:
        saved = savings_sheet(counts, table)
        sheets += [] if saved is None else [saved]
        sheets.append(layers_sheet(program, counts, table))
        sheets.append(memory_sheet(program, counts, table, batches))
        sheets.append(widths_sheet(program, counts, table, batches))
        sheets += [timesteps_sheet(own, runs, table)] if runs else []
    compared = {table.name: energy_comparison(counts, table, program) for table in tables}
    return EnergyStudy(
        model_sha256, counts.backend, counts.samples, program.timesteps, counts.cycles, tuple(sheets), compared
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: It cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()
