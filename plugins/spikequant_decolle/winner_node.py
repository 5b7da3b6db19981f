"""The class of a timestep as a node of the integer program: one spike, at the largest input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikequant.program import IntArray, Operation, SpikingNode, State
from spikequant.program.field_checks import check_integer
from spikequant_decolle.node_checks import Limits

MOST_STEPS = (1 << 31) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Winner(SpikingNode):
    """One spike at the largest of all inputs of a sample, the lowest index on a tie; none before ``start``.

    It keeps nothing: its potential is always 0. A readout after it counts how often each class won, so that the
    program's class is the one that wins most timesteps.

    Attributes:
        start: The first timestep that has a winner.

    Raises:
        ProgramError: ``start`` is no timestep.
    """

    kind: ClassVar[str] = "winner"
    implementations: ClassVar[Mapping[str, Path]] = {"lava": Path(__file__).with_name("lava_winner.py")}

    u_bits: int = field(init=False, default=2)
    start: int = 0

    def __post_init__(self) -> None:
        check_integer(self, "start", self.start, 0, MOST_STEPS)

    @property
    def potential_limits(self) -> Limits:
        """Always 0."""
        return 0, 0

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """One compare with the largest input so far."""
        return (Operation("compare", x_bits),)

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """Return the winners of one timestep.

        Args:
            x: Int64 ``(batch, *shape)``.
            state: Zeros.
            t: The timestep.

        Returns:
            Spikes in {0, 1}, at most one per sample; the state; zeros. All like ``x``.

        >>> node = Winner("n", start=3)
        >>> x = np.array([[1, 7, 7], [-3, -4, -9]])
        >>> node.advance(x, node.initial(2, (3,)), 3)[0].tolist()
        [[0, 1, 0], [1, 0, 0]]
        >>> node.advance(x, node.initial(2, (3,)), 2)[0].tolist()
        [[0, 0, 0], [0, 0, 0]]
        """
        spikes, zeros = np.zeros((len(x), math.prod(x.shape[1:])), np.int64), np.zeros(x.shape, np.int64)
        if t >= self.start and len(x):
            spikes[np.arange(len(x)), x.reshape(len(x), -1).argmax(axis=1)] = 1
        return spikes.reshape(x.shape), (zeros,), zeros
