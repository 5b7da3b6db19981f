"""Evaluation of settings on a complete training run: the float model, quantized (PTQ) or trained on (ITQ)."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from spikequant.dataset import Split
from spikequant.errors import SpikequantError, UsageError, one_line
from spikequant.event_frames import EventFrames
from spikequant.explore.evaluation import Evaluation, memory_of
from spikequant.explore.grids import check_grid
from spikequant.explore.setting import Scheme, Setting
from spikequant.formats import Format
from spikequant.model import Model
from spikequant.neuron import Neuron
from spikequant.quantity import Quantity
from spikequant.quantizer import Quantizer
from spikequant.registry import Registry, registry
from spikequant.rounding import Rounding
from spikequant.runs.build import build_model, load_data, make_learner, quantizer_factory
from spikequant.runs.checkpoint import load_checkpoint
from spikequant.runs.exact_torch import exact_torch
from spikequant.runs.folder import RunFolder
from spikequant.runs.parameters import check_finite, fill
from spikequant.runs.recipe import Recipe, parse_recipe

Json = dict[str, Any]
SHARED_GROUP = 64
"""Candidates that a model evaluates together, when it can share work among them."""


@dataclass(frozen=True)
class Start:
    """What an exploration starts from, read from a run folder once per process."""

    folder: RunFolder
    recipe: Recipe
    parameters: Json
    train: Split
    test: Split
    data_dir: Path | None = None
    device: str = "cpu"

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """The quantities of the run's model."""
        return build_model(self.recipe).quantities

    def model(self, recipe: Recipe, *, filled: bool = True) -> Model:
        """Return a float model of ``recipe``, with the run's parameters unless it is to start from the seed."""
        model = build_model(recipe)
        if filled:
            fill(model, self.parameters, self.folder.float_model)
        return model.to(torch.device(self.device)).eval()


@dataclass(frozen=True)
class RunEvaluator:
    """Evaluates settings on a run folder; a plain value, so that any process that sees the folder can.

    Attributes:
        folder: Of a complete training run.
        data_dir: Where data sets lie.
        test_samples: Use only the first ones.
        weights: Names of the quantities that are weights.
        group_size: How many PTQ settings of equal weights are evaluated together.
        device: Torch device of the models.
    """

    folder: Path
    data_dir: Path | None = None
    test_samples: int | None = None
    weights: tuple[str, ...] = ("w",)
    group_size: int = 1
    device: str = "cpu"

    def start(self) -> Start:
        """Return the run, its float parameters and its data.

        Raises:
            RunError: The run is not complete, or its float model does not belong to its recipe.
            DataError: The data are not there.
        """
        return _start(self.folder, self.data_dir, self.test_samples, self.device, _written(self.folder))

    def group(self, setting: Setting) -> tuple[object, ...]:
        """Return what PTQ settings with the same quantized weights share; an ITQ setting is trained alone."""
        if setting.scheme == Scheme.ITQ and not setting.is_float:
            return (setting.key,)
        return (setting.rounding, *(pair for pair in setting.formats if pair[0] in self.weights))

    def __call__(self, settings: Sequence[Setting]) -> list[Evaluation]:
        """Evaluate settings that are alike in :meth:`group`."""
        started = time.perf_counter()
        start = self.start()
        with exact_torch(threads=1):
            models, notes = zip(*(_quantized(start, setting) for setting in settings), strict=True)
            usable = [model for model in models if model is not None]
            counts = iter(type(usable[0]).right(usable, start.test) if usable else [])
        seconds = (time.perf_counter() - started) / len(settings)
        found = []
        for setting, model, seen in zip(settings, models, notes, strict=True):
            memory = memory_of(setting, start.quantities)
            right = 0 if model is None else next(counts)
            found.append(Evaluation(setting, right, len(start.test), memory.bits, memory.fp32_bits, seconds, seen))
        return found


def run_evaluator(
    folder: Path, data_dir: Path | None = None, test_samples: int | None = None, device: str = "cpu"
) -> RunEvaluator:
    """Return the evaluator of a run: it asks the model which quantities are weights, and whether it shares work.

    Raises:
        RunError: The run is not complete, or its float model does not belong to its recipe.
        DataError: The data are not there.
        UsageError: The run trained no float model, or the model has nothing to explore.
    """
    evaluator = RunEvaluator(folder.absolute(), data_dir and data_dir.absolute(), test_samples, device=device)
    start = evaluator.start()
    if start.recipe.training.float_epochs == 0:
        raise UsageError(f"the run in {folder} trained no float model: its training.float_epochs is 0; train one")
    model = start.model(start.recipe)  # also finds out whether the parameters fit
    weights = tuple(q.name for q in start.quantities if q.part == "quantizer" and q.role == "variable")
    if not any(quantity.role == "variable" for quantity in start.quantities):
        raise UsageError(f"network '{start.recipe.network.name}' has no quantity whose format could be explored")
    shares = type(model).right.__func__ is not Model.right.__func__  # type: ignore[attr-defined]
    size = SHARED_GROUP if shares else 1
    return replace(evaluator, weights=weights, group_size=size)


def apply_setting(
    recipe: Recipe, setting: Setting, quantities: Sequence[Quantity], found: Registry | None = None
) -> Recipe:
    """Return the recipe of a candidate: ``recipe`` with the options that give each quantity its format.

    Raises:
        PluginError: The quantizer or the neuron does not have such a format or rounding.
        UsageError: A quantity is unknown, or nothing takes its format.
    """
    found = found or registry()
    table = recipe.table()
    parts: Mapping[str, type[Quantizer] | type[Neuron]] = {
        "quantizer": found.get("quantizer", recipe.quantizer.name),
        "neuron": found.get("neuron", recipe.neuron.name),
    }
    part_of = {quantity.name: quantity.part for quantity in quantities}
    for name, fmt in setting.formats:
        part = part_of.get(name)
        if not part:
            explorable = ", ".join(q.name for q in quantities if q.part) or "none"
            raise UsageError(f"quantity '{name}' takes no format from a plugin; those that do: {explorable}")
        _merge(table[part], _options(parts[part], name, fmt, setting.rounding))
    changed = parse_recipe(table, f"of candidate '{setting.key}'")
    formats = dict(setting.formats)
    for quantity in quantities:
        if quantity.grid and quantity.name in formats:
            grid = formats.get(quantity.grid) or quantizer_factory(changed)().fmt
            check_grid(quantity, formats[quantity.name], grid)
    return changed


def fingerprint(start: Start) -> Json:
    """Return what a store's evaluations depend on, as plain JSON data."""
    from spikequant import __version__

    data = hashlib.sha256()
    for split in (start.train, start.test):
        if isinstance(split.x, EventFrames):
            data.update(split.x.digest())
        for array in (split.y,) if isinstance(split.x, EventFrames) else (split.x, split.y):
            data.update(f"{array.dtype.str}{array.shape}".encode())
            data.update(np.ascontiguousarray(array).data)
    model = hashlib.sha256(start.folder.float_model.read_bytes()).hexdigest()
    return {
        "version": __version__,
        "recipe": start.recipe.table(),
        "seed": start.recipe.seed,
        "model": model,
        "samples": len(start.test),
        "data": data.hexdigest(),
        **({} if start.device == "cpu" else {"device": start.device}),  # floats differ between devices
    }


@lru_cache(maxsize=1)
def _start(path: Path, data_dir: Path | None, test_samples: int | None, device: str, written: int) -> Start:
    folder = RunFolder(path)
    recipe = folder.recipe()
    folder.result()
    saved = load_checkpoint(folder.float_model)
    folder.check_recipe(saved.get("recipe"), folder.float_model)
    train, test = load_data(recipe, data_dir)
    return Start(folder, recipe, saved, train, test.head(test_samples), data_dir, device)


def _written(path: Path) -> int:
    """Return when the run's result was written, so that a run made anew at the same place is read anew."""
    try:
        return (path / "result.json").stat().st_mtime_ns
    except OSError:
        return 0


def _quantized(start: Start, setting: Setting) -> tuple[Model | None, Json]:
    """Return the candidate's model, and what was seen on the way; no model if its training ran away."""
    if setting.is_float:
        return start.model(start.recipe), {}
    recipe = apply_setting(start.recipe, setting, start.quantities)
    model = start.model(recipe, filled=not (setting.scheme == Scheme.ITQ and setting.scratch))
    model.quantize(quantizer_factory(recipe), ends=recipe.training.ends)
    if setting.scheme == Scheme.PTQ:
        overflows = dict(model.overflows)
        return model, {"overflows": overflows} if overflows else {}
    epochs = recipe.training.epochs or recipe.training.float_epochs
    learner = make_learner(recipe)
    state, metrics = learner.start(model, epochs=epochs, seed=recipe.seed), cast("Mapping[str, float]", {})
    for number in range(epochs):
        try:
            metrics = learner.epoch(model, start.train, state, number, epochs=epochs, seed=recipe.seed)
            check_finite(model, metrics, f"epoch {number + 1}")
        except SpikequantError as error:  # weights that are not finite are refused in many words
            if all(map(math.isfinite, metrics.values())) and _is_finite(model):
                raise
            return None, {"ran_away": one_line(error)}
    return model.eval(), {name: float(value) for name, value in metrics.items()}


def _is_finite(model: Model) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in model.state_dict().values())


def _options(part: type[Quantizer] | type[Neuron], name: str, fmt: Format, rounding: Rounding) -> Json:
    options: Json = part.format_options(name, fmt, rounding)
    return options


def _merge(table: Json, options: Json) -> None:
    """Put ``options`` into ``table``; tables inside are merged, so that each quantity adds its own."""
    for name, value in options.items():
        if isinstance(value, dict) and isinstance(table.get(name), dict):
            _merge(table[name], value)
        else:
            table[name] = value
