"""The learner ``frozen``: leaves a model as it was imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from spikequant import Learner, LearnerState, Model, Progress, Split


class _Nothing:
    """A state without content."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state_dict: Any, /) -> None:
        """Take nothing."""


class Frozen(Learner):
    """Changes no parameter: for networks that were trained elsewhere, and PTQ."""

    name: ClassVar[str] = "frozen"
    summary: ClassVar[str] = "leaves the model as it is: for imported networks"

    def start(self, model: Model, *, epochs: int, seed: int) -> LearnerState:
        """Return a state without content."""
        return _Nothing()

    def epoch(
        self,
        model: Model,
        data: Split,
        state: LearnerState,
        number: int,
        *,
        epochs: int,
        seed: int,
        progress: Progress = lambda done, total: None,
    ) -> Mapping[str, float]:
        """Do nothing, and say that it is done."""
        progress(1, 1)
        return {}
