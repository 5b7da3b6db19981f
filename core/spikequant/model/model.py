"""The contract between training, exploration and export on one side and a trainable network on the other."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikequant.dataset import Split
from spikequant.errors import UsageError
from spikequant.event_frames import EventFrames
from spikequant.neuron import Neuron
from spikequant.program import Program, Shape
from spikequant.quantity import Quantity
from spikequant.quantizer import Quantizer

Precision = Literal["float", "integer"]
Progress = Callable[[int, int], None]
NeuronFactory = Callable[[], Neuron]
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class InputCoding:
    """What a model is fed: one array of unsigned integers per sample.

    Attributes:
        shape: Of one sample.
        bits: Width of one value.
        peak: Value that counts as real 1.0.
        frame_s: Duration in seconds of one frame, where a sample is frames and ``shape`` that of one;
            then a model's input is ``(batch, timesteps, *shape)``. ``None`` where a sample is one array.
    """

    shape: Shape
    bits: int
    peak: int
    frame_s: float | None = None

    def check_still(self) -> None:
        """Raise unless a sample is one array: for models that know no frames.

        Raises:
            UsageError: It is frames.
        """
        if self.frame_s is not None:
            raise UsageError(
                f"the data set's samples are frames of shape {self.shape}, one per timestep, and this network takes one"
                " array for all timesteps; choose a network for frames, or a data set of still images"
            )


@dataclass(frozen=True, eq=False)
class Recording:
    """What a recorded forward saw, whole numbers as int64.

    Attributes:
        spikes: ``(timesteps, batch, *shape)`` under the names of the program's spiking nodes.
        potentials: The stored potential likewise; further state variables under ``NAME.VARIABLE``.
        output: The readout ``(timesteps, batch, classes)``.
        outputs: Further readouts under their names.
    """

    spikes: dict[str, Tensor]
    potentials: dict[str, Tensor]
    output: Tensor
    outputs: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class States:
    """What a run in the present precision went through, for a comparison of precisions.

    Attributes:
        spikes: ``(timesteps, batch, *shape)`` under the name of each spiking layer: 0 and 1, or counts.
        potentials: The potential after reset in real units, likewise; further state variables under
            ``NAME.VARIABLE``, and layers that put out no spikes under their names.
        thresholds: Of firing, in the same units, for layers that have one: a number, or one per channel or neuron.
    """

    spikes: dict[str, Tensor]
    potentials: dict[str, Tensor]
    thresholds: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Observation:
    """What running a model in floats on some samples showed.

    Attributes:
        ranges: Smallest and largest value of each quantity.
        values: A sample of each quantity's values, for a histogram.
        rates: Spikes per sample and neuron, one array per spiking layer.
        raster: For one sample, spikes ``(timesteps, neurons)`` of each spiking layer.
    """

    ranges: Ranges
    values: Mapping[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    rates: Mapping[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    raster: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


class Model(nn.Module, ABC):
    """A trainable network: computes in floats, then in the integer domain, and lowers to a program.

    Its ``state_dict`` holds everything that training changes; buffers are welcome.

    Attributes:
        coding: What it is fed.
        timesteps: Number of steps T of one inference.
        dt: Real duration of one timestep in seconds.
        precision: ``float`` until :meth:`quantize` was called.
    """

    coding: InputCoding
    timesteps: int
    dt: float = 1e-4
    precision: Precision = "float"

    @property
    @abstractmethod
    def quantities(self) -> tuple[Quantity, ...]:
        """What can have a format of its own, weights first."""

    @abstractmethod
    def quantize(self, quantizer: Callable[[], Quantizer], *, ends: Precision = "integer") -> None:
        """Compute in the formats of the quantizer and the neurons from now on.

        Args:
            quantizer: Makes quantizers, one call per layer.
            ends: ``float`` leaves the first and the last layer in floats, where a model knows such a thing.

        Raises:
            UsageError: The quantizer or the neurons have a format that the model does not know.
        """

    @property
    def overflows(self) -> Mapping[str, int]:
        """How many values of each quantity lie beyond its format, and so were saturated or wrapped when it was given.

        Empty where the model cannot tell, and in floats. What overflows while it runs is counted by the run.
        """
        return {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the present formats change beside the rounding of values, in sentences; nothing by default."""
        return ()

    @abstractmethod
    def predict(self, x: Tensor) -> NDArray[np.int64]:
        """Return the class of each sample, in the present precision; the lowest index wins a tie.

        Args:
            x: Input integers as floats, ``(batch, *shape)``.
        """

    @abstractmethod
    def record(self, x: Tensor) -> Recording:
        """Run in the integer domain and return every spike, state and readout value.

        Raises:
            UsageError: The model computes in floats.
        """

    def states(self, x: Tensor) -> States:
        """Run in the present precision and return every spike and potential, in real units.

        Both precisions use the same names and the same units: what differs between them is drift.

        Args:
            x: As :meth:`predict` takes it.

        Raises:
            UsageError: The model cannot tell; it is one that does not override this.
        """
        raise UsageError(
            f"a {type(self).__name__} does not show its states (it has no states()), so precisions cannot be compared"
            " layer by layer; compare accuracies"
        )

    @abstractmethod
    def observe(self, x: Tensor) -> Observation:
        """Run and return what was seen, in the present precision."""

    @abstractmethod
    def lower(self, *, dt: float | None = None, provenance: Mapping[str, Any] | None = None) -> Program:
        """Return the integer program: what :meth:`record` computes.

        Args:
            dt: Real duration of one timestep in seconds; the model's own by default.
            provenance: Plain strings and numbers to store with the program.

        Raises:
            UsageError: The model computes in floats.
            ProgramError: A constant does not fit the integer semantics.
        """

    @classmethod
    def right(cls, models: Sequence[Model], data: Split, progress: Progress = lambda done, total: None) -> list[int]:
        """Return how many samples of ``data`` each model gets right; override it to share work among them.

        Args:
            models: Models of this class, each in its present precision.
            data: Samples and labels.
            progress: Called with samples done and samples in all, over all models.
        """
        counts = []
        for number, model in enumerate(models):
            right, size = 0, at_once(data.x, BATCH)
            for start in range(0, len(data), size):
                x = as_input(data.x[start : start + size], model.device)
                right += int(np.count_nonzero(model.predict(x) == data.y[start : start + size]))
                progress(number * len(data) + min(start + size, len(data)), len(models) * len(data))
            counts.append(right)
        return counts

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next((tensor.device for tensor in self.state_dict().values()), torch.device("cpu"))


BATCH = 500
"""Samples per forward when accuracy is measured."""


MOST_VALUES = 1 << 25
"""Values of frames in one forward: 128 MiB of floats."""


def at_once(x: NDArray[np.integer] | EventFrames, wanted: int) -> int:
    """Return how many samples of ``x`` to run at once: ``wanted``, fewer where each is many frames."""
    if not isinstance(x, EventFrames):
        return wanted
    return max(1, min(wanted, MOST_VALUES // math.prod(x.shape[1:])))


def accuracy(model: Model, data: Split) -> float:
    """Return the fraction of ``data`` that ``model`` gets right, in its present precision."""
    return model.right([model], data)[0] / len(data)


def as_input(x: NDArray[np.integer], device: torch.device | str = "cpu") -> Tensor:
    """Return integers from a data set as the float tensor that a model takes."""
    return torch.tensor(x, dtype=torch.float32, device=device)
