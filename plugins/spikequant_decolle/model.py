"""The S-SNN as a trainable model: layers, formats, and what becomes a program."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikequant import InputCoding, Model, Observation, QFormat, Quantity, Quantizer, Recording
from spikequant.errors import UsageError
from spikequant.formats import FloatFormat
from spikequant.model.model import Precision
from spikequant.program import Program, chain
from spikequant_decolle.dynamics import Dynamics
from spikequant_decolle.layer import DecolleLayer, LayerPlan
from spikequant_decolle.lower import ssnn_chain
from spikequant_decolle.neuron import DecolleNeuron
from spikequant_decolle.observing import Observing
from spikequant_decolle.parameters import Formats
from spikequant_decolle.quantities import ssnn_quantities
from spikequant_decolle.reading import Reading
from spikequant_decolle.recording import Recorder
from spikequant_decolle.run import Seen, Watch, run
from spikequant_decolle.votes import counted, scores

FRAME_S = 1e-3
"""Duration of a timestep where the data set does not say one: the paper's."""
MOST_TRACES = 1 << 25
"""Values of one layer's whole recording in memory at a time: it decides how many samples run together."""


class DecolleModel(Model):
    """Layers that are each trained by a random readout of their own; the last one's readout is the network's.

    Args:
        plans: The layers.
        neuron: Constants, and formats of the state.
        coding: What the model is fed at one timestep; a sample is ``(timesteps, *coding.shape)``.
        timesteps: Of one inference.
        reading: How spikes become a class.
    """

    def __init__(
        self, plans: Sequence[LayerPlan], neuron: DecolleNeuron, coding: InputCoding, timesteps: int, reading: Reading
    ) -> None:
        super().__init__()
        self.neuron, self.coding, self.timesteps, self.reading = neuron, coding, timesteps, reading
        self.constants = neuron.constants
        self.dt = coding.frame_s or FRAME_S
        self.formats = Formats(seed=reading.seed)
        self._quantizer: Quantizer | None = None
        layers, shape = [], coding.shape
        for index, plan in enumerate(plans):
            layers.append(DecolleLayer(plan, shape, reading.classes, (reading.seed, index)))
            shape = layers[-1].pooled_shape
        self.stack = nn.ModuleList(layers)
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    started: Tensor
    """Whether a learner has scaled the starting weights to the data."""

    @property
    def layers(self) -> tuple[DecolleLayer, ...]:
        """The layers in order."""
        return tuple(layer for layer in self.stack if isinstance(layer, DecolleLayer))

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Q-SpiNN's list."""
        return ssnn_quantities(self.layers, self.constants)

    def quantize(self, quantizer: Callable[[], Quantizer], *, ends: Precision = "integer") -> None:
        """Use the weights' format of the quantizer and the state's of the neuron from now on.

        Raises:
            UsageError: The weights' format is no Qi.f, an expression needs more bits than are exact, or ``ends``
                is ``float``.
        """
        if ends == "float":
            raise UsageError(
                "training.ends is 'float'; a DECOLLE network has formats for w, P, Q, R and V, so set it to 'integer'"
                " and give FP32 to what is to stay in floats"
            )
        chosen = quantizer()
        fmt = chosen.fmt
        if not isinstance(fmt, (QFormat, FloatFormat)):
            raise UsageError(
                f"quantizer '{chosen.name}' gives the weights {fmt}; network decolle takes Qi.f,"
                " so set quantizer.name to 'qif'"
            )
        w = None if isinstance(fmt, FloatFormat) else fmt
        formats = replace(self.neuron.formats, w=w, seed=self.reading.seed)
        before = self.formats, self._quantizer
        self.formats, self._quantizer = formats, chosen if w else None
        try:
            self.dynamics()
        except UsageError:
            self.formats, self._quantizer = before
            raise
        self.precision = "integer"

    @property
    def overflows(self) -> Mapping[str, int]:
        """How many weights lie beyond their format."""
        if self._quantizer is None or self.formats.w is None:
            return {}
        step = torch.tensor(self.formats.w.step)
        return {"w": sum(self._quantizer.overflows(layer.w, step) for layer in self.layers)}

    def weights(self, layer: DecolleLayer) -> Tensor:
        """Return the weights that a layer computes with: trained ones, put on the grid of their format."""
        if self._quantizer is None or self.formats.w is None:
            return layer.w.detach()
        step = torch.tensor(self.formats.w.step, dtype=layer.w.dtype, device=layer.w.device)
        return self._quantizer.checked_codes(layer.w.detach(), step).to(layer.w.dtype) * step

    def dynamics(self) -> tuple[Dynamics, ...]:
        """Return the layers' equations with the present weights and formats."""
        return tuple(
            Dynamics(layer, index, self.constants, self.formats, self.weights(layer), (1 << self.coding.bits) - 1)
            for index, layer in enumerate(self.layers)
        )

    @torch.no_grad()
    def predict(self, x: Tensor) -> NDArray[np.int64]:
        """Return the class of each sample ``(batch, timesteps, *shape)``; the lowest index wins a tie."""
        classes: list[NDArray[np.int64]] = [
            self._votes(steps).sum(0).argmax(-1).cpu().numpy() for steps in self._batches(x)
        ]
        return np.concatenate(classes)

    @torch.no_grad()
    def layer_scores(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return each layer's readout of every timestep, in readout codes ``(timesteps, batch, classes)``."""
        found: list[list[Tensor]] = [[] for _ in self.layers]

        def watch(seen: Seen) -> None:
            layer = self.layers[seen.layer]
            pooled = layer.pooled(seen.s.flatten(0, 1)).reshape(*seen.s.shape[:2], -1)
            found[seen.layer].append(scores(pooled, layer.G))

        self._run(x.transpose(0, 1), watch)
        return tuple(torch.cat(parts) for parts in found)

    def _batches(self, x: Tensor) -> Iterator[Tensor]:
        """Yield ``(timesteps, samples, *shape)`` for as many samples as run together."""
        self._check(x)
        largest = max(math.prod(layer.out_shape) for layer in self.layers)
        size = max(MOST_TRACES // (largest * min(x.shape[1], 64)), 1)
        for start in range(0, len(x), size):
            yield x[start : start + size].transpose(0, 1)

    def _check(self, x: Tensor) -> None:
        if x.shape[2:] == self.coding.shape and x.shape[1] != self.timesteps:
            raise UsageError(
                f"samples have {x.shape[1]} timesteps, and this network was made for {self.timesteps}; give the data"
                " set as many"
            )
        if x.dim() != 2 + len(self.coding.shape) or x.shape[2:] != self.coding.shape:
            raise UsageError(
                f"samples have the shape {tuple(x.shape[1:])}; this network takes frames: (timesteps,"
                f" {', '.join(map(str, self.coding.shape))}), so choose a data set of events"
            )

    def _run(self, x: Tensor, watch: Watch | None = None) -> Tensor:
        layers = self.dynamics()
        states = [layer.start(x.shape[1], x.device) for layer in layers]
        return run(layers, x, states, watch=watch)

    def _votes(self, x: Tensor, watch: Watch | None = None) -> Tensor:
        score = scores(self._run(x, watch), self.layers[-1].G)
        return counted(score, self.reading.decode, self.reading.burn_in)

    @torch.no_grad()
    def record(self, x: Tensor) -> Recording:
        """Run in the integer domain and return every spike, state and vote."""
        self._require_formats("record()")
        self._check(x)
        recorder = Recorder(self.formats, self.reading)
        layers = self.dynamics()
        frames = x.transpose(0, 1)
        states = [layer.start(len(x), x.device) for layer in layers]
        score = scores(run(layers, frames, states, watch=recorder), self.layers[-1].G)
        return recorder.recording(counted(score, self.reading.decode, self.reading.burn_in))

    @torch.no_grad()
    def observe(self, x: Tensor) -> Observation:
        """Run and return ranges of the quantities, firing rates and a raster."""
        observing = Observing(self.layers)
        for steps in self._batches(x):
            observing.next_batch()
            self._run(steps, observing)
        return observing.observation([self.weights(layer) for layer in self.layers])

    def lower(self, *, dt: float | None = None, provenance: Mapping[str, Any] | None = None) -> Program:
        """Return the integer program: traces, weighted sums and neurons of each layer, and the vote."""
        self._require_formats("lower()")
        weights = [self.weights(layer) for layer in self.layers]
        nodes = ssnn_chain(self.layers, weights, self.constants, self.formats, self.coding, self.reading)
        return chain(nodes, self.timesteps, dt=self.dt if dt is None else dt, provenance=provenance or {})

    def _require_formats(self, what: str) -> None:
        if self.precision == "float":
            raise UsageError(f"{what} needs integers, and the model computes in floats; quantize() it first")
        if self.formats.missing:
            names = ", ".join(self.formats.missing)
            raise UsageError(
                f"{what} needs integers, and these are FP32: {names}; give each a format like Q1.8: w by"
                " quantizer.format, the others by neuron.P, Q, R and V, or all by `spikequant quantize --format`"
            )
