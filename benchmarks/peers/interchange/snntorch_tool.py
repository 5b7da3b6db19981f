"""snnTorch: its importer, and networks of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import nir
import numpy as np
import snntorch as snn
import torch
from networks import SAMPLES, inputs, weights
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir
from stepping import Spikes, run_stateful, step, watch
from torch import nn


def run(path: str, x: np.ndarray, layers: Sequence[str], *, own: bool = False) -> tuple[Spikes, bool]:
    """Import a file and run it."""
    return run_stateful(lambda: import_from_nir(nir.read(path)), x, layers)


def _leaky(size: int, **rule: object) -> nn.Module:
    return snn.Leaky(beta=torch.full((size,), 0.8), threshold=torch.ones(size), init_hidden=True, **rule)


def _synaptic(size: int, **rule: object) -> nn.Module:
    decays = {"alpha": torch.full((size,), 0.6), "beta": torch.full((size,), 0.8)}
    return snn.Synaptic(**decays, threshold=torch.ones(size), init_hidden=True, **rule)


def _recurrent(kind: type[nn.Module], size: int, **rule: object) -> nn.Module:
    decays = {"alpha": 0.6, "beta": 0.8} if kind is snn.RSynaptic else {"beta": 0.8}
    neuron = kind(**decays, linear_features=size, **({"init_hidden": True} | rule))
    with torch.no_grad():
        neuron.recurrent.weight.copy_(torch.randn(size, size, generator=torch.Generator().manual_seed(3)) * 0.3)
    return neuron


def _dense(neuron: Callable[[int], nn.Module], path: Path) -> Spikes:
    net = nn.Sequential(nn.Linear(8, 12), neuron(12), nn.Linear(12, 4), neuron(4))
    return _made(net, (8,), path, ["1", "3"])


class _WithStates(nn.Module):
    """A recurrent layer whose states are handed over: RSynaptic(init_hidden=True) fails in its first step."""

    def __init__(self, **rule: object) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), _recurrent(snn.RSynaptic, 12, init_hidden=False, **rule)
        self.fc2, self.lif2 = nn.Linear(12, 4), _synaptic(4, **rule)
        self.reset_mem()

    def reset_mem(self) -> None:
        self.state = [torch.zeros(SAMPLES, 12) for _ in range(3)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.state = self.lif1(self.fc1(x), *self.state)
        return self.lif2(self.fc2(self.state[0]))


def _conv(path: Path) -> Spikes:
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        snn.Leaky(beta=torch.full((3, 6, 6), 0.8), threshold=torch.ones(3, 6, 6), init_hidden=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(27, 4),
        _leaky(4),
    )
    return _made(net, (1, 6, 6), path, ["1", "5"])


def _made(net: nn.Module, shape: tuple[int, ...], path: Path, layers: Sequence[str]) -> Spikes:
    weights(net)
    x = inputs(shape)
    nir.write(path, export_to_nir(net, x[0], ignore_dims=[0]))
    for module in net.modules():
        if hasattr(module, "reset_mem"):
            module.reset_mem()
    seen = watch(net, layers)
    step(net, x, state=False)
    return {"x": x.numpy()} | {name: torch.stack(values).numpy() for name, values in seen.items()}


_ZERO, _SUBTRACT = {"reset_mechanism": "zero"}, {"reset_mechanism": "subtract"}
_NOW = {"reset_delay": False}

NETWORKS: dict[str, Callable[[Path], Spikes]] = {
    "leaky_subtract": partial(_dense, partial(_leaky, **_SUBTRACT)),
    "leaky_zero": partial(_dense, partial(_leaky, **_ZERO)),
    "leaky_subtract_now": partial(_dense, partial(_leaky, **_SUBTRACT, **_NOW)),
    "leaky_zero_now": partial(_dense, partial(_leaky, **_ZERO, **_NOW)),
    "synaptic_subtract": partial(_dense, partial(_synaptic, **_SUBTRACT)),
    "synaptic_zero": partial(_dense, partial(_synaptic, **_ZERO)),
    "synaptic_zero_now": partial(_dense, partial(_synaptic, **_ZERO, **_NOW)),
    "recurrent_leaky_subtract": partial(_dense, partial(_recurrent, snn.RLeaky, **_SUBTRACT)),
    "recurrent_leaky_zero": partial(_dense, partial(_recurrent, snn.RLeaky, **_ZERO)),
    "recurrent_leaky_zero_now": partial(_dense, partial(_recurrent, snn.RLeaky, **_ZERO, **_NOW)),
    "recurrent_synaptic_subtract": lambda path: _made(_WithStates(**_SUBTRACT), (8,), path, ["lif1", "lif2"]),
    "recurrent_synaptic_zero": lambda path: _made(_WithStates(**_ZERO), (8,), path, ["lif1", "lif2"]),
    "conv_average_pool": _conv,
}
