"""A model's parameters: taken from a checkpoint that must fit, and checked to be finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spikequant.errors import RunError, one_line
from spikequant.model import Model

Json = dict[str, Any]


def check_finite(model: Model, metrics: Mapping[str, Any], when: str) -> None:
    """Raise unless every metric and every parameter is a finite number.

    Raises:
        RunError: One is not; training has run away and cannot be mended by more epochs.
    """
    advice = "lower learner.lr, or raise the neurons' thresholds; nothing of this epoch was kept"
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise RunError(f"{when}: {name} is {float(value)}; {advice}")
    for name, tensor in model.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise RunError(f"{when}: parameter '{name}' is not finite; {advice}")


MISFIT = (LookupError, RuntimeError, TypeError, ValueError, AttributeError)
"""What torch raises over a state of another form."""


def fill(model: Model, saved: Json, path: Path) -> None:
    """Give ``model`` the parameters that the checkpoint ``path`` holds under ``model``.

    Raises:
        RunError: They do not fit; the message names the first that does not.
    """
    try:
        model.load_state_dict(saved["model"])
    except MISFIT as error:
        raise foreign(path, _misfit(model, saved.get("model"))) from error


def _misfit(model: Model, found: object) -> str:
    """Say in which parameter a checkpoint does not fit ``model``."""
    if not isinstance(found, dict):
        return "it holds no parameters"
    wanted = model.state_dict()
    for name in [*wanted, *found]:
        if name not in found or name not in wanted:
            return f"parameter '{one_line(name)}' is {'missing' if name in wanted else 'unknown'}"
        shapes = tuple(getattr(found[name], "shape", ())), tuple(wanted[name].shape)
        if shapes[0] != shapes[1]:
            return f"parameter '{one_line(name)}' has shape {shapes[0]}, and the recipe needs {shapes[1]}"
    return "its parameters do not fit"


def foreign(path: Path, why: str) -> RunError:
    """Return the error for a checkpoint that does not fit, ``why`` saying in what."""
    return RunError(f"checkpoint {path} does not belong to this recipe: {why}; train in another folder")
