"""Training runs: recipes, run folders, checkpoints, and the loop that can be stopped and resumed."""

from spikequant.runs.build import build_model, load_data, make_dataset
from spikequant.runs.folder import RunFolder
from spikequant.runs.recipe import Recipe, parse_recipe, read_recipe
from spikequant.runs.train import Watcher, load_model, train

__all__ = [
    "Recipe",
    "RunFolder",
    "Watcher",
    "build_model",
    "load_data",
    "load_model",
    "make_dataset",
    "parse_recipe",
    "read_recipe",
    "train",
]
