"""Small U-SNNs on real digits, shared by the tests of the plugin."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from spikequant.dataset import Split
from spikequant.runs import parse_recipe
from spikequant.runs.build import build_model, load_data, quantizer_factory
from spikequant.runs.recipe import Recipe
from spikequant_stdp.learner import Stdp
from spikequant_stdp.model import UsnnModel

FORMATS = {"V": "Q11.8", "Vth": "Q11.8"}
CONDUCTANCE = {"synapse": "conductance", "tau_g_ms": 5.0}
SEED = 5


def recipe(**changes: dict[str, Any]) -> Recipe:
    """Return the recipe of a net of 24 neurons, 50 steps; ``changes`` are merged into its tables."""
    table: dict[str, Any] = {
        "seed": SEED,
        "timesteps": 50,
        "data": {"name": "digits", "train_samples": 80, "test_samples": 60},
        "network": {"name": "diehl-cook", "neurons": 24, "norm": 8.0, "rate_hz": 250.0, "engine": "torch"},
        "neuron": {"name": "diehl-cook", **FORMATS},
        "quantizer": {"name": "qif", "format": "Q1.8"},
        "learner": {"name": "stdp"},
        "training": {"float_epochs": 1, "epochs": 0},
    }
    for name, change in changes.items():
        table[name] = {**table[name], **change} if isinstance(change, dict) else change
    return parse_recipe(table, "test")


@cache
def digits() -> tuple[Split, Split]:
    """Return the samples of :func:`recipe`."""
    return load_data(recipe(), None)


@cache
def _learned(conductance: bool) -> dict[str, torch.Tensor]:
    chosen = recipe(neuron=CONDUCTANCE if conductance else {})
    model, learner = build_model(chosen), Stdp(label_samples=60)
    learner.epoch(model, digits()[0], learner.start(model, epochs=1, seed=SEED), 0, epochs=1, seed=SEED)
    return model.state_dict()


def untrained(**changes: dict[str, Any]) -> UsnnModel:
    """Return the float model of a recipe as it starts."""
    model = build_model(recipe(**changes))
    assert isinstance(model, UsnnModel)
    return model


def floats(**changes: dict[str, Any]) -> UsnnModel:
    """Return the float model of a recipe, trained for one epoch in floats."""
    model = untrained(**changes)
    model.load_state_dict(_learned(model.constants.synapse == "conductance"))
    return model


def quantized(**changes: dict[str, Any]) -> UsnnModel:
    """Return the trained model in the formats of a recipe."""
    model = floats(**changes)
    model.quantize(quantizer_factory(recipe(**changes)))
    return model
