"""Sinabs: its importer, and networks of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import nir
import numpy as np
import sinabs.layers as sl
import torch
from networks import SAMPLES, inputs, weights
from sinabs.activation import MembraneReset, SingleSpike
from sinabs.nir import from_nir, to_nir
from stepping import RETURNED, Spikes, watch
from torch import nn


def run(path: str, x: np.ndarray, layers: Sequence[str], *, own: bool = False) -> tuple[Spikes, bool]:
    """Import a file and run it; its layers take all timesteps at once."""
    net = from_nir(nir.read(path), batch_size=x.shape[1])
    return _spikes(net, torch.from_numpy(x), layers), True


def _spikes(net: nn.Module, x: torch.Tensor, layers: Sequence[str]) -> Spikes:
    seen = watch(net, layers)
    with torch.no_grad():
        result = net(x.transpose(0, 1).flatten(0, 1))
    found = {name: values[0] for name, values in seen.items()}
    found[RETURNED] = result[0] if isinstance(result, tuple) else result
    steps, samples = x.shape[:2]
    return {
        name: value.reshape(samples, steps, *value.shape[1:]).transpose(0, 1).numpy() for name, value in found.items()
    }


def _iaf(**rule: object) -> nn.Module:
    return sl.IAFSqueeze(batch_size=SAMPLES, **rule)


def _lif(size: int, **rule: object) -> nn.Module:
    constants = {"tau_mem": torch.full((size,), 4.0), "spike_threshold": torch.full((size,), 0.5)}
    return sl.LIFSqueeze(batch_size=SAMPLES, **constants, **rule)


def _dense(make: Callable[..., nn.Module], path: Path, *, sized: bool = False) -> Spikes:
    first, second = (make(12), make(4)) if sized else (make(), make())
    return _made(nn.Sequential(nn.Linear(8, 12), first, nn.Linear(12, 4), second), (8,), path, ["1", "3"])


def _conv(path: Path) -> Spikes:
    front = [nn.Conv2d(1, 3, 3, padding=1), _iaf(min_v_mem=-1.0), sl.SumPool2d(2)]
    return _made(nn.Sequential(*front, nn.Conv2d(3, 4, 3), _iaf(min_v_mem=-1.0)), (1, 6, 6), path, ["1", "4"])


def _flatten(path: Path) -> Spikes:
    front = [nn.Conv2d(1, 3, 3, padding=1), _iaf(min_v_mem=-1.0), nn.Flatten()]
    return _made(nn.Sequential(*front, nn.Linear(108, 4), _iaf(min_v_mem=-1.0)), (1, 6, 6), path, ["1", "4"])


def _made(net: nn.Module, shape: tuple[int, ...], path: Path, layers: Sequence[str]) -> Spikes:
    weights(net)
    x = inputs(shape)
    graph = to_nir(net, x.transpose(0, 1).flatten(0, 1))
    graph.infer_types()
    nir.write(path, graph)
    for module in net.modules():
        if hasattr(module, "reset_states"):
            module.reset_states()
    return {"x": x.numpy()} | {name: spikes for name, spikes in _spikes(net, x, layers).items() if name != RETURNED}


NETWORKS: dict[str, Callable[[Path], Spikes]] = {
    "iaf": partial(_dense, _iaf),
    "iaf_with_floor": partial(_dense, partial(_iaf, min_v_mem=-1.0)),
    "iaf_single_spike_zero": partial(_dense, partial(_iaf, spike_fn=SingleSpike, reset_fn=MembraneReset())),
    "lif": partial(_dense, _lif, sized=True),
    "lif_norm_input_off": partial(_dense, partial(_lif, norm_input=False), sized=True),
    "conv_sum_pool": _conv,
    "flatten": _flatten,
}
