"""The trainable network: weights and neurons in torch, whole numbers forward, lowered to a program."""

from collections.abc import Mapping
from typing import Any

from spikequant.model.model import (
    InputCoding,
    Model,
    NeuronFactory,
    Observation,
    Recording,
    States,
    accuracy,
    as_input,
    at_once,
)
from spikequant.model.spiking_model import SpikingModel
from spikequant.model.weighted_layer import WeightedLayer
from spikequant.program import Program

__all__ = [
    "InputCoding",
    "Model",
    "NeuronFactory",
    "Observation",
    "Recording",
    "SpikingModel",
    "States",
    "WeightedLayer",
    "accuracy",
    "as_input",
    "at_once",
    "lower",
]


def lower(model: Model, *, dt: float | None = None, provenance: Mapping[str, Any] | None = None) -> Program:
    """Return the integer program of a quantized model, see :meth:`Model.lower`."""
    return model.lower(dt=dt, provenance=provenance)
