"""Norse: its importer, and networks of its own. Every file is written and read with the dt of the network, 1 ms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import nir
import norse.torch as norse
import numpy as np
import torch
from networks import inputs, weights
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.module.iaf import IAFCell
from norse.torch.module.lif import LIFCell
from norse.torch.module.lif_box import LIFBoxCell
from stepping import Spikes, run_stateful, step, watch
from torch import nn

OURS, DT = 1e-4, 1e-3
"""Seconds of a step of the programs that come to it, and of its own networks."""


def run(path: str, x: np.ndarray, layers: Sequence[str], *, own: bool = False) -> tuple[Spikes, bool]:
    """Import a file and run it."""
    dt = DT if own else OURS
    return run_stateful(lambda: norse.from_nir(nir.read(path), dt=dt), x, layers)


def _box(shape: tuple[int, ...]) -> nn.Module:
    rest = {"v_leak": torch.zeros(shape), "v_reset": torch.zeros(shape)}
    return LIFBoxCell(
        LIFBoxParameters(tau_mem_inv=torch.full(shape, 200.0), v_th=torch.full(shape, 0.25), **rest), dt=DT
    )


def _current(shape: tuple[int, ...]) -> nn.Module:
    rates = {"tau_syn_inv": torch.full(shape, 400.0), "tau_mem_inv": torch.full(shape, 200.0)}
    rest = {"v_leak": torch.zeros(shape), "v_reset": torch.zeros(shape)}
    return LIFCell(LIFParameters(**rates, v_th=torch.full(shape, 0.5), **rest), dt=DT)


def _iaf(shape: tuple[int, ...]) -> nn.Module:
    return IAFCell(IAFParameters(v_th=torch.ones(shape), v_reset=torch.zeros(shape)), dt=DT)


def _dense(neuron: Callable[[tuple[int, ...]], nn.Module], path: Path) -> Spikes:
    return _made([nn.Linear(8, 12), neuron((12,)), nn.Linear(12, 4), neuron((4,))], (8,), path, ["1", "3"])


def _conv(path: Path) -> Spikes:
    layers = [nn.Conv2d(1, 3, 3, padding=1), _box((3, 6, 6)), nn.Conv2d(3, 4, 6), _box((4, 1, 1))]
    return _made(layers, (1, 6, 6), path, ["1", "3"])


def _flatten(path: Path) -> Spikes:
    layers = [nn.Conv2d(1, 3, 3, padding=1), _box((3, 6, 6)), nn.Flatten(), nn.Linear(108, 4), _box((4,))]
    return _made(layers, (1, 6, 6), path, ["1", "4"], batched=True)


def _made(
    modules: Sequence[nn.Module], shape: tuple[int, ...], path: Path, layers: Sequence[str], *, batched: bool = False
) -> Spikes:
    net = norse.SequentialState(*modules)
    weights(net)
    x = inputs(shape)
    graph = norse.to_nir(net, x[0] if batched else x[0, 0], dt=DT)
    if not batched:
        graph.infer_types()  # a Conv2d has no input_shape before, and nir cannot write that
    nir.write(path, graph)
    seen = watch(net, layers)
    step(net, x)
    return {"x": x.numpy()} | {name: torch.stack(values).numpy() for name, values in seen.items()}


NETWORKS: dict[str, Callable[[Path], Spikes]] = {
    "lif_box": partial(_dense, _box),
    "lif_cell": partial(_dense, _current),
    "iaf": partial(_dense, _iaf),
    "conv_lif_box": _conv,
    "flatten": _flatten,
}
