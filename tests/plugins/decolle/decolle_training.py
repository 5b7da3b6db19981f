"""What the learner's tests share: tiny tasks, and layers in training without an epoch around them."""

import numpy as np
import torch

from spikequant import Split
from spikequant_decolle.adamax import Adamax
from spikequant_decolle.layer_training import LayerTraining, Rule
from spikequant_decolle.operations import TorchOperations
from spikequant_decolle.regularizers import Regularizers
from spikequant_decolle.surrogate import Surrogate

RULE = Rule(Surrogate(), Regularizers())


def layers_of(model, operations=None, rule=RULE, optimizer=None):
    """Return each layer in training; they share an optimizer."""
    optimizer = optimizer or Adamax(named(model), (0.0, 0.95))
    return [LayerTraining(model, k, rule, optimizer, operations or TorchOperations()) for k in range(len(model.layers))]


def named(model):
    return {f"{name}{k}": getattr(layer, name) for k, layer in enumerate(model.layers) for name in ("w", "v_th")}


def parameters(model):
    return [getattr(layer, name).detach().clone() for layer in model.layers for name in ("w", "v_th")]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(parameters(a), parameters(b), strict=True))


def task(shape, timesteps, classes, samples=60, seed=0):
    """Recordings whose class is a part of the frame that fires often."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, samples)
    size = int(np.prod(shape))
    part = np.arange(size) * classes // size
    often = np.where(part[None] == y[:, None], 0.5, 0.05)
    x = random.random((samples, timesteps, size)) < often[:, None]
    return Split(x.reshape(samples, timesteps, *shape).astype(np.uint8), y.astype(np.int64))
