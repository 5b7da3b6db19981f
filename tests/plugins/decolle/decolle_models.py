"""DECOLLE models for tests: small, with formats given as text, thresholds spread so that some neurons fire."""

import torch

from spikequant import InputCoding
from spikequant.registry import registry
from spikequant_decolle.network import DecolleConv3, DecolleMlp
from spikequant_decolle.neuron import DecolleNeuron

SHAPE, CLASSES, TIMESTEPS = (2, 9, 9), 5, 20


def conv(**options):
    return DecolleConv3(**{"channels": (4, 6), "kernel": 3, "pools": (2, 1), "burn_in": 5, **options})


def mlp(**options):
    return DecolleMlp(**{"features": (20, 15), "burn_in": 3, **options})


def float_model(network, seed=0, **neuron):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell = DecolleNeuron(**{"alpha": 0.9, "beta": 0.8, **neuron})
        model = network.model(lambda: cell, InputCoding(SHAPE, 3, 1, 1e-3), CLASSES, TIMESTEPS, seed=seed)
        for layer in model.layers:
            layer.v_th.uniform_(-0.05, 0.1)
    return model


def quantized(network, w, rounding="RN", seed=0, **neuron):
    model = float_model(network, seed, rounding=rounding, **neuron)
    model.quantize(lambda: registry().make("quantizer", "qif", {"format": w, "rounding": rounding}))
    return model


def counts(batch=3, seed=0):
    """Event counts 0..7 of ``(batch, timesteps, *SHAPE)``, most of them 0."""
    draw = torch.Generator().manual_seed(seed)
    few = (torch.rand((batch, TIMESTEPS, *SHAPE), generator=draw) * 1.3).floor()
    many = torch.rand((batch, TIMESTEPS, *SHAPE), generator=draw) < 0.05
    return few + many * 5
