"""Choose one setting of an exploration by a selector, beside the true Pareto front of all that was evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikequant.errors import UnmetError
from spikequant.explore import Evaluation, Exploration
from spikequant.pareto import pareto_front
from spikequant.selector import Candidate, Selector


@dataclass(frozen=True)
class Choice:
    """What a selector chose, or why it chose nothing.

    Attributes:
        selector: Its name.
        exploration: What was explored.
        evaluations: Every visited setting once, in the order of the exploration.
        candidates: The same, as selectors take them.
        front: Indices of the Pareto front of all of them, smallest memory first.
        considered: How many the selector was given.
        index: Of the chosen one; ``None`` if nobody met the demand.
        runner_up: Index of the next one, if the selector names it.
        why: The reason in words; with nothing chosen, what it would take.
    """

    selector: str
    exploration: Exploration
    evaluations: tuple[Evaluation, ...]
    candidates: tuple[Candidate, ...]
    front: tuple[int, ...]
    considered: int
    index: int | None
    runner_up: int | None
    why: str

    def row(self, index: int | None) -> dict[str, Any] | None:
        """Return one evaluation as plain JSON data; ``None`` for ``None``."""
        if index is None:
            return None
        evaluation = self.evaluations[index]
        return {
            "label": self.candidates[index].label,
            **evaluation.setting.to_json(),
            "accuracy": evaluation.accuracy,
            "memory_bits": evaluation.memory_bits,
            "reference_bits": evaluation.reference_bits,
            "saving": evaluation.saving,
            "meets_target": self.exploration.meets(evaluation),
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "selector": self.selector,
            "complete": self.exploration.complete,
            "target": self.exploration.plan.target,
            "baseline": self.exploration.baseline.accuracy,
            "samples": self.exploration.baseline.samples,
            "evaluated": len(self.evaluations),
            "considered": self.considered,
            "chosen": self.row(self.index),
            "runner_up": self.row(self.runner_up),
            "why": self.why,
            "front": [self.row(index) for index in self.front],
        }


def choose(exploration: Exploration, selector: Selector, *, everything: bool = False) -> Choice:
    """Let a selector choose among what was explored.

    Args:
        exploration: What was explored, finished or not.
        selector: Chooses among the settings within the target, or among all: see ``Selector.considers``.
        everything: Let it choose among all in any case.

    Raises:
        UsageError: Nothing was evaluated, or the selector lacks what it needs.
    """
    unique: dict[str, Evaluation] = {}
    for evaluation in exploration.visited:  # the float setting is visited under every rounding
        unique.setdefault(evaluation.setting.key, evaluation)
    evaluations = tuple(unique.values())
    named = [
        Candidate(exploration.name(e), e.accuracy, e.memory_bits, e.reference_bits, exploration.baseline.accuracy)
        for e in evaluations
    ]
    among_all = everything or selector.considers == "all"
    given = [i for i, e in enumerate(evaluations) if among_all or exploration.meets(e)]
    index, runner_up = None, None
    try:
        if evaluations and not given:
            raise UnmetError(_below_target(exploration, len(evaluations)))
        selection = selector.select([named[i] for i in given])
    except UnmetError as error:
        why = str(error)
    else:
        why, index = selection.why, given[selection.index]
        runner_up = None if selection.runner_up is None else given[selection.runner_up]
    return Choice(
        selector.name,
        exploration,
        evaluations,
        tuple(named),
        tuple(pareto_front(named)),
        len(given),
        index,
        runner_up,
        why,
    )


def _below_target(exploration: Exploration, count: int) -> str:
    nearest = exploration.nearest
    words = ""
    if nearest is not None:
        words = (
            f"the nearest is {exploration.name(nearest)} with {100 * nearest.accuracy:.2f} %,"
            f" {exploration.drop(nearest):.2f} points below; "
        )
    return (
        f"none of {count} evaluated settings is within the exploration's target, {exploration.plan.target:g} points"
        f" below FP32 ({100 * exploration.baseline.accuracy:.2f} %); {words}choose among all of them with --all, or"
        " explore with a larger --target"
    )
