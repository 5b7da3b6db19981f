"""A spiking network in torch that trains in floats or in the integer domain, and lowers to a program.

In the integer domain every value between layers is a whole number carried by a float, exact below 2**24:
the training forward *is* the integer semantics, so that trained accuracy is integer accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from spikequant.errors import UsageError
from spikequant.layers import FlattenLayer, Layer, PoolOrLayer, PoolSumLayer, ReadoutLayer
from spikequant.model.lower import lower_stages
from spikequant.model.model import InputCoding, Model, NeuronFactory, Observation, Precision, Recording, States
from spikequant.model.stages import FLOAT32_BITS, Stage, make_stages
from spikequant.model.weighted_layer import WeightedLayer
from spikequant.program import Program
from spikequant.quantity import Quantity
from spikequant.quantizer import Quantizer

HISTOGRAM_VALUES = 100_000
POTENTIALS = "stored membrane potentials; 1 is an input of 1 through a weight of 1"


class SpikingModel(Model):
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
        coding.check_still()
        self.coding, self.timesteps = coding, timesteps
        self.stages = make_stages(layers, neuron, coding)
        self.parts = nn.ModuleDict({s.name: s.weights for s in self.stages if s.weights is not None})
        self.neurons = nn.ModuleDict({s.neuron_name: s.neuron for s in self.stages if s.neuron is not None})

    @property
    def weighted(self) -> tuple[WeightedLayer, ...]:
        """The layers with weights, first to last."""
        return tuple(stage.weights for stage in self.stages if stage.weights is not None)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The weights ``w`` and the stored potentials ``U`` of all layers."""
        weights = sum(part.weight.numel() for part in self.weighted)
        neurons = sum(int(np.prod(stage.shape)) for stage in self.stages if stage.neuron is not None)
        return (
            Quantity("w", "variable", weights, "quantizer", description="weights of all layers"),
            Quantity("U", "variable", neurons, "neuron", description=POTENTIALS, grid="w"),
        )

    @property
    def overflows(self) -> Mapping[str, int]:
        """How many weights lie beyond the codes of their layers."""
        whole = [part for part in self.weighted if part.quantizer is not None]
        return {"w": sum(part.overflows() for part in whole)} if whole else {}

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
                step = "quantize() it first" if self.precision == "float" else "choose another format, or integer ends"
                raise UsageError(f"{what} needs integers, and layer '{stage.name}' computes in floats; {step}")

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
        spikes = {name: value.long() for name, value in recording.spikes.items()}
        potentials = {name: value.long() for name, value in recording.potentials.items()}
        return Recording(spikes, potentials, acc.double().cumsum(dim=0).long())

    @torch.no_grad()
    def states(self, x: Tensor) -> States:
        """Run in the present precision, in evaluation mode, and return every spike and potential in real units."""
        seen = Recording({}, {}, torch.empty(0))
        with self._evaluating():
            self._run(x, seen)
            potentials = {
                stage.neuron_name: _in_reals(stage, seen.potentials[stage.neuron_name])
                for stage in self.stages
                if stage.neuron
            }
        known = {name: getattr(neuron, "v_th", None) for name, neuron in self.neurons.items()}
        thresholds = {name: torch.tensor(float(v_th)) for name, v_th in known.items() if isinstance(v_th, (int, float))}
        return States(seen.spikes, potentials, thresholds)

    @torch.no_grad()
    def observe(self, x: Tensor) -> Observation:
        """Run in evaluation mode; potentials count as programs count them, in inputs of 1 through weights of 1.

        That holds while the model computes in floats: the formats of w and U are chosen from these ranges, and a
        program's U has the fraction bits of w.
        """
        seen = Recording({}, {}, torch.empty(0))
        with self._evaluating():
            self._run(x, seen)
        potentials = [_in_units(stage, seen.potentials[stage.neuron_name]) for stage in self.stages if stage.neuron]
        values = {
            "w": torch.cat([part.weight.flatten() for part in self.weighted]),
            "U": torch.cat([potential.flatten() for potential in potentials] or [torch.zeros(1)]),
        }
        fired = {name: spikes.flatten(2).cpu() for name, spikes in seen.spikes.items()}
        return Observation(
            {name: (float(value.min()), float(value.max())) for name, value in values.items()},
            {name: value[:: max(1, len(value) // HISTOGRAM_VALUES)].cpu().numpy() for name, value in values.items()},
            {name: spikes.sum(dim=0).double().mean(dim=0).numpy() for name, spikes in fired.items()},
            {name: spikes[:, 0].to(torch.uint8).numpy() for name, spikes in fired.items()},
        )

    @torch.no_grad()
    def lower(self, *, dt: float | None = None, provenance: Mapping[str, Any] | None = None) -> Program:
        """Return the integer program: input, the stages, and a readout."""
        self.require_integers("lower()")
        return lower_stages(self.stages, self.coding, self.timesteps, dt=dt or self.dt, provenance=provenance)

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
        entered = x
        for stage in self.stages:
            if stage.weights is None:
                x = _reshaped(stage.layer, x)
                continue
            if stage.opens:
                entered = x
            x, lsb = stage.weights(x, entered if stage.joint else None)
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
            recording.spikes[stage.neuron_name] = fired
            recording.potentials[stage.neuron_name] = torch.stack(potentials)
        return fired.to(x.dtype)


def _in_reals(stage: Stage, potential: Tensor) -> Tensor:
    """Return stored potentials ``(timesteps, batch, *shape)`` in real units, whatever the layer computes in."""
    if stage.weights is None or stage.weights.quantizer is None or stage.neuron is None:
        return potential
    lsb = stage.neuron.potential_lsb(stage.weights.folded().lsb.double())
    return potential.double() * lsb.reshape((1, 1, -1) + (1,) * (potential.dim() - 3))


def _in_units(stage: Stage, potential: Tensor) -> Tensor:
    """Divide real potentials ``(timesteps, batch, *shape)`` of a layer in floats by the unit of its sums."""
    if stage.weights is None or stage.weights.quantizer is not None:
        return potential
    return potential / stage.weights.unit.reshape((1, 1, -1) + (1,) * (potential.dim() - 3))


def _reshaped(layer: Layer, x: Tensor) -> Tensor:
    if isinstance(layer, FlattenLayer):
        return x.flatten(1)
    if isinstance(layer, PoolOrLayer):
        return F.max_pool2d(x, layer.kernel)
    if isinstance(layer, PoolSumLayer):
        return F.avg_pool2d(x, layer.kernel, divisor_override=1)
    raise TypeError(f"layer {layer} has no meaning here")
