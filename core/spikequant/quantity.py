"""Quantities: the groups of numbers in a model that can each have a number format of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quantity:
    """Numbers of one kind, such as all weights or all membrane potentials.

    Source: Q-SpiNN, Section III-B and Table I: parameters are quantized by kind; the fraction of a constant
    follows from its value, that of a variable is explored.

    Attributes:
        name: As users type it and as the papers call it: ``w``, ``V``, ``Vth``.
        role: ``constant``: one value that never changes; ``variable``: learned, or changing every timestep.
        count: How many such numbers a model keeps for one sample in flight.
        part: Table of the recipe whose plugin takes its format: ``quantizer``, ``neuron``, or ``""`` when
            nothing does (a constant, whose format follows from its value).
        value: Of a constant.
        allowed: Smallest and largest value that the model's rules permit, where they do; formats must hold it.
        description: What it is, with its unit.
        grid: Name of the quantity in whose units this one counts, where it has none of its own: it then has the
            same fraction bits.
    """

    name: str
    role: Literal["constant", "variable"]
    count: int
    part: Literal["quantizer", "neuron", ""] = ""
    value: float | None = None
    allowed: tuple[float, float] | None = None
    description: str = ""
    grid: str = ""
