"""A spiking network in torch that trains in floats or in the integer domain, and lowers to a program.

In the integer domain every value between layers is a whole number carried by a float, exact below 2**24:
the training forward *is* the integer semantics, so that trained accuracy is integer accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from spikequant.errors import UsageError
from spikequant.model.weighted_layer import WeightedLayer
from spikequant.network import (
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    Layer,
    PoolOrLayer,
    PoolSumLayer,
    ReadoutLayer,
)
from spikequant.neuron import Neuron
from spikequant.program import Shape
from spikequant.program.shapes import window_count
from spikequant.quantizer import Quantizer

Precision = Literal["float", "integer"]
NeuronFactory = Callable[[], Neuron]
FLOAT32_BITS = 21
"""Widest potential that float32 layers add to their sums, see ``weighted_layer.py``."""


@dataclass(frozen=True)
class InputCoding:
    """What a model is fed: one array of unsigned integers, shown at every timestep.

    Attributes:
        shape: Of one sample.
        bits: Width of one value.
        peak: Value that counts as real 1.0.
    """

    shape: Shape
    bits: int
    peak: int


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of the model: a layer's description, its node names, and its parts."""

    layer: Layer
    name: str
    shape: Shape
    weights: WeightedLayer | None = None
    neuron: Neuron | None = None
    neuron_name: str = ""


@dataclass(frozen=True, eq=False)
class Recording:
    """What a recorded forward saw, whole numbers as int64: spikes, potentials ``(timesteps, batch, *shape)``
    under neuron names, and the readout ``(timesteps, batch, classes)``."""  # noqa: D205, D209

    spikes: dict[str, Tensor]
    potentials: dict[str, Tensor]
    output: Tensor


class SpikingModel(nn.Module):
    """Layers of weights and neurons over ``timesteps``; the input is repeated at every timestep.

    Args:
        layers: Descriptions; the last is a :class:`ReadoutLayer`.
        neuron: Makes the neurons, one call per layer.
        coding: What the model is fed.
        timesteps: Number of steps T.
    """

    def __init__(self, layers: tuple[Layer, ...], neuron: NeuronFactory, coding: InputCoding, timesteps: int) -> None:
        super().__init__()
        if not layers or not isinstance(layers[-1], ReadoutLayer):
            raise UsageError("the network's last layer must be a readout; add ReadoutLayer(classes)")
        self.coding, self.timesteps = coding, timesteps
        self.precision: Precision = "float"
        self.stages = _stages(layers, neuron, coding)
        self.parts = nn.ModuleDict({s.name: s.weights for s in self.stages if s.weights is not None})
        self.neurons = nn.ModuleDict({s.neuron_name: s.neuron for s in self.stages if s.neuron is not None})

    @property
    def weighted(self) -> tuple[WeightedLayer, ...]:
        """The layers with weights, first to last."""
        return tuple(stage.weights for stage in self.stages if stage.weights is not None)

    def quantize(
        self, quantizer: Callable[[], Quantizer], *, keep_clips: bool = False, ends: Precision = "integer"
    ) -> None:
        """Compute in the integer domain from now on, one quantizer per layer.

        Args:
            quantizer: Makes the quantizers.
            keep_clips: Leave the learnable clips as they are.
            ends: ``float`` leaves the first and the last layer in floats, as MINT's published code has it:
                for comparison only, such a model cannot be recorded, lowered or exported.
        """
        for weights in self.weighted[1:-1] if ends == "float" else self.weighted:
            weights.quantize_with(quantizer(), keep_clip=keep_clips)
        self.precision = "integer"

    def require_integers(self, what: str) -> None:
        """Raise ``UsageError`` unless every layer computes in the integer domain; ``what`` cannot be done else."""
        for stage in self.stages:
            if stage.weights is not None and stage.weights.quantizer is None:
                raise UsageError(
                    f"{what} needs integers, and layer '{stage.name}' computes in floats; quantize() it first"
                )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(batch, classes)``: the readout's mean over timesteps, in real units.

        Args:
            x: Input integers as floats, ``(batch, *shape)``.
        """
        acc, lsb = self._run(x, None)
        return acc.mean(dim=0) * lsb

    @torch.no_grad()
    def record(self, x: Tensor) -> Recording:
        """Run in the integer domain, in evaluation mode, and return every spike, potential and readout value."""
        self.require_integers("record()")
        recording = Recording({}, {}, torch.empty(0))
        with self._evaluating():
            acc, _ = self._run(x, recording)
        return Recording(recording.spikes, recording.potentials, acc.double().cumsum(dim=0).long())

    @torch.no_grad()
    def predict(self, x: Tensor) -> NDArray[np.int64]:
        """Return the class of each sample, in evaluation mode; the lowest index wins a tie."""
        with self._evaluating():
            acc, _ = self._run(x, None)
        classes: NDArray[np.int64] = np.argmax(acc.double().sum(dim=0).cpu().numpy(), axis=-1)
        return classes

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Use BatchNorm's running statistics for a while, and leave them alone."""
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)

    def _run(self, x: Tensor, recording: Recording | None) -> tuple[Tensor, Tensor]:
        """Return the readout's accumulations ``(timesteps, batch, classes)`` and their lsb."""
        steps, batch = 1, len(x)
        for stage in self.stages:
            if stage.weights is None:
                x = _reshaped(stage.layer, x)
                continue
            x, lsb = stage.weights(x)
            x = x.reshape(steps, batch, *x.shape[1:])
            if stage.neuron is None:
                return x.expand(self.timesteps, *x.shape[1:]), lsb
            x = self._fire(stage, x, lsb, recording).flatten(0, 1)
            steps = self.timesteps
        raise UsageError("the network has no readout")

    def _fire(self, stage: Stage, x: Tensor, lsb: Tensor, recording: Recording | None) -> Tensor:
        """Run a layer's neurons over all timesteps; ``x`` is ``(timesteps or 1, batch, *shape)``."""
        neuron = stage.neuron
        if neuron is None:
            raise UsageError(f"layer '{stage.name}' has no neuron")
        lsb = lsb.reshape((1, -1) + (1,) * (x.dim() - 3))
        whole = stage.weights is not None and stage.weights.quantizer is not None
        if whole and neuron.bits > FLOAT32_BITS:
            x, lsb = x.double(), lsb.double()
        if whole and recording is None:
            return neuron.integer_run(x, lsb, self.timesteps)
        u = torch.zeros_like(x[0])
        spikes, potentials = [], []
        for t in range(self.timesteps):
            now = x[t if len(x) > 1 else 0]
            s, u = neuron.integer_step(now, u, lsb) if whole else neuron.float_step(now, u)
            spikes.append(s)
            if recording is not None:
                potentials.append(u)
        fired = torch.stack(spikes)
        if recording is not None:
            recording.spikes[stage.neuron_name] = fired.long()
            recording.potentials[stage.neuron_name] = torch.stack(potentials).long()
        return fired.to(x.dtype)


def as_input(x: NDArray[np.integer], device: torch.device | str = "cpu") -> Tensor:
    """Return integers from a data set as the float tensor that a model takes."""
    return torch.tensor(x, dtype=torch.float32, device=device)


def _reshaped(layer: Layer, x: Tensor) -> Tensor:
    if isinstance(layer, FlattenLayer):
        return x.flatten(1)
    if isinstance(layer, PoolOrLayer):
        return F.max_pool2d(x, layer.kernel)
    if isinstance(layer, PoolSumLayer):
        return F.avg_pool2d(x, layer.kernel, divisor_override=1)
    raise TypeError(f"layer {layer} has no meaning here")


def _stages(layers: tuple[Layer, ...], neuron: NeuronFactory, coding: InputCoding) -> tuple[Stage, ...]:
    """Walk the layers with the shape, scale and peak of the value between them, and name each node."""
    shape, x_scale, peak = coding.shape, 1.0 / coding.peak, (1 << coding.bits) - 1
    seen: dict[str, int] = {}

    def named(kind: str) -> str:
        seen[kind] = seen.get(kind, 0) + 1
        return f"{kind}{seen[kind]}"

    stages = []
    for layer in layers:
        if isinstance(layer, (DenseLayer, ConvLayer)):
            name, weights, shape = _weights(layer, named, shape, x_scale, peak)
            stages.append(Stage(layer, name, shape, weights, neuron(), named("lif")))
            x_scale, peak = 1.0, 1
        elif isinstance(layer, ReadoutLayer):
            dense = DenseLayer(layer.classes)
            name, weights, shape = _weights(dense, named, shape, x_scale, peak)
            stages.append(Stage(layer, name, shape, weights))
        elif isinstance(layer, FlattenLayer):
            shape = (int(np.prod(shape)),)
            stages.append(Stage(layer, named("flatten"), shape))
        else:
            area = layer.kernel**2 if isinstance(layer, PoolSumLayer) else 1
            x_scale, peak = x_scale / area, peak * area
            shape = (shape[0], shape[1] // layer.kernel, shape[2] // layer.kernel)
            stages.append(Stage(layer, named("pool"), shape))
    return tuple(stages)


def _weights(
    layer: DenseLayer | ConvLayer, named: Callable[[str], str], shape: Shape, x_scale: float, peak: int
) -> tuple[str, WeightedLayer, Shape]:
    if isinstance(layer, DenseLayer):
        if len(shape) != 1:
            raise UsageError(f"a dense layer follows a value of shape {shape}; put a FlattenLayer before it")
        weights = WeightedLayer(
            (layer.features, shape[0]), x_scale=x_scale, peak=peak, batch_norm=layer.batch_norm, bias=True
        )
        return named("fc"), weights, (layer.features,)
    if len(shape) != 3:
        raise UsageError(f"a conv layer follows a value of shape {shape}; it needs (channels, height, width)")
    weights = WeightedLayer(
        (layer.channels, shape[0], layer.kernel, layer.kernel),
        x_scale=x_scale,
        peak=peak,
        batch_norm=layer.batch_norm,
        bias=True,
        stride=layer.stride,
        padding=layer.padding,
    )
    height, width = (window_count(size, layer.kernel, layer.stride, layer.padding) for size in shape[1:])
    return named("conv"), weights, (layer.channels, height, width)
