"""The contract of a spiking node: its state, how it starts, and how it advances by one timestep."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from spikequant.program.nodes import IntArray, Node, Operation, Shape

State = tuple[IntArray, ...]
"""One array ``(batch, *shape)`` for each state variable of a spiking node."""


@dataclass(frozen=True, eq=False)
class SpikingNode(Node):
    """A node with a stored state that emits spikes, or what it stores.

    A neuron plugin adds a kind of its own by subclassing this: fields are integers. One whose state is the
    potential alone, zero at first, writes :meth:`step`; one with more writes :meth:`initial`,
    :meth:`advance`, :attr:`state_bits` and :attr:`state_limits`. :meth:`advance` is normative, and it and
    :meth:`initial` are all that executors call; those that do not know the kind either call them or refuse
    the node by name.

    Attributes:
        u_bits: Width of the stored potential; bounds what ``potential/NAME`` may hold.
        variables: Names of the stored state variables, the potential first. Those after it are
            ``potential/NAME.VARIABLE`` in a trace.
        graded: What the node puts out: spikes, or, if true, its stored potential. A trace then holds no
            ``spikes/NAME``, since ``potential/NAME`` is what was emitted. Spikes are 0 or 1; a kind that puts out
            several at a timestep says so in :attr:`emitted_limits`, at most 255.
        implementations: Under a backend's name a file with which that backend runs the kind where this
            class cannot be imported; what the file must define is the backend's to say.
    """

    u_bits: int = 8
    kind: ClassVar[str] = "spiking"
    variables: ClassVar[tuple[str, ...]] = ("potential",)
    graded: ClassVar[bool] = False
    implementations: ClassVar[Mapping[str, Path]] = MappingProxyType({})

    @property
    @abstractmethod
    def potential_limits(self) -> tuple[int, int]:
        """Smallest and largest stored potential, both included."""

    @abstractmethod
    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """Return what one neuron computes in one timestep, its input being ``x_bits`` wide."""

    def step(self, x: IntArray, u: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Advance one timestep of a node whose state is the potential alone.

        Args:
            x: Input of the neurons, int64 ``(batch, *shape)``.
            u: Stored potential, like ``x``.

        Returns:
            Spikes within :attr:`emitted_limits` (of a graded node the new potential), the new stored potential,
            and 1 where overflow acted; all like ``x``.
        """
        raise TypeError(f"{type(self).__name__} has no step() of its own; call advance()")

    def initial(self, batch: int, shape: Shape) -> State:
        """Return the state before the first timestep: zero in every variable.

        Args:
            batch: Number of samples.
            shape: Shape of the node's output, without batch.

        Returns:
            One int64 array ``(batch, *shape)`` for each of ``variables``; the caller may write to them.
        """
        return tuple(np.zeros((batch, *shape), np.int64) for _ in self.variables)

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """Advance one timestep; writes to none of its arguments.

        Args:
            x: Input of the neurons, int64 ``(batch, *shape)``.
            state: What :meth:`initial` or the last call returned.
            t: The timestep, from 0.

        Returns:
            Spikes within :attr:`emitted_limits`, or of a graded node the new potential; the new state; and 1 for
            each neuron in which overflow changed what is stored; all arrays like ``x``. Where ``variables`` holds
            the potential alone this is :meth:`step`.
        """
        spikes, stored, overflowed = self.step(x, state[0])
        return spikes, (stored,), overflowed

    @property
    def emitted_limits(self) -> tuple[int, int]:
        """Smallest and largest value put out: 0 and 1, or of a graded node the limits of its potential.

        A kind that emits up to n spikes at a timestep returns ``(0, n)``, n at most 255.
        """
        return self.potential_limits if self.graded else (0, 1)

    @property
    def emitted_bits(self) -> int:
        """Width of what one neuron puts out at a timestep: of a count of spikes, or of a graded node's potential."""
        return self.state_bits[0] if self.graded else self.emitted_limits[1].bit_length()

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Width of each stored variable, 1 to 32."""
        return (self.u_bits,)

    @property
    def state_limits(self) -> tuple[tuple[int, int], ...]:
        """Smallest and largest stored value of each variable, both included."""
        return (self.potential_limits,)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Under which name a trace holds each variable: ``NAME``, then ``NAME.VARIABLE``."""
        return (self.name, *(f"{self.name}.{variable}" for variable in self.variables[1:]))

    def pre_reset_limits(self, low: int, high: int) -> tuple[int, int]:
        """Bounds of ``H`` when the input lies in ``[low, high]``; executors size registers from it."""
        u_low, u_high = self.potential_limits
        return low + min(u_low, 0), high + max(u_high, 0)
