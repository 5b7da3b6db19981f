"""The contract of a neuron: float dynamics, trainable integer dynamics, and the integer node it lowers to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from spikequant.errors import PluginError
from spikequant.formats import Format, IntFormat
from spikequant.nir_profile import NodeMapping
from spikequant.program import Shape, SpikingNode
from spikequant.quantizer import Quantizer
from spikequant.rounding import Rounding


@dataclass(frozen=True)
class Variable:
    """A named quantity of a neuron: ``constant`` after training, or a ``variable`` that changes every timestep."""

    name: str
    role: Literal["constant", "variable"]


class Neuron(nn.Module, ABC):
    """A layer of spiking neurons; one instance per layer, options as keyword arguments with defaults.

    This much is known of every neuron. One that sits in a chain of layers is a :class:`SteppedNeuron`;
    one that only its own network knows how to run derives from here.

    Attributes:
        bits: Width of the stored potential.
        variables: What a quantizer may give a format of its own.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    variables: ClassVar[tuple[Variable, ...]]

    def __init__(self, bits: int = 8) -> None:
        super().__init__()
        if not isinstance(bits, int) or not 2 <= bits <= 32:
            raise ValueError(f"neuron '{self.name}': bits is {bits!r}; it must be between 2 and 32")
        self.bits = bits

    @classmethod
    def node_mappings(cls) -> Mapping[str, NodeMapping]:
        """Return how node kinds of this neuron's own are written to NIR; empty when it lowers to ``lif``."""
        return {}

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return the options of the constructor that give a quantity a format.

        Args:
            name: Of the quantity.
            fmt: Its format; by default ``INTn``, the width of the stored potential.
            rounding: How values are rounded to it; by default without effect, the neuron rounds by its own rules.

        Raises:
            PluginError: This neuron does not have the format.
        """
        if isinstance(fmt, IntFormat):
            return {"bits": fmt.bits}
        raise PluginError(f"neuron '{cls.name}' cannot give '{name}' the format {fmt}; it takes INT2, INT3 and so on")

    @classmethod
    def options_beside(cls, quantizer: Quantizer) -> Mapping[str, Any]:
        """Return options that follow the weights' quantizer, unless a recipe sets them: its ``bits`` by default."""
        return {"bits": quantizer.bits}


class SteppedNeuron(Neuron):
    """A neuron for chains of layers: the same dynamics in three arithmetics.

    ``integer_step`` and the node that ``lower`` returns must agree in every spike and potential: training
    then computes what runs later.
    """

    @abstractmethod
    def float_step(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in real numbers.

        Args:
            x: Input, real, ``(batch, *shape)``.
            u: Potential of the previous timestep, like ``x``.

        Returns:
            Spikes in {0, 1} with a surrogate gradient, and the new potential.
        """

    @abstractmethod
    def integer_step(self, x: Tensor, u: Tensor, lsb: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in whole numbers carried as floats, differentiable.

        Args:
            x: Input in units of ``lsb``: whole numbers, ``(batch, *shape)``.
            u: Stored potential, as this method returned it; zero at first.
            lsb: Real size of one unit of ``x``, broadcasts with it; receives a gradient.
        """

    def integer_run(self, x: Tensor, lsb: Tensor, timesteps: int) -> Tensor:
        """Advance all timesteps from the zero state; override it only to be faster.

        Args:
            x: As in :meth:`integer_step`, ``(timesteps, batch, *shape)``, or ``(1, batch, *shape)`` when the
                input is the same at every timestep.
            lsb: As in :meth:`integer_step`.
            timesteps: Number of steps.

        Returns:
            Spikes ``(timesteps, batch, *shape)``: exactly those of repeated :meth:`integer_step`.
        """
        u, spikes = torch.zeros_like(x[0]), []
        for t in range(timesteps):
            s, u = self.integer_step(x[t if len(x) > 1 else 0], u, lsb)
            spikes.append(s)
        return torch.stack(spikes)

    def potential_lsb(self, lsb: Tensor) -> Tensor:
        """Return the real size of one unit of the stored potential, given that of the input: the same by default."""
        return lsb

    @abstractmethod
    def lower(self, name: str, lsb: Tensor, shape: Shape) -> SpikingNode:
        """Return the integer node.

        Args:
            name: Name of the node.
            lsb: Real size of one unit of the input, scalar or per channel ``(channels,)``.
            shape: Shape of the layer without batch.
        """
