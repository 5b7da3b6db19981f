"""SpikingJelly: its importer, and networks of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from networks import inputs, weights
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir, import_from_nir
from stepping import Spikes, run_stateful, step, watch
from torch import nn

DT = 1e-4


def run(path: str, x: np.ndarray, layers: Sequence[str], *, own: bool = False) -> tuple[Spikes, bool]:
    """Import a file and run it."""
    return run_stateful(lambda: import_from_nir(path, dt=DT), x, layers)


def _dense(make: Callable[[], nn.Module], path: Path) -> Spikes:
    return _made(nn.Sequential(layer.Linear(8, 12), make(), layer.Linear(12, 4), make()), (8,), path, ["1", "3"])


def _conv(path: Path) -> Spikes:
    net = nn.Sequential(
        layer.Conv2d(1, 3, 3, padding=1),
        neuron.LIFNode(tau=2.0, v_threshold=0.4, v_reset=0.0),
        layer.AvgPool2d(2, 2),
        layer.Flatten(),
        layer.Linear(27, 4),
        neuron.IFNode(v_reset=0.0),
    )
    return _made(net, (1, 6, 6), path, ["1", "5"])


def _made(net: nn.Module, shape: tuple[int, ...], path: Path, layers: Sequence[str]) -> Spikes:
    weights(net)
    x = inputs(shape)
    export_to_nir(net, x[0], str(path), dt=DT)
    functional.reset_net(net)
    seen = watch(net, layers)
    step(net, x, state=False)
    return {"x": x.numpy()} | {name: torch.stack(values).numpy() for name, values in seen.items()}


NETWORKS: dict[str, Callable[[Path], Spikes]] = {
    "lif": partial(_dense, partial(neuron.LIFNode, v_threshold=0.4, tau=2.0, v_reset=0.0)),
    "lif_without_decay_input": partial(
        _dense, partial(neuron.LIFNode, v_threshold=0.4, tau=3.0, decay_input=False, v_reset=0.0)
    ),
    "lif_reset_to_value": partial(_dense, partial(neuron.LIFNode, v_threshold=0.4, tau=2.0, v_reset=-0.2)),
    "lif_soft_reset": partial(_dense, partial(neuron.LIFNode, v_threshold=0.4, tau=2.0, v_reset=None)),
    "parametric_lif": partial(_dense, partial(neuron.ParametricLIFNode, v_threshold=0.4, init_tau=2.5, v_reset=0.0)),
    "if": partial(_dense, partial(neuron.IFNode, v_reset=0.0)),
    "cuba_lif": partial(_dense, partial(neuron.CUBALIFNode, c_decay=0.5, v_decay=0.75, v_reset=0.0)),
    "conv_average_pool": _conv,
}
