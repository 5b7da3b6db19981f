"""Networks of other people's tools: which importer takes a file, what it makes of it, and a run folder of that."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import h5py

from spikequant.errors import ContractError, NirError, PluginError, SpikequantError, UsageError, one_line
from spikequant.exporter import check_target
from spikequant.files import reason
from spikequant.importer import Imported, ImportedModel, ImportedProgram, Importer, Inspection
from spikequant.model import Model
from spikequant.nir_profile.hdf5 import inspect as check_hdf5
from spikequant.nir_profile.profile import KEY
from spikequant.nir_profile.read_graph import DAMAGE
from spikequant.registry import Registry, registry
from spikequant.runs import Recipe, RunFolder, Watcher, parse_recipe, train
from spikequant.runs.build import build_model, check_parts, make_dataset, make_learner
from spikequant.runs.checkpoint import save_checkpoint
from spikequant.runs.parameters import MISFIT
from spikequant.runs.recipe import apply_changes

Result = TypeVar("Result")


def has_profile(path: Path) -> bool:
    """Return whether a file is a program of our own; false for one that cannot be looked into."""
    try:
        check_hdf5(path)
        with h5py.File(path, "r") as file:
            return file.get(f"node/metadata/{KEY}") is not None
    except (NirError, *DAMAGE):
        return False


def is_claimed(path: Path, found: Registry | None = None) -> bool:
    """Return whether some importer takes a file, as it is there."""
    found = found or registry()
    return path.is_file() and any(_claims(found, offer.name, path) for offer in found.of("importer"))


def find_importer(
    path: Path, options: Mapping[str, Any], name: str | None = None, found: Registry | None = None
) -> Importer:
    """Return the importer that claims a file, made with ``options``.

    Args:
        path: The file.
        options: Of the constructor.
        name: Take this one, whatever claims the file.
        found: Where to look; what is installed by default.

    Raises:
        UsageError: The file is missing, nobody claims it, or several do.
        PluginError: The importer refuses the options.
    """
    found = found or registry()
    if not path.is_file():
        raise UsageError(f"{path}: it is a folder, not a file" if path.is_dir() else f"{path}: there is no such file")
    if name is None:
        claiming = [offer for offer in found.of("importer") if _claims(found, offer.name, path)]
        if not claiming:
            raise UsageError(_nobody(path, found))
        if len(claiming) > 1:
            who = " and by ".join(f"'{offer.name}' ({offer.provider})" for offer in claiming)
            raise UsageError(f"{path} is claimed by importer {who}; choose one with --importer")
        name = claiming[0].name
    return cast("Importer", found.make("importer", name, options))


def inspect_file(importer: Importer, path: Path) -> Inspection:
    """Return what a file holds.

    Raises:
        SpikequantError: It cannot be read.
        PluginError: The importer failed on it.
        ContractError: It returned something else.
    """
    return _asked(importer, importer.inspect, path, Inspection)


def read_file(importer: Importer, path: Path) -> ImportedProgram | ImportedModel:
    """Return the network in a file.

    Raises:
        SpikequantError: It cannot be read.
        PluginError: The importer failed on it.
        ContractError: It returned something else.
    """
    read = _asked(importer, importer.read, path, Imported)
    if not isinstance(read, (ImportedProgram, ImportedModel)):
        raise ContractError(
            f"importer '{importer.name}' returned a {type(read).__name__}; return an ImportedProgram or ImportedModel"
        )
    return read


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
        "neuron": {"name": imported.neuron, **imported.neuron_options},
        "quantizer": {"name": imported.quantizer, **imported.quantizer_options},
        "learner": {"name": wishes.learner or imported.learner},
        "training": {"float_epochs": 1, "epochs": 0},
    }
    if wishes.timesteps is not None:
        table["timesteps"] = wishes.timesteps
    apply_changes(table, wishes.changes)
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


def _claims(found: Registry, name: str, path: Path) -> bool:
    """Return whether an importer claims a file; one that fails here claims nothing."""
    try:
        return bool(cast("Importer", found.make("importer", name, {})).claims(path))
    except Exception:
        return False


def _nobody(path: Path, found: Registry) -> str:
    suffix = f"'{path.suffix}'" if path.suffix else "without a suffix"
    known = (
        ", ".join(f"{offer.name} ({' '.join(getattr(offer.value, 'suffixes', ()))})" for offer in found.of("importer"))
        or "none"
    )
    return f"{path}: no importer takes files {suffix}; installed: {known}; rename it, or choose one with --importer"


def _asked(importer: Importer, method: Callable[[Path], Any], path: Path, wanted: type[Result]) -> Result:
    """Return what a method makes of a file; whatever else it raises is the importer's fault."""
    try:
        answer = method(path)
    except SpikequantError:
        raise
    except Exception as error:
        raise PluginError(
            f"importer '{importer.name}' failed on {path} ({type(error).__name__}: {one_line(error)}); the file may be"
            " damaged; if it is not, report this to who made the importer"
        ) from error
    if not isinstance(answer, wanted):
        raise ContractError(
            f"importer '{importer.name}' returned a {type(answer).__name__} for {path}; it must be {wanted.__name__}"
        )
    return answer
