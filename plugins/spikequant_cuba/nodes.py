"""The four kinds: leaky integrators with or without spikes, with or without a synaptic current.

Normative text: docs/cuba.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from spikequant_cuba.cell import Cell
from spikequant_cuba.firing import Firing
from spikequant_cuba.stock import stock_lif
from spikequant_cuba.synapse import Synapse

FILES: Mapping[str, Path] = MappingProxyType({"lava": Path(__file__).with_name("lava_cuba.py")})


@dataclass(frozen=True, eq=False, kw_only=True)
class FixedLif(Firing):
    """Leaky integrate-and-fire with one potential; it emits 0 to ``most_spikes`` spikes.

    >>> import numpy as np
    >>> node = FixedLif("n", u_bits=8, decay=np.array(3), decay_bits=2, theta=np.array(10), reset="subtract")
    >>> spikes, state, _ = node.advance(np.array([[9, 2]]), (np.array([[7, 5]]),), 0)
    >>> spikes.tolist(), state[0].tolist()
    ([[1, 0]], [[4, 5]])
    """

    kind: ClassVar[str] = "fixed_lif"
    implementations: ClassVar[Mapping[str, Path]] = FILES
    stock_lif = stock_lif


@dataclass(frozen=True, eq=False, kw_only=True)
class FixedLi(Cell):
    """Leaky integrator: it emits its potential."""

    kind: ClassVar[str] = "fixed_li"
    implementations: ClassVar[Mapping[str, Path]] = FILES
    graded: ClassVar[bool] = True


@dataclass(frozen=True, eq=False, kw_only=True)
class CubaLif(Firing, Synapse):
    """Leaky integrate-and-fire behind a synaptic current.

    The neuron of Loihi: ``decay_bits`` 12, decays ``4096 - d``, ``rounding`` toward_zero, ``input_shift`` 6,
    ``theta`` a multiple of 64, ``reset`` zero and registers of 24 bits.

    >>> import numpy as np
    >>> half = {"decay": np.array(1), "i_decay": np.array(1), "decay_bits": 1, "rounding": "toward_zero"}
    >>> node = CubaLif("n", u_bits=8, i_bits=8, theta=np.array(4), **half)
    >>> spikes, state, _ = node.advance(np.array([[1, 0]]), (np.array([[3, -3]]), np.array([[5, -1]])), 0)
    >>> spikes.tolist(), [values.tolist() for values in state]
    ([[1, 0]], [[[0, -1]], [[3, 0]]])
    """

    kind: ClassVar[str] = "cuba_lif"
    implementations: ClassVar[Mapping[str, Path]] = FILES
    stock_lif = stock_lif


@dataclass(frozen=True, eq=False, kw_only=True)
class CubaLi(Synapse):
    """Leaky integrator behind a synaptic current: it emits its potential."""

    kind: ClassVar[str] = "cuba_li"
    implementations: ClassVar[Mapping[str, Path]] = FILES
    graded: ClassVar[bool] = True


KINDS: tuple[type[Cell], ...] = (FixedLif, FixedLi, CubaLif, CubaLi)
