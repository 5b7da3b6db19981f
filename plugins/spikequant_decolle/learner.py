"""DECOLLE as a plugin: every layer learns at every timestep, from a random readout of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant import Learner, LearnerState, Model, Network, Progress, Split
from spikequant.errors import BackendError, UsageError
from spikequant_decolle.adamax import Adamax
from spikequant_decolle.batches import Batch, as_steps, batches
from spikequant_decolle.initialisation import Start, scale_to_data
from spikequant_decolle.layer_training import LayerTraining, Rule
from spikequant_decolle.model import DecolleModel
from spikequant_decolle.native import NativeOperations
from spikequant_decolle.network import DecolleNetwork
from spikequant_decolle.operations import Operations, TorchOperations
from spikequant_decolle.regularizers import Regularizers
from spikequant_decolle.surrogate import Kind, Surrogate
from spikequant_decolle.tally import Tally


class Decolle(Learner):
    """Deep continuous local learning: no gradient crosses a layer or a timestep.

    At every timestep from the network's ``burn_in`` on, each layer's readout is compared with the label, and the
    layer's weights and thresholds are updated at once. In low precision the forward pass is the quantized model's
    own, and gradients go straight through the rounding to float weights, which are kept within their format.

    Source: Kaiser, Mostafa and Neftci 2020; in low precision Q-SpiNN's in-training quantization.

    Args:
        lr: Learning rate of Adamax.
        betas: Of Adamax.
        lr_drops: Parts of all epochs after which the learning rate falls.
        lr_factor: What it is multiplied with each time.
        batch_size: Recordings per update.
        surrogate: Derivative of a spike: ``boxcar``, ``triangle`` or ``fast-sigmoid``.
        surrogate_width: In the unit of V.
        start_std: Before the first epoch weights are scaled so that the weighted sums of a layer spread so much.
        start_rate: Share of timesteps in which pooled neurons are to fire at first.
        start_samples: Recordings that this is measured on.
        regularize_high: Weight of the term against potentials above the threshold; 0 for none.
        regularize_low: Weight of the term against mean potentials below it; 0 for none.
        crop_steps: Train on so many timesteps from a random start; by default on the sample as it is.
        shift: Largest random shift of training frames in pixels, each direction; 0 for none.
    """

    name: ClassVar[str] = "decolle"
    summary: ClassVar[str] = "local learning at every timestep, one random readout per layer (DECOLLE, Adamax)"
    network: ClassVar[type[Network] | None] = DecolleNetwork

    def __init__(
        self,
        *,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.95),
        lr_drops: Sequence[float] = (0.6, 0.85),
        lr_factor: float = 0.3,
        batch_size: int = 50,
        surrogate: Kind = "fast-sigmoid",
        surrogate_width: float = 0.5,
        start_std: float = 1.0,
        start_rate: float = 0.1,
        start_samples: int = 64,
        regularize_high: float = 0.0,
        regularize_low: float = 0.0,
        crop_steps: int | None = None,
        shift: int = 0,
    ) -> None:
        for option, value in (("lr", lr), ("lr_factor", lr_factor)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"learner 'decolle': {option} is {value}; it must be positive")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"learner 'decolle': betas is {list(betas)}; give two numbers, at least 0 and below 1")
        if not all(0 < part < 1 for part in lr_drops):
            raise ValueError(f"learner 'decolle': lr_drops is {list(lr_drops)}; give parts of all epochs, as 0.6")
        for option, count, least in (
            ("batch_size", batch_size, 1),
            ("start_samples", start_samples, 2),
            ("crop_steps", crop_steps, 1),
            ("shift", shift, 0),
        ):
            if count is not None and count < least:
                raise ValueError(f"learner 'decolle': {option} is {count}; it must be at least {least}")
        try:
            self.rule = Rule(Surrogate(surrogate, surrogate_width), Regularizers(regularize_high, regularize_low))
            self.scaled = Start(start_std, start_rate)
        except ValueError as error:
            raise ValueError(f"learner 'decolle': {error}") from error
        self.lr, self.betas, self.lr_drops, self.lr_factor = lr, tuple(betas), tuple(lr_drops), lr_factor
        self.batch_size, self.start_samples = batch_size, start_samples
        self.crop_steps, self.shift = crop_steps, shift

    def start(self, model: Model, *, epochs: int, seed: int) -> Adamax:
        """Return Adamax, before its first update."""
        network = _network(model)
        steps = self.crop_steps or network.timesteps
        if network.reading.burn_in >= steps:
            raise UsageError(
                f"learner.crop_steps is {steps} and network.burn_in is {network.reading.burn_in}; no timestep is left"
                " to learn from"
            )
        if self.shift and len(network.coding.shape) != 3:
            raise UsageError(
                f"learner.shift is {self.shift}, and frames {network.coding.shape} are no images; set it to 0"
            )
        return Adamax(_parameters(network), self.betas)

    def epoch(
        self,
        model: Model,
        data: Split,
        state: LearnerState,
        number: int,
        *,
        epochs: int,
        seed: int,
        progress: Progress = lambda done, total: None,
    ) -> Mapping[str, float]:
        """Show every recording once, in an order keyed by seed and epoch."""
        network = _network(model)
        if not isinstance(state, Adamax):
            raise TypeError(f"learner 'decolle' was given a {type(state).__name__} as state; it needs its optimizer")
        device = network.layers[0].w.device
        random = np.random.default_rng([seed, number])
        if not bool(network.started):
            first = np.sort(random.permutation(len(data))[: self.start_samples])
            scale_to_data(network, as_steps(data.x[first], device), self.scaled)
            network.started.fill_(True)
        lr = self.lr * self.lr_factor ** sum(number >= part * epochs for part in self.lr_drops)
        tally = Tally(network, device)
        total = math.ceil(len(data) / self.batch_size)
        shown = batches(data, self.batch_size, random, device, crop_steps=self.crop_steps, shift=self.shift)
        with torch.no_grad(), _ChannelsLast(network):
            layers = self._layers(network, state)
            for done, batch in enumerate(shown, 1):
                self._batch(layers, network, batch, lr, tally)
                progress(done, total)
        return tally.metrics(len(data))

    def _batch(
        self, layers: Sequence[LayerTraining], model: DecolleModel, batch: Batch, lr: float, tally: Tally
    ) -> None:
        target = F.one_hot(batch.y, model.reading.classes).float()
        for layer in layers:
            layer.begin(len(batch.y))
        tally.begin()
        for t, s in enumerate(batch.x):
            x = s
            for layer in layers:
                fired = layer.forward(x, t)
                y = layer.read(fired)
                tally.add(layer.index, y)
                if t >= model.reading.burn_in:
                    layer.learn(fired, y, target, lr)
                x = fired.s
        tally.end(batch.y, target)

    def _layers(self, model: DecolleModel, optimizer: Adamax) -> tuple[LayerTraining, ...]:
        chosen = operations(model)
        return tuple(LayerTraining(model, k, self.rule, optimizer, chosen) for k in range(len(model.layers)))


def operations(model: DecolleModel) -> Operations:
    """Return the kernels where they apply: floats on a CPU with a C compiler; the same bits come from torch."""
    if model.precision == "float" and model.layers[0].w.device.type == "cpu":
        try:
            return NativeOperations()
        except BackendError:
            pass
    return TorchOperations()


class _ChannelsLast:
    """Holds the kernels of convolutions with channels last in memory for as long as an epoch lasts."""

    def __init__(self, model: DecolleModel) -> None:
        self._layers = [layer for layer in model.layers if layer.plan.kernel]

    def __enter__(self) -> None:
        self._set(torch.channels_last)

    def __exit__(self, *_: object) -> None:
        self._set(torch.contiguous_format)

    def _set(self, order: torch.memory_format) -> None:
        for layer in self._layers:
            layer.w.data = layer.w.data.contiguous(memory_format=order)


def _parameters(model: DecolleModel) -> dict[str, Tensor]:
    return {f"{name}{k}": getattr(layer, name) for k, layer in enumerate(model.layers) for name in ("w", "v_th")}


def _network(model: Model) -> DecolleModel:
    if not isinstance(model, DecolleModel):
        raise UsageError(
            f"learner 'decolle' trains networks 'decolle-*' only, and was given a {type(model).__name__};"
            " set network.name to 'decolle-conv3', or choose another learner"
        )
    return model
