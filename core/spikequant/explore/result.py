"""What an exploration found: visited settings, those that meet the target, and the nearest when none does."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from spikequant.errors import StoreError
from spikequant.explore.course import Course
from spikequant.explore.evaluation import Evaluation
from spikequant.explore.plan import Plan
from spikequant.explore.setting import Setting
from spikequant.explore.store import Store
from spikequant.files import reason
from spikequant.selector import Candidate


@dataclass(frozen=True)
class Exploration:
    """The outcome of an exploration.

    Attributes:
        plan: What was explored.
        weights: Names of the quantities that are weights.
        baseline: The float model on the same test samples.
        visited: Every visited setting, in the order of Algorithm 1.
        complete: Whether the walks came to their end.
    """

    plan: Plan
    weights: Collection[str]
    baseline: Evaluation
    visited: tuple[Evaluation, ...]
    complete: bool

    @property
    def candidates(self) -> tuple[Evaluation, ...]:
        """Q-SpiNN's solution candidates: visited, and within the target."""
        return tuple(evaluation for evaluation in self.visited if self.meets(evaluation))

    @property
    def nearest(self) -> Evaluation | None:
        """The most accurate visited setting; the smaller, then the earlier of equals. ``None`` if none was visited."""
        return min(self.visited, key=lambda e: (-e.right, e.memory_bits), default=None)

    def meets(self, evaluation: Evaluation) -> bool:
        """Whether an evaluation is within the target."""
        return self.plan.meets(evaluation.right, self.baseline.right, evaluation.samples)

    def drop(self, evaluation: Evaluation) -> float:
        """Return the points of accuracy below the baseline, rounded up to hundredths: a target that accepts it."""
        lost = Fraction(100 * (self.baseline.right - evaluation.right), evaluation.samples)
        return math.ceil(lost * 100) / 100

    def name(self, evaluation: Evaluation) -> str:
        """Return scheme, rounding and the paper's label, such as ``PTQ RN W(Q1.6)-N(Qi.6)``."""
        setting = evaluation.setting
        return f"{setting.approach} {setting.rounding} {setting.label(self.weights)}"

    def as_selectable(self) -> list[Candidate]:
        """Return the visited settings as a selector takes them, in order."""
        return [
            Candidate(self.name(e), e.accuracy, e.memory_bits, e.reference_bits, self.baseline.accuracy)
            for e in self.visited
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "plan": self.plan.to_json(),
            "complete": self.complete,
            "baseline": {"accuracy": self.baseline.accuracy, "samples": self.baseline.samples},
            "visited": len(self.visited),
            "candidates": [
                {
                    "label": self.name(e),
                    **e.setting.to_json(),
                    "accuracy": e.accuracy,
                    "memory_bits": e.memory_bits,
                    "reference_bits": e.reference_bits,
                    "saving": e.saving,
                    "notes": dict(e.notes),
                }
                for e in self.candidates
            ],
        }


def known_outcome(plan: Plan, store: Store, setting: Setting) -> bool | None:
    """Return whether a setting meets the plan's target; ``None`` if it was not evaluated."""
    found = store.evaluations.get(setting.key)
    baseline = store.evaluations.get(plan.float_setting.key)
    if found is None or baseline is None:
        return None
    return plan.meets(found.right, baseline.right, found.samples)


def read_exploration(store: Store) -> Exploration:
    """Return what a store's last exploration visited, as far as it came; evaluates nothing.

    Raises:
        StoreError: Nothing was explored into the store, or its plan is damaged.
    """
    try:
        kept, weights = store.meta("plan"), store.meta("weights")
        plan = None if kept is None else Plan.from_json(kept)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise StoreError(f"store {store.path} is damaged: its plan cannot be read ({reason(error)})") from error
    if plan is None or plan.float_setting.key not in store.evaluations:
        raise StoreError(f"store {store.path} holds no exploration yet; run 'spikequant explore'")
    visited: list[Evaluation] = []
    ended = []
    for scheme in plan.schemes:
        course = Course(plan, scheme, lambda setting: known_outcome(plan, store, setting))
        ended.append(course.go_on())
        visited += [replace(store.evaluations[setting.key], setting=setting) for setting in course.visited]
    baseline = store.evaluations[plan.float_setting.key]
    return Exploration(plan, frozenset(weights or ()), baseline, tuple(visited), all(ended))
