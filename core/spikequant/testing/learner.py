"""The contract of a learner as checks: epochs that learn, repeat bit by bit, and can be resumed after any."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikequant.content_draw import content_key
from spikequant.dataset import Split
from spikequant.formats import QFormat
from spikequant.learner import Learner, LearnerState
from spikequant.lif_neuron import LifNeuron
from spikequant.model import InputCoding, SpikingModel
from spikequant.network import ConvLayer, DenseLayer, FlattenLayer, Layer, ReadoutLayer
from spikequant.quantizer import Quantizer
from spikequant.rounding import Rounding, to_codes
from spikequant.runs.checkpoint import load_checkpoint, save_checkpoint
from spikequant.testing.kit import Contract

EPOCHS = 3
SEED = 11
CLASSES = 3
SHAPE = (1, 4, 4)


class Nearest(Quantizer):
    """Nearest code, halves up: the plainest quantizer, so that the kit needs no plugin."""

    name = "kit-nearest"

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the nearest codes within the range."""
        return torch.floor((x / scale).clamp(*self.code_range) + 0.5).to(torch.int32)


class Fixed(Quantizer):
    """``Q1.4``, stochastic: no learnable clip, and random numbers of its own."""

    name = "kit-fixed"
    fmt = QFormat(1, 4)
    rounding = Rounding.SR

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return codes rounded at random; equal values have equal codes."""
        return to_codes(x, self.fmt, self.rounding, key=content_key(self.seed, "w", x)).codes.to(torch.int32)


class PlainLif(LifNeuron):
    """The ``lif`` node with its defaults."""

    name = "kit-lif"


QUANTIZERS: dict[str, Callable[[], Quantizer] | None] = {
    "floats": None,
    "integers": lambda: Nearest(bits=6),
    "fixed point": lambda: Fixed(bits=6),
}


@dataclass(frozen=True, eq=False)
class Run:
    """What epochs left behind: all parameters and buffers, and the metrics of each epoch."""

    model: dict[str, Tensor]
    metrics: list[dict[str, float]]


def check_described(learner: Learner) -> None:
    """The learner has a name."""
    label = type(learner).__name__
    name: object = getattr(learner, "name", None)
    assert isinstance(name, str), f"{label}.name is {name!r}; it must be a text"
    assert name.strip(), f"{label}.name is empty; it must be a word"


def check_changes_parameters(learner: Learner) -> None:
    """An epoch changes a parameter, in floats and in integers."""
    for label, model in _models():
        before = {name: value.clone() for name, value in model.named_parameters()}
        _train(learner, model, range(1))
        changed = any(not torch.equal(before[name], value) for name, value in model.named_parameters())
        assert changed, f"learner '{learner.name}', {label}: an epoch changed no parameter"


def check_keeps_precision(learner: Learner) -> None:
    """The model goes on computing in floats, or in integers, as it did."""
    for label, model in _models():
        precision, shapes = model.precision, {name: value.shape for name, value in model.state_dict().items()}
        _train(learner, model, range(1))
        where = f"learner '{learner.name}', {label}"
        assert model.precision == precision, f"{where}: the model was {precision} and is {model.precision} now"
        after = {name: value.shape for name, value in model.state_dict().items()}
        assert after == shapes, f"{where}: the names or shapes of parameters changed"


def check_metrics(learner: Learner) -> None:
    """Metrics are finite numbers under names, and parameters stay finite."""
    for label, model in _models():
        run = _train(learner, model, range(EPOCHS))
        where = f"learner '{learner.name}', {label}"
        for number, metrics in enumerate(run.metrics):
            for name, value in metrics.items():
                good = isinstance(name, str) and isinstance(value, (int, float)) and math.isfinite(value)
                assert good, f"{where}, epoch {number}: metric {name!r} is {value!r}; it must be a finite number"
        for name, tensor in run.model.items():
            finite = bool(torch.isfinite(tensor).all())
            assert finite, f"{where}: parameter '{name}' is not finite after {EPOCHS} epochs"


def check_repeatable(learner: Learner) -> None:
    """The same seed gives the same bits, whatever the state of the global random generators."""
    for (label, first), (_, second) in zip(_models(), _models(), strict=True):
        one = _train(learner, first, range(EPOCHS))
        _stir()
        two = _train(learner, second, range(EPOCHS))
        _assert_same(one, two, f"learner '{learner.name}', {label}: trained twice with the same seed")


def check_resumes(learner: Learner) -> None:
    """Stopped after any epoch and resumed from its checkpoint, a run ends with the same bits."""
    for stop in range(EPOCHS):
        for (label, straight), (_, first), (_, second) in zip(_models(), _models(), _models(), strict=True):
            whole = _train(learner, straight, range(EPOCHS))
            left: dict[str, Any] = {}
            start = _train(learner, first, range(stop), left)
            saved = _through_a_file({"model": first.state_dict(), **left})
            second.load_state_dict(saved["model"])
            _stir()
            rest = _train(learner, second, range(stop, EPOCHS), saved)
            resumed = Run(rest.model, start.metrics + rest.metrics)
            _assert_same(whole, resumed, f"learner '{learner.name}', {label}: resumed after epoch {stop} of {EPOCHS}")


def check_data_unchanged(learner: Learner) -> None:
    """Training writes neither to samples nor to labels; read-only ones are fine."""
    for label, model in _models():
        data, kept = samples(), samples()
        for array in (data.x, data.y):
            array.flags.writeable = False
        try:
            _train(learner, model, range(1), data=data)
        except ValueError as error:
            raise AssertionError(f"learner '{learner.name}', {label}: read-only samples fail: {error}") from error
        same = np.array_equal(data.x, kept.x) and np.array_equal(data.y, kept.y)
        assert same, f"learner '{learner.name}', {label}: an epoch wrote to its training samples"


def check_progress(learner: Learner) -> None:
    """Progress, where it is told, rises to its end."""
    for label, model in _models():
        told: list[tuple[int, int]] = []
        _train(learner, model, range(1), told=told)
        where = f"learner '{learner.name}', {label}: progress was {told[:5]}"
        assert told == sorted(told), f"{where}; batches done must rise"
        if told:
            done, total = told[-1]
            assert done == total, f"{where} ... {told[-1]}; the last call must say that all are done"


def samples() -> Split:
    """48 samples of three classes: bright rows, bright columns, noise; whole numbers 0..15."""
    random = np.random.default_rng(3)
    y = np.arange(48) % CLASSES
    x = random.integers(0, 6, (48, *SHAPE))
    x[y == 0, :, ::2, :] += 9
    x[y == 1, :, :, ::2] += 9
    return Split(x.astype(np.uint8), y.astype(np.int64))


def _models() -> Iterator[tuple[str, SpikingModel]]:
    """Yield fresh models: dense and convolutional, in floats and in two kinds of integers, always the same weights."""
    networks: dict[str, tuple[Layer, ...]] = {
        "dense": (FlattenLayer(), DenseLayer(12), ReadoutLayer(CLASSES)),
        "convolutional with BatchNorm": (ConvLayer(4, batch_norm=True), FlattenLayer(), ReadoutLayer(CLASSES)),
    }
    for name, layers in networks.items():
        for precision, quantizer in QUANTIZERS.items():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                model = SpikingModel(layers, lambda: PlainLif(bits=6), InputCoding(SHAPE, 4, 15), timesteps=3)
            if quantizer is not None:
                model.quantize(quantizer)
            yield f"{name} network in {precision}", model


def _train(
    learner: Learner,
    model: SpikingModel,
    epochs: range,
    saved: dict[str, Any] | None = None,
    *,
    data: Split | None = None,
    told: list[tuple[int, int]] | None = None,
) -> Run:
    """Train ``epochs``; take the state from ``saved`` if it holds one, and leave the last state there."""
    state: LearnerState = learner.start(model, epochs=EPOCHS, seed=SEED)
    if saved and "state" in saved:
        state.load_state_dict(saved["state"])
    chosen, seen = data or samples(), told if told is not None else []
    metrics = [
        dict(
            learner.epoch(
                model,
                chosen,
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


learner_checks: Contract[Learner] = Contract(
    "learner",
    (
        check_described,
        check_changes_parameters,
        check_keeps_precision,
        check_metrics,
        check_repeatable,
        check_resumes,
        check_data_unchanged,
        check_progress,
    ),
)
