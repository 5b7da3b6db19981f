"""The contract of a learner as checks: epochs that learn, repeat bit by bit, and can be resumed after any."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikequant.dataset import Split
from spikequant.learner import Learner, LearnerState
from spikequant.model import InputCoding, Model
from spikequant.runs.checkpoint import load_checkpoint, save_checkpoint
from spikequant.testing.kit import Contract
from spikequant.testing.learner_models import CLASSES, CODING, chains, samples

EPOCHS = 3
SEED = 11
Models = Callable[[InputCoding, int], Iterable[tuple[str, Model]]]
"""Makes fresh models, each with a label: of what is fed and the number of classes, always with the same weights."""


@dataclass(frozen=True, eq=False)
class Run:
    """What epochs left behind: all parameters and buffers, and the metrics of each epoch."""

    model: dict[str, Tensor]
    metrics: list[dict[str, float]]


class LearnerKit:
    """The checks, on models of one's choice."""

    def __init__(self, models: Models, data: Callable[[], Split] = samples) -> None:
        self.models, self.data = models, data

    def _fresh(self, learner: Learner) -> Iterator[tuple[str, Model]]:
        if self.models is chains and learner.network is not None:
            wanted = getattr(learner.network, "name", learner.network.__name__)
            raise AssertionError(
                f"learner '{learner.name}' trains network '{wanted}' only;"
                " check it with learner_checks_on(models), which takes models of that network"
            )
        models = list(self.models(CODING, CLASSES))
        assert models, f"learner '{learner.name}': there is no model to train; models() must yield some"
        yield from models

    def check_described(self, learner: Learner) -> None:
        """The learner has a name."""
        label = type(learner).__name__
        name: object = getattr(learner, "name", None)
        assert isinstance(name, str), f"{label}.name is {name!r}; it must be a text"
        assert name.strip(), f"{label}.name is empty; it must be a word"

    def check_changes_parameters(self, learner: Learner) -> None:
        """An epoch changes a parameter, or a buffer where the model has no parameters."""
        for label, model in self._fresh(learner):
            before = {name: value.clone() for name, value in _learned(model).items()}
            _train(learner, model, range(1), data=self.data())
            changed = any(not torch.equal(before[name], value) for name, value in _learned(model).items())
            assert changed, f"learner '{learner.name}', {label}: an epoch changed no parameter"

    def check_keeps_precision(self, learner: Learner) -> None:
        """The model goes on computing in floats, or in integers, as it did."""
        for label, model in self._fresh(learner):
            precision, shapes = model.precision, {name: value.shape for name, value in model.state_dict().items()}
            _train(learner, model, range(1), data=self.data())
            where = f"learner '{learner.name}', {label}"
            assert model.precision == precision, f"{where}: the model was {precision} and is {model.precision} now"
            after = {name: value.shape for name, value in model.state_dict().items()}
            assert after == shapes, f"{where}: the names or shapes of parameters changed"

    def check_metrics(self, learner: Learner) -> None:
        """Metrics are finite numbers under names, and parameters stay finite."""
        for label, model in self._fresh(learner):
            run = _train(learner, model, range(EPOCHS), data=self.data())
            where = f"learner '{learner.name}', {label}"
            for number, metrics in enumerate(run.metrics):
                for name, value in metrics.items():
                    good = isinstance(name, str) and isinstance(value, (int, float)) and math.isfinite(value)
                    assert good, f"{where}, epoch {number}: metric {name!r} is {value!r}; it must be a finite number"
            for name, tensor in run.model.items():
                finite = bool(torch.isfinite(tensor).all())
                assert finite, f"{where}: parameter '{name}' is not finite after {EPOCHS} epochs"

    def check_repeatable(self, learner: Learner) -> None:
        """The same seed gives the same bits, whatever the state of the global random generators."""
        for (label, first), (_, second) in zip(self._fresh(learner), self._fresh(learner), strict=True):
            one = _train(learner, first, range(EPOCHS), data=self.data())
            _stir()
            two = _train(learner, second, range(EPOCHS), data=self.data())
            _assert_same(one, two, f"learner '{learner.name}', {label}: trained twice with the same seed")

    def check_resumes(self, learner: Learner) -> None:
        """Stopped after any epoch and resumed from its checkpoint, a run ends with the same bits."""
        for stop in range(EPOCHS):
            for (label, straight), (_, first), (_, second) in zip(
                self._fresh(learner), self._fresh(learner), self._fresh(learner), strict=True
            ):
                whole = _train(learner, straight, range(EPOCHS), data=self.data())
                left: dict[str, Any] = {}
                start = _train(learner, first, range(stop), left, data=self.data())
                saved = _through_a_file({"model": first.state_dict(), **left})
                second.load_state_dict(saved["model"])
                _stir()
                rest = _train(learner, second, range(stop, EPOCHS), saved, data=self.data())
                resumed = Run(rest.model, start.metrics + rest.metrics)
                _assert_same(
                    whole, resumed, f"learner '{learner.name}', {label}: resumed after epoch {stop} of {EPOCHS}"
                )

    def check_data_unchanged(self, learner: Learner) -> None:
        """Training writes neither to samples nor to labels; read-only ones are fine."""
        for label, model in self._fresh(learner):
            data, kept = self.data(), self.data()
            for array in (np.asarray(data.x), data.y):
                array.flags.writeable = False
            try:
                _train(learner, model, range(1), data=data)
            except ValueError as error:
                raise AssertionError(f"learner '{learner.name}', {label}: read-only samples fail: {error}") from error
            same = np.array_equal(data.x, kept.x) and np.array_equal(data.y, kept.y)
            assert same, f"learner '{learner.name}', {label}: an epoch wrote to its training samples"

    def check_progress(self, learner: Learner) -> None:
        """Progress, where it is told, rises to its end."""
        for label, model in self._fresh(learner):
            told: list[tuple[int, int]] = []
            _train(learner, model, range(1), told=told, data=self.data())
            where = f"learner '{learner.name}', {label}: progress was {told[:5]}"
            assert told == sorted(told), f"{where}; batches done must rise"
            if told:
                done, total = told[-1]
                assert done == total, f"{where} ... {told[-1]}; the last call must say that all are done"


def learner_checks_on(models: Models, data: Callable[[], Split] = samples) -> Contract[Learner]:
    """Return the checks of a learner that needs models of its own, not chains of layers.

    Args:
        models: Called again and again as ``models(coding, classes)`` with what the kit's samples are; yields fresh
            pairs of a label and a :class:`~spikequant.Model`, in floats and quantized, always with the same weights.
        data: Returns fresh samples, always the same, of as many classes as the kit's: for models of frames, which
            images do not fit.

    >>> learner_checks_on(chains).name
    'learner'
    """
    kit = LearnerKit(models, data)
    return Contract(
        "learner",
        (
            kit.check_described,
            kit.check_changes_parameters,
            kit.check_keeps_precision,
            kit.check_metrics,
            kit.check_repeatable,
            kit.check_resumes,
            kit.check_data_unchanged,
            kit.check_progress,
        ),
    )


def _learned(model: Model) -> Mapping[str, Tensor]:
    """Return what training is to change: parameters, or all state where a learner keeps its own in buffers."""
    return dict(model.named_parameters()) or model.state_dict()


def _train(
    learner: Learner,
    model: Model,
    epochs: range,
    saved: dict[str, Any] | None = None,
    *,
    data: Split,
    told: list[tuple[int, int]] | None = None,
) -> Run:
    """Train ``epochs``; take the state from ``saved`` if it holds one, and leave the last state there."""
    state: LearnerState = learner.start(model, epochs=EPOCHS, seed=SEED)
    if saved and "state" in saved:
        state.load_state_dict(saved["state"])
    seen = told if told is not None else []
    metrics = [
        dict(
            learner.epoch(
                model,
                data,
                state,
                number,
                epochs=EPOCHS,
                seed=SEED,
                progress=lambda done, total: seen.append((done, total)),
            )
        )
        for number in epochs
    ]
    if saved is not None:
        saved["state"] = state.state_dict()
    return Run({name: value.clone() for name, value in model.state_dict().items()}, metrics)


def _through_a_file(content: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        try:
            save_checkpoint(path, content)
        except TypeError as error:
            raise AssertionError(f"the learner's state cannot be saved: {error}; keep tensors and numbers") from error
        return load_checkpoint(path)


def _stir() -> None:
    """Advance the global random generators: nothing may depend on them."""
    torch.rand(3)
    np.random.random_sample(3)


def _assert_same(one: Run, two: Run, where: str) -> None:
    for name, value in one.model.items():
        same = torch.equal(value, two.model[name])
        assert same, f"{where}, '{name}' differs; key everything random by seed and epoch, and keep all state"
    assert one.metrics == two.metrics, f"{where}, metrics are {two.metrics}, and were {one.metrics}"


learner_checks: Contract[Learner] = learner_checks_on(chains)
