"""Programs of the CIFAR-10 networks after a short training, for tests of what runs them: their accuracy means nothing.

A model is trained for a few steps in floats, quantized, trained as many steps in the integer domain, and its
BatchNorm is then given the statistics of the training images, so that every layer fires and none fires always.
All is decided by the seed: equal arguments give equal programs on one machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from spikequant.model import InputCoding, SpikingModel, as_input, lower
from spikequant.program import Program
from spikequant.registry import registry
from spikequant.runs.build import make_dataset

TIMESTEPS = 4
DATA = Path(os.environ.get("SPIKEQUANT_DATA") or Path(__file__).parents[4] / "shared" / "data")
"""Where the real data sets are: the folder of SPIKEQUANT_DATA, or the one beside this checkout."""
START = -0.25
"""BatchNorm's offset before training: without it, the sums of the residual blocks fire ever more with depth."""


def cifar_program(
    network: str,
    bits: int,
    *,
    width: int | None = None,
    steps: int = 1,
    batch: int = 4,
    images: int = 2,
    seed: int = 0,
    neuron: Mapping[str, Any] | None = None,
) -> tuple[Program, NDArray[np.int64]]:
    """Return a program with ``bits`` for weights and potentials, and test images to run it on.

    Args:
        network: ``vgg9``, ``vgg16``, ``resnet19`` or another network for 32x32 colour images.
        bits: n of WnUn.
        width: Channels of the network's first block; its own default for ``None``.
        steps: Updates of Adam in floats, and as many again in the integer domain.
        batch: Images per update; also those that BatchNorm's statistics come from.
        images: How many test images to return, the first of the official order; training takes others.
        seed: Of weights and order.
        neuron: Further options of ``mint-lif``.

    Returns:
        The program and uint8 values as int64 ``(images, 3, 32, 32)``.

    Raises:
        DataError: CIFAR-10's test images are missing.
    """
    dataset, found = make_dataset("cifar10"), registry()
    test = dataset.load("test", (DATA,))
    made = found.make("network", network, {} if width is None else {"width": width})
    coding = InputCoding(dataset.shape, dataset.bits, dataset.peak)
    options = {"bits": bits, **(neuron or {})}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = made.model(
            lambda: found.make("neuron", "mint-lif", options), coding, dataset.classes, TIMESTEPS, seed=seed
        )
    order = np.random.default_rng(seed).permutation(np.arange(images, len(test)))
    used = order[: max(steps, 1) * batch]
    x, y = as_input(test.x[used]), torch.from_numpy(test.y[used])
    _start_low(model)
    _update(model, x, y, steps, batch)
    model.quantize(lambda: found.make("quantizer", "mint", {"bits": bits}))
    _update(model, x, y, steps, batch)
    _settle(model, x[:batch])
    return lower(model), test.x[:images].astype(np.int64)


def rates(spikes: Mapping[str, NDArray[np.uint8]]) -> dict[str, float]:
    """Return the fraction of neurons and steps that fired, for each entry of a trace's ``spikes``."""
    return {name: float(fired.mean()) for name, fired in spikes.items()}


@torch.no_grad()
def _start_low(model: SpikingModel) -> None:
    for part in model.weighted:
        if part.batch_norm:
            part.beta.fill_(START)


def _update(model: SpikingModel, x: torch.Tensor, y: torch.Tensor, steps: int, batch: int) -> None:
    """Take ``steps`` steps of Adam."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(steps):
        chosen = slice(step * batch, (step + 1) * batch)
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()


@torch.no_grad()
def _settle(model: SpikingModel, x: torch.Tensor) -> None:
    """Give BatchNorm the statistics of ``x`` in the integer domain."""
    before = [part.momentum for part in model.weighted]
    for part in model.weighted:
        part.momentum = 1.0
    model.train()
    model(x)
    for part, momentum in zip(model.weighted, before, strict=True):
        part.momentum = momentum
