"""The grids of potentials and currents: how fine they are beside the layer's sums, and how wide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from spikequant import QFormat
from spikequant.errors import UsageError
from spikequant.formats import IntFormat
from spikequant_nir.dynamics import Cell

WIDEST = 24
"""Bits of a potential or current that has no format."""
FINER = 6
"""Fraction bits that such a state has more than the sums where it decays, so that a decay of small values acts."""
FINER_TO_SUBTRACT = 4
"""And where it does not decay but spikes subtract a threshold: one unit too much of it would be lost at every spike."""
HELD = 1024
"""Thresholds that such a state can hold."""
Rule = Literal["floor", "nearest", "toward_zero", "stochastic"]


@dataclass(frozen=True)
class StateFormats:
    """What the neuron plugin gives the states of all layers.

    Attributes:
        V: Format of potentials, or none.
        I: Of currents.
        rule: Of every rounding.
        seed: Of stochastic rounding.
        overflow: Of every register.
        decay_bits: A decay is a whole number of ``2**-decay_bits``.
        leak: ``multiply``, or ``shift``: by powers of two.
    """

    V: Any = None
    I: Any = None  # noqa: E741 - the papers' letter
    rule: Rule = "nearest"
    seed: int = 0
    overflow: Literal["saturate", "symmetric", "wrap"] = "saturate"
    decay_bits: int = 12
    leak: Literal["multiply", "shift"] = "multiply"


@dataclass(frozen=True)
class StateGrid:
    """Grids of one layer.

    Attributes:
        v_frac: One unit of V is ``2**-v_frac`` of one unit of the layer's sums.
        v_bits: Width of V.
        i_frac: As ``v_frac``, of the current.
        i_bits: Width of the current.
    """

    v_frac: int
    v_bits: int
    i_frac: int = 0
    i_bits: int = 0


def state_grid(name: str, cell: Cell, formats: StateFormats, lsb: float, *, fixed: bool, below: int = 0) -> StateGrid:
    """Return the grids of a layer.

    ``INTn`` counts what the codes of the layer's coarsest weights count, or with shifts one unit of its sums.
    A state without a format has 24 bits and is finer than the layer's sums by so many bits as its leak or its reset
    asks for, but so coarse that it holds 1,024 thresholds, or 1,024 where there is none.

    Args:
        name: Of the layer, for the error.
        cell: Its dynamics.
        formats: Of the states.
        lsb: Real size of one unit of the layer's sums.
        fixed: Whether that is a power of two by the weights' format.
        below: By how many powers of two it is below what the codes of the layer's coarsest weights count.

    Raises:
        UsageError: A format does not go with the weights'.

    >>> from spikequant_nir.dynamics import cell_of
    >>> from spikequant_nir.rules import Rules
    >>> import torch
    >>> cell = cell_of("I", {"r": torch.tensor(1.0)}, Rules())
    >>> state_grid("n", cell, StateFormats(V=QFormat(3, 8)), 2**-6, fixed=True)
    StateGrid(v_frac=2, v_bits=12, i_frac=0, i_bits=0)
    >>> [state_grid("n", cell, StateFormats(), lsb, fixed=True).v_frac for lsb in (2**-6, 2**-20)]
    [0, -7]
    """
    shift = formats.leak == "shift"
    subtracts = cell.threshold is not None and cell.rules.reset == "subtract"
    finer = FINER if not bool((cell.decay == 1).all()) else FINER_TO_SUBTRACT if subtracts else 0
    threshold = 1.0 if cell.threshold is None else float(cell.threshold.abs().max()) or 1.0
    most = math.floor(math.log2((1 << WIDEST - 1) * lsb / (HELD * threshold)))
    fraction = -round(math.log2(lsb)) if fixed else None
    below = 0 if shift else below
    v = _grid(name, "V", formats.V, fraction, 0 if shift else min(finer, most), below)
    if shift and v[0] != 0:
        raise UsageError(
            f"node '{name}': neuron.leak is 'shift', which keeps V in units of the layer's sums, and {formats.V} is"
            f" not of their {fraction} fraction bits; give V as INTn, or with {fraction} fraction bits"
        )
    if cell.i_decay is None:
        return StateGrid(*v)
    current = min(0 if bool((cell.i_decay == 1).all()) else FINER, most)
    return StateGrid(*v, *_grid(name, "I", formats.I, fraction, current, below))


def _grid(name: str, variable: str, fmt: Any, sum_frac: int | None, finer: int, below: int) -> tuple[int, int]:
    """Return fraction bits beside the sums, and width; ``finer`` of them without a format, ``-below`` of ``INTn``."""
    if isinstance(fmt, IntFormat):
        return -below, fmt.bits
    if not isinstance(fmt, QFormat):
        return finer, WIDEST
    if sum_frac is None:
        raise UsageError(
            f"node '{name}': {variable} is {fmt}, and the size of its weights' codes is no power of two; give"
            f" {variable} as INTn, on the lattice of the layer's sums, or w as Qi.f with quantizer qif"
        )
    return fmt.frac_bits - sum_frac, fmt.width
