"""Everything that a report shows, gathered from a run folder and its exploration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikequant.choice import Choice
from spikequant.energy.study import EnergyStudy
from spikequant.errors import RunError
from spikequant.explore import memory_of
from spikequant.memory import ProgramMemory, program_memory
from spikequant.memory_papers import FLOAT_BITS
from spikequant.nir_profile import read_program
from spikequant.registry import node_kinds
from spikequant.report.results import (
    Calibration,
    MemoryPart,
    Significance,
    read_calibration,
    read_energy,
    read_significance,
)
from spikequant.runs import Recipe, RunFolder, build_model


@dataclass(frozen=True)
class Study:
    """One run and what was found out about it; what was not computed is ``None`` or empty.

    Attributes:
        run: The run folder, as the user wrote it.
        recipe: What was trained.
        result: Accuracies, test samples and epochs of the finished training.
        choice: What was explored, its Pareto front, and the selector's choice.
        calibration: Ranges, firing rates, a raster.
        significance: Accuracy against the precision of each quantity alone.
        memory: Parts of the memory of the chosen candidate, else of the exported program.
        memory_title: Whose memory it is.
        energy: What was found out about the exported program's energy.
    """

    run: str
    recipe: Recipe
    result: Mapping[str, Any] | None = None
    choice: Choice | None = None
    calibration: Calibration | None = None
    significance: Significance | None = None
    memory: tuple[MemoryPart, ...] = ()
    memory_title: str = ""
    energy: EnergyStudy | None = None

    @property
    def float_accuracy(self) -> float | None:
        """Of the FP32 model, in [0, 1]: as explored, else as trained, else unknown."""
        if self.choice is not None:
            return self.choice.exploration.baseline.accuracy
        return None if self.result is None else self.result["accuracy"]["float"]


def read_study(folder: RunFolder, choice: Choice | None) -> Study:
    """Return the study of a run folder.

    Args:
        folder: The run; training need not have ended.
        choice: What was chosen of its exploration, if it was explored.

    Raises:
        RunError: There is no run, a file is damaged, or the recipe was changed since.
        NirError: The exported program is damaged.
    """
    recipe = folder.recipe()
    result = folder.result() if folder.complete else None
    memory, title = _memory(folder, recipe, choice)
    return Study(
        str(folder.path),
        recipe,
        result,
        choice,
        read_calibration(folder.path),
        read_significance(folder.path),
        memory,
        title,
        read_energy(folder.path),
    )


def _memory(folder: RunFolder, recipe: Recipe, choice: Choice | None) -> tuple[tuple[MemoryPart, ...], str]:
    if choice is not None and choice.index is not None:
        evaluation, label = choice.evaluations[choice.index], choice.candidates[choice.index].label
        memory = memory_of(evaluation.setting, build_model(recipe).quantities)
        if memory.bits != evaluation.memory_bits:
            raise RunError(
                f"the exploration counts {evaluation.memory_bits} bits for '{label}' and the recipe in {folder.path}"
                f" gives {memory.bits}; they belong to different models, explore again"
            )
        parts = [MemoryPart(g.name, str(g.fmt), g.count, g.bits, g.count * FLOAT_BITS) for g in memory.groups]
        return tuple(parts), f"of the chosen candidate {label}"
    path = folder.path / "model.nir"
    if not path.is_file():
        return (), ""
    return program_parts(program_memory(read_program(path, kinds=node_kinds()))), f"of the exported program {path.name}"


def program_parts(memory: ProgramMemory) -> tuple[MemoryPart, ...]:
    """Return weights, state and constants of a program; states are kept once per sample in flight."""
    counts = {
        "weights": (sum(n.weights for n in memory.nodes), memory.weights_bits),
        "state": (sum(n.potentials for n in memory.nodes), memory.state_bits),
        "constants": (sum(n.constants for n in memory.nodes), memory.constants_bits),
    }
    return tuple(
        MemoryPart(name, "", count, bits, count * FLOAT_BITS) for name, (count, bits) in counts.items() if count
    )
