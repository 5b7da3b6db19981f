"""From a recipe to the parts it names: data, model, quantizer, learner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch

from spikequant.data_folders import data_folders
from spikequant.dataset import Dataset, Split
from spikequant.errors import UsageError, one_line
from spikequant.learner import Learner
from spikequant.model import InputCoding, Model
from spikequant.network import Network
from spikequant.neuron import Neuron
from spikequant.quantizer import Quantizer
from spikequant.registry import Registry, registry
from spikequant.runs.recipe import Recipe


def load_data(recipe: Recipe, data_dir: Path | None, found: Registry | None = None) -> tuple[Split, Split]:
    """Return the recipe's training and test samples."""
    dataset = recipe_dataset(recipe, found)
    folders = data_folders(data_dir)
    train = dataset.load("train", folders).head(recipe.data.train_samples)
    return train, dataset.load("test", folders).head(recipe.data.test_samples)


def recipe_dataset(recipe: Recipe, found: Registry | None = None) -> Dataset:
    """Return the recipe's data set, its options given and its samples as long as the recipe's timesteps."""
    return make_dataset(recipe.data.name, found, recipe.data.options, recipe.timesteps)


def make_dataset(
    name: str,
    found: Registry | None = None,
    options: Mapping[str, Any] | None = None,
    timesteps: int | None = None,
) -> Dataset:
    """Return the data set under ``name``.

    Args:
        name: As registered.
        found: Where to look; what is installed by default.
        options: Of the ``[data]`` table.
        timesteps: Number of frames of a sample, for a set whose samples are frames; its own default for ``None``.

    Raises:
        PluginError: It is not installed, or refuses its options.
    """
    found, given = found or registry(), dict(options or {})
    if found.get("dataset", name).frames:
        if "timesteps" in given:
            raise UsageError(
                f"data set '{name}': option 'timesteps' is the recipe's own key; leave it out of the data table"
            )
        given |= {} if timesteps is None else {"timesteps": timesteps}
    return cast("Dataset", found.make("dataset", name, given))


def build_model(recipe: Recipe, found: Registry | None = None) -> Model:
    """Return the recipe's model with weights drawn from its seed, computing in floats.

    Raises:
        UsageError: It is too large for this machine's memory.
    """
    found = found or registry()
    dataset = recipe_dataset(recipe, found)
    network = cast("Network", found.make("network", recipe.network.name, recipe.network.options))
    coding = InputCoding(dataset.shape, dataset.bits, dataset.peak, dataset.frame_s)
    kind = cast("type[Neuron]", found.get("neuron", recipe.neuron.name))
    options = {**kind.options_beside(quantizer_factory(recipe, found)()), **recipe.neuron.options}

    def neuron() -> Neuron:
        return cast("Neuron", found.make("neuron", recipe.neuron.name, options))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        try:
            return network.model(neuron, coding, dataset.classes, recipe.timesteps, seed=recipe.seed)
        except (MemoryError, RuntimeError) as error:  # torch's word for a full memory is RuntimeError
            raise UsageError(
                f"network '{recipe.network.name}' cannot be built: {one_line(error)}; make it smaller"
            ) from error


def check_parts(recipe: Recipe, found: Registry | None = None, *, model: Model | None = None) -> None:
    """Raise, before anything is trained or written, unless the recipe's parts go together.

    A model of the recipe is quantized as it will be after its float epochs, and given to the learner.

    Args:
        recipe: What is to be trained.
        found: Where to look; what is installed by default.
        model: One of the recipe in floats, to be used up, where its parameters are known: formats may depend on
            them. By default one is drawn from the seed.

    Raises:
        UsageError: The learner does not train this network, or the model does not take the formats.
        PluginError: A part is not installed or refuses its options.
    """
    found = found or registry()
    learner = make_learner(recipe, found)
    kind = found.get("network", recipe.network.name)
    if learner.network is not None and not issubclass(kind, learner.network):
        # The class may be a base of several networks, which has no name of its own.
        names = [offer.name for offer in found.of("network") if issubclass(offer.value, learner.network)]
        wanted = " or ".join(f"'{name}'" for name in names) or f"of class {learner.network.__name__}"
        raise UsageError(
            f"learner '{learner.name}' trains network {wanted} only, and was given '{recipe.network.name}';"
            f" set network.name to {wanted}, or choose another learner"
        )
    model = model or build_model(recipe, found)
    model.quantize(quantizer_factory(recipe, found), ends=recipe.training.ends)
    learner.start(model, epochs=recipe.training.epochs, seed=recipe.seed)


def quantizer_factory(recipe: Recipe, found: Registry | None = None) -> Callable[[], Quantizer]:
    """Return what makes the recipe's quantizer, one call per layer."""
    source = found or registry()
    return lambda: cast("Quantizer", source.make("quantizer", recipe.quantizer.name, recipe.quantizer.options))


def make_learner(recipe: Recipe, found: Registry | None = None) -> Learner:
    """Return the recipe's learner."""
    return cast("Learner", (found or registry()).make("learner", recipe.learner.name, recipe.learner.options))
