"""A run folder of an imported model in floats, as if it had been trained here."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikequant.errors import ContractError, UsageError, one_line
from spikequant.exporter import check_target
from spikequant.files import reason
from spikequant.importer import ImportedModel
from spikequant.model import Model
from spikequant.registry import Registry
from spikequant.runs import Recipe, RunFolder, Watcher, parse_recipe, train
from spikequant.runs.build import build_model, check_parts, make_dataset, make_learner
from spikequant.runs.checkpoint import save_checkpoint
from spikequant.runs.parameters import MISFIT
from spikequant.runs.recipe import apply_changes


@dataclass(frozen=True)
class Wishes:
    """What a user says about the run folder of a float model.

    Attributes:
        data: Name of the data set; the one in ``changes`` for ``None``.
        timesteps: By default as many as a sample of the data set has frames.
        learner: By default the one that the importer names.
        changes: Of the recipe, such as ``quantizer.bits=4``.
    """

    data: str | None = None
    timesteps: int | None = None
    learner: str | None = None
    changes: Sequence[str] = ()


def recipe_of(imported: ImportedModel, wishes: Wishes, source: str, found: Registry | None = None) -> Recipe:
    """Return the recipe of an imported model's run folder: nothing is trained unless a wish says so.

    Raises:
        UsageError: There is no data set or number of timesteps, or the recipe is not sound; ``source`` names it.
        PluginError: The data set is not installed.
    """
    table: dict[str, Any] = {
        "data": {} if wishes.data is None else {"name": wishes.data},
        "network": {"name": imported.network, **imported.network_options},
        "neuron": {"name": imported.neuron},
        "quantizer": {"name": imported.quantizer},
        "learner": {"name": wishes.learner or imported.learner},
        "training": {"float_epochs": 1, "epochs": 0},
    }
    if wishes.timesteps is not None:
        table["timesteps"] = wishes.timesteps
    apply_changes(table, wishes.changes)
    # The importer's options are for the plugins that it names; another one that a wish names may not know them.
    _add_options(table, "neuron", imported.neuron, imported.neuron_options)
    _add_options(table, "quantizer", imported.quantizer, imported.quantizer_options)
    data = table["data"]
    if not isinstance(data, dict) or "name" not in data:
        raise UsageError(
            f"{source} is a model in floats, which is calibrated and tested on data; name a set with --data"
        )
    if "timesteps" not in table:
        table["timesteps"] = _timesteps(data, found)
    recipe = parse_recipe(table, f"of {source}")
    if recipe.training.float_epochs == 0:
        raise UsageError(
            "training.float_epochs is 0; the import counts as the first epoch in floats, so give 1 or more"
        )
    return recipe


def float_model(imported: ImportedModel, recipe: Recipe, found: Registry | None = None) -> Model:
    """Return the model of ``recipe`` with the imported parameters, in evaluation mode.

    Raises:
        UsageError, PluginError: See :func:`~spikequant.runs.build.build_model`.
        ContractError: The parameters are not those of the network.
    """
    model = build_model(recipe, found)
    try:
        model.load_state_dict(dict(imported.parameters))
    except MISFIT as error:
        raise ContractError(
            f"the importer's parameters do not fit network '{imported.network}' with its options: {one_line(error)}"
        ) from error
    return model.eval()


def import_run(
    imported: ImportedModel,
    recipe: Recipe,
    target: Path,
    *,
    source: str,
    data_dir: Path | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Make a complete run folder at ``target``, which appears whole or not at all.

    It is what training would have left, had it ended with the imported parameters after its float epochs.

    Args:
        imported: The model.
        recipe: From :func:`recipe_of`.
        target: Missing, or an empty folder.
        source: Name of the file, for the row of metrics.
        data_dir: Where data sets lie.
        watcher: Hears of batches and epochs, where a recipe has some.

    Returns:
        The result of the run: float accuracy, and the accuracy in the recipe's formats.

    Raises:
        UsageError, PluginError, DataError: See :func:`~spikequant.runs.train`.
    """
    check_parts(recipe, model=float_model(imported, recipe))
    check_target(target)
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name}-") as scratch:
            inside = RunFolder(Path(scratch) / "run")  # the scratch folder itself is private to us (mode 700)
            inside.make()
            inside.create(recipe)
            _leave_checkpoint(imported, recipe, inside, source)
            result = train(recipe, inside, resume=True, data_dir=data_dir, watcher=watcher)
            if target.exists():
                target.rmdir()
            inside.path.replace(target)
    except OSError as error:
        raise UsageError(f"folder {target} cannot be written: {reason(error)}; give another with --out") from error
    return result


def _leave_checkpoint(imported: ImportedModel, recipe: Recipe, folder: RunFolder, source: str) -> None:
    """Write a checkpoint as after the first epoch in floats: the import counts as that."""
    model, epochs = float_model(imported, recipe), recipe.training.float_epochs
    state = make_learner(recipe).start(model, epochs=epochs, seed=recipe.seed).state_dict()
    content = {
        "recipe": recipe.table(),
        "phase": "float",
        "done": 1,
        "model": model.state_dict(),
        "state": state,
        "rows": [{"phase": "float", "epoch": 1, "imported": source}],
        "accuracies": {},
    }
    save_checkpoint(folder.checkpoint, content)


def _add_options(table: dict[str, Any], part: str, name: str, options: Mapping[str, Any]) -> None:
    """Put an importer's options into a table of the recipe that still names its plugin; those already there stay."""
    if isinstance(table[part], dict) and table[part].get("name") == name:
        table[part] = {"name": name, **options, **table[part]}


def _timesteps(data: Mapping[str, Any], found: Registry | None) -> int:
    """Return how many frames a sample of a data set has by default."""
    options = {key: value for key, value in data.items() if key not in ("name", "train_samples", "test_samples")}
    dataset = make_dataset(str(data["name"]), found, options)
    steps = getattr(dataset, "timesteps", None) if dataset.frames else None
    if not isinstance(steps, int):
        raise UsageError(
            f"data set '{data['name']}' does not say how many timesteps a sample has; give a number with --timesteps"
        )
    return steps
