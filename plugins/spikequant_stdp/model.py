"""The U-SNN as a trainable model: engine state, formats, votes; what an engine runs and what becomes a program."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant import InputCoding, Model, Observation, Progress, QFormat, Quantity, Quantizer, Recording, Split
from spikequant.errors import UsageError
from spikequant.formats import FloatFormat, Format
from spikequant.model.model import Precision
from spikequant.program import Program
from spikequant.program_inputs import coded
from spikequant_stdp.engine.contract import Candidate, Engine
from spikequant_stdp.engine.exactness import check
from spikequant_stdp.engine.parameters import Formats, Parameters, State
from spikequant_stdp.engine.quantize import overflows
from spikequant_stdp.lower import usnn_program
from spikequant_stdp.neuron import DiehlCookNeuron
from spikequant_stdp.quantities import usnn_quantities
from spikequant_stdp.recordings import observation, recording
from spikequant_stdp.votes import Vote, class_rates, classes_of, vote_codes

MOST_COUNTS = 100_000_000
"""Spike counts per call of the engine: 400 MB."""


@dataclass(frozen=True)
class Start:
    """How a model starts: number of classes, largest starting weight, seed, and how spikes vote."""

    classes: int
    w_init: float
    seed: int
    vote: Vote


class UsnnModel(Model):
    """An unsupervised network: weights, thresholds and votes as buffers; an engine does the rest.

    Args:
        parameters: Constants of the network. A learner replaces those of learning.
        neuron: Formats of the potential, the threshold and the conductance.
        coding: What the model is fed.
        start: How it starts.
        engine: What simulates it.
    """

    w: Tensor
    theta: Tensor
    rates: Tensor
    images: Tensor

    def __init__(
        self, parameters: Parameters, neuron: DiehlCookNeuron, coding: InputCoding, start: Start, engine: Engine
    ) -> None:
        super().__init__()
        self.constants, self.neuron, self.coding, self.start, self.engine = parameters, neuron, coding, start, engine
        self.timesteps, self.dt = parameters.timesteps, parameters.dt_ms * 1e-3
        self.formats = Formats()
        shape = (parameters.inputs, parameters.neurons)
        drawn = np.random.default_rng([start.seed, 0]).random(shape, dtype=np.float32) * np.float32(start.w_init)
        self.register_buffer("w", torch.from_numpy(drawn))
        self.register_buffer("theta", torch.zeros(parameters.neurons, dtype=torch.float64))
        self.register_buffer("rates", torch.zeros(start.classes, parameters.neurons, dtype=torch.float64))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    @property
    def state(self) -> State:
        """A copy of what the engine trains."""
        return self.state_in(self.formats)

    @state.setter
    def state(self, state: State) -> None:
        self.w.copy_(torch.from_numpy(state.w))
        self.theta.copy_(torch.from_numpy(state.theta.astype(np.float64)))
        self.images.fill_(state.images)

    def state_in(self, formats: Formats) -> State:
        """Return a copy of the state as an engine takes it with ``formats``."""
        exact = np.float32 if formats.Vth is None else np.float64
        return State(self.w.cpu().numpy().copy(), self.theta.cpu().numpy().astype(exact), int(self.images))

    @property
    def votes(self) -> NDArray[np.int64]:
        """What a spike of each neuron counts for each class, ``(classes, neurons)``."""
        return vote_codes(self.rates.cpu().numpy(), self.start.vote)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The five of Q-SpiNN's Table I, and the conductance where there is one."""
        return usnn_quantities(self.constants)

    @property
    def overflows(self) -> Mapping[str, int]:
        """How many weights and thresholds lie beyond their formats."""
        return overflows(self.constants, self.formats, self.state)

    def quantize(self, quantizer: Callable[[], Quantizer], *, ends: Precision = "integer") -> None:
        """Use the weights' format of the quantizer and the others of the neuron from now on.

        Raises:
            UsageError: The weights' format is no Qi.f, roundings differ, the formats cannot be computed with
                exactly, or ``ends`` is ``float``.
        """
        if ends == "float":
            raise UsageError("training.ends is 'float'; this network has one layer, so set it to 'integer'")
        chosen = quantizer()
        formats = self._formats(chosen, chosen.fmt)
        check(self.constants, formats, self.state)
        self.formats, self.precision = formats, "integer"

    def _formats(self, chosen: Quantizer, fmt: Format) -> Formats:
        neuron = self.neuron
        rule, rules = (chosen.rounding, chosen.overflow), (neuron.rounding, neuron.overflow)
        if not isinstance(fmt, (QFormat, FloatFormat)):
            raise UsageError(
                f"quantizer '{chosen.name}' gives the weights {fmt}; network diehl-cook takes Qi.f,"
                " so set quantizer.name to 'qif'"
            )
        if not (neuron.V or neuron.Vth or neuron.g):
            rules = rule
        if isinstance(fmt, QFormat) and rule != rules:
            raise UsageError(
                f"weights have the rounding and overflow {', '.join(rule)}, and the neuron's variables"
                f" {', '.join(rules)}; set them alike in [quantizer] and [neuron]"
            )
        w = None if isinstance(fmt, FloatFormat) else fmt
        return Formats(w, neuron.V, neuron.Vth, neuron.g, *rules, seed=chosen.seed)

    def learned(self, labels: NDArray[np.int64], x: NDArray[np.integer[Any]]) -> None:
        """Find out for which classes each neuron speaks, on labelled training images, without learning."""
        self.rates.copy_(torch.from_numpy(class_rates(self._counts(x), labels, self.start.classes)))

    def pixels(self, x: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return samples as the engine takes them, uint8 ``(samples, inputs)``."""
        return np.ascontiguousarray(x.reshape(len(x), self.constants.inputs)).astype(np.uint8)

    @torch.no_grad()
    def predict(self, x: Tensor) -> NDArray[np.int64]:
        """Return the class of each sample; the lowest index wins a tie."""
        return classes_of(self._counts(_whole(x)), self.votes)

    @classmethod
    def right(cls, models: Sequence[Model], data: Split, progress: Progress = lambda done, total: None) -> list[int]:
        """Return how many samples each model gets right; all see the same spikes, and share what is equal."""
        mine = [cast("UsnnModel", model) for model in models]
        if not mine or any(model.constants != mine[0].constants for model in mine):
            return super().right(models, data, progress)
        candidates, votes = _sharing(mine), [model.votes for model in mine]
        right, total = [0] * len(mine), len(data)
        chunk = max(MOST_COUNTS // (len(mine) * mine[0].constants.neurons), 1)
        for start in range(0, total, chunk):
            x, y = mine[0].pixels(data.x[start : start + chunk]), data.y[start : start + chunk]
            counts = mine[0].engine.infer(
                mine[0].constants,
                candidates,
                x,
                progress=lambda done, _, start=start: progress(start + done, total),  # type: ignore[misc]
            )
            for index, codes in enumerate(votes):
                right[index] += int(np.count_nonzero(classes_of(counts[index], codes) == y))
        return right

    def _counts(self, x: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        counts: NDArray[np.int32] = self.engine.infer(self.constants, [(self.formats, self.state)], self.pixels(x))[0]
        return counts

    @torch.no_grad()
    def record(self, x: Tensor) -> Recording:
        """Run in the integer domain and return every spike, state and vote."""
        self._require_formats("record()")
        images = _whole(x)
        sent = self.constants.coding.spikes(self.pixels(images), self.timesteps).transpose(1, 0, 2)
        seen = self.engine.infer_spikes(self.constants, self.formats, self.state, np.ascontiguousarray(sent))
        return recording(seen, self.formats, self.votes)

    @torch.no_grad()
    def observe(self, x: Tensor) -> Observation:
        """Run and return ranges of the quantities, firing rates and a raster."""
        sent = self.constants.coding.spikes(self.pixels(_whole(x)), self.timesteps).transpose(1, 0, 2)
        state = self.state
        seen = self.engine.infer_spikes(self.constants, self.formats, state, np.ascontiguousarray(sent))
        return observation(seen, state, self.constants)

    def lower(self, *, dt: float | None = None, provenance: Mapping[str, Any] | None = None) -> Program:
        """Return the integer program; it names the rate coding that makes its input spikes."""
        self._require_formats("lower()")
        named = {**(provenance or {}), **coded(self.constants.coding)}
        program = usnn_program(self.constants, self.formats, self.state, self.votes, named)
        return program if dt is None else replace(program, dt=dt)

    def _require_formats(self, what: str) -> None:
        if self.precision == "float":
            raise UsageError(f"{what} needs integers, and the model computes in floats; quantize() it first")
        needed = ("w", "V", "Vth", *(("g",) if self.constants.synapse == "conductance" else ()))
        floats = [name for name in needed if getattr(self.formats, name) is None]
        if floats:
            raise UsageError(f"{what} needs integers, and {', '.join(floats)} is FP32; give each a format like Q11.8")


def _sharing(models: Sequence[UsnnModel]) -> list[Candidate]:
    """Return what the engine runs; equal weights are one array, so that it need not compare them."""
    seen: dict[bytes, NDArray[np.float32]] = {}
    candidates = []
    for model in models:
        state = model.state
        state.w = seen.setdefault(hashlib.sha256(state.w.tobytes()).digest(), state.w)
        candidates.append((model.formats, state))
    return candidates


def _whole(x: Tensor) -> NDArray[np.int64]:
    values: NDArray[np.int64] = x.detach().cpu().numpy().astype(np.int64)
    return values
