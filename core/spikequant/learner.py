"""The contract of a learner: something that changes a model's parameters, one epoch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from spikequant.dataset import Split
from spikequant.model import Model
from spikequant.network import Network

Progress = Callable[[int, int], None]


class LearnerState(Protocol):
    """What a learner keeps between epochs; a torch optimizer is one."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors, numbers and strings, nested."""

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Take back what :meth:`state_dict` returned."""


class Learner(ABC):
    """Trains a model; options are keyword arguments of the constructor, with defaults.

    Everything random is keyed by ``seed`` and the epoch's number, never by a running generator, so a run
    that is stopped after any epoch and resumed ends with the same bits.

    Attributes:
        network: The only kind of network it trains; ``None`` for any that makes a model it can use.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    network: ClassVar[type[Network] | None] = None

    @abstractmethod
    def start(self, model: Model, *, epochs: int, seed: int) -> LearnerState:
        """Return the state before the first epoch (often an optimizer).

        Raises:
            UsageError: It cannot train this model; nothing was trained yet.
        """

    @abstractmethod
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
        """Train epoch ``number`` (from 0) of ``epochs`` in place.

        Args:
            model: The model; its ``precision`` says whether it computes in floats or in integers.
            data: Training samples as integers.
            state: What :meth:`start` returned.
            number: This epoch.
            epochs: All epochs of this phase, for schedules.
            seed: Key of everything random.
            progress: Called with batches done and batches in all.

        Returns:
            Metrics of the epoch, such as ``loss``.
        """
