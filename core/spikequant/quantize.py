"""Quantize a trained run: a run folder of its own, in chosen formats, from the same float model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikequant.errors import UsageError
from spikequant.explore.evaluate import RunEvaluator, Start, apply_setting
from spikequant.explore.setting import Scheme, Setting
from spikequant.formats import Format
from spikequant.rounding import Rounding
from spikequant.runs import Recipe, RunFolder, Watcher, train
from spikequant.runs.build import check_parts, make_learner
from spikequant.runs.checkpoint import save_checkpoint


def chosen_setting(
    formats: tuple[tuple[str, Format], ...], rounding: Rounding, scheme: Scheme, *, scratch: bool = False
) -> Setting:
    """Return a setting from a user's words.

    Raises:
        UsageError: A quantity is named twice.
    """
    names = [name for name, _ in formats]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"--format is given twice for '{twice}'; give it once")
    return Setting(scheme, rounding, formats, scratch)


def quantize_run(
    run: Path,
    out: RunFolder,
    setting: Setting,
    *,
    epochs: int | None = None,
    data_dir: Path | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Make the run folder ``out``: the float model of ``run`` in the formats of ``setting``.

    PTQ trains no more. ITQ trains on from the float model, or from the seed. The folder is an ordinary run: it
    can be resumed, exported, verified. Quantities that the setting does not name keep the format of the recipe.

    Args:
        run: Folder of a complete run.
        out: Where to make the new one.
        setting: Formats, rounding, scheme.
        epochs: Of ITQ; by default those of the recipe, or as many as it trained floats.
        data_dir: Where data sets lie.
        watcher: Hears of every batch and epoch.

    Returns:
        The result of the new run.

    Raises:
        RunError: ``run`` is not complete, or ``out`` holds a run already.
        UsageError, PluginError: A quantity is unknown or cannot have the format, the formats do not go together,
            or ``epochs`` are given for PTQ.
    """
    start = RunEvaluator(run.absolute(), data_dir and data_dir.absolute()).start()
    recipe = _recipe(start, setting, epochs)
    if setting.scheme == Scheme.ITQ and setting.scratch:
        return train(recipe, out, data_dir=data_dir, watcher=watcher)
    check_parts(recipe, model=start.model(recipe))
    out.make()
    with out.lock():
        out.create(recipe)
        _take_over(start, recipe, out)
    return train(recipe, out, resume=True, data_dir=data_dir, watcher=watcher)


def _recipe(start: Start, setting: Setting, epochs: int | None) -> Recipe:
    """Return the recipe of the new run: the same floats, other formats, and the epochs of the scheme."""
    recipe = apply_setting(start.recipe, setting, start.quantities)
    training = recipe.training
    if setting.scheme == Scheme.PTQ and epochs is not None:
        raise UsageError(f"epochs is {epochs}, and PTQ trains no more; leave it out, or use ITQ")
    wanted = (epochs or training.epochs or training.float_epochs) if setting.scheme == Scheme.ITQ else 0
    floats = 0 if setting.scheme == Scheme.ITQ and setting.scratch else training.float_epochs
    if setting.scheme == Scheme.PTQ and floats == 0:
        raise UsageError(f"the run in {start.folder.path} trained no float model (training.float_epochs is 0); use ITQ")
    changed = training.model_copy(update={"epochs": wanted, "float_epochs": floats})
    return recipe.model_copy(update={"training": changed})


def _take_over(start: Start, recipe: Recipe, out: RunFolder) -> None:
    """Leave a checkpoint at the end of the float phase, as training in ``out`` would have."""
    model, learner = start.model(recipe), make_learner(recipe)
    epochs = recipe.training.float_epochs
    state = learner.start(model, epochs=epochs, seed=recipe.seed).state_dict()
    rows = [row for row in start.folder.metrics() if row.get("phase") == "float"]
    content = {
        "recipe": recipe.table(),
        "phase": "float",
        "done": epochs,
        "model": model.state_dict(),
        "state": state,
        "rows": rows,
        "accuracies": {},
    }
    save_checkpoint(out.checkpoint, content)
