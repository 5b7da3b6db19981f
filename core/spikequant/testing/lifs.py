"""Random ``lif`` nodes whose thresholds and registers lie where spikes, ties and saturation happen."""

from __future__ import annotations

from typing import Any

from spikequant.program import IntArray, Leak, Lif, Reset, Shape
from spikequant.testing.choices import Choices, chance
from spikequant.testing.limits import Limits

MOST = 1 << 29


def random_lif(name: str, shape: Shape, size: float, choices: Choices, limits: Limits) -> Lif:
    """Return a ``lif`` for inputs of ``shape`` that are about ``size`` large."""
    level = min(MOST, max(1, round(size * choices.pick([0.5, 1.0, 0.1, 2.0]))))
    width = int(level).bit_length() + 1 + choices.number(-1, 3)
    return Lif(
        name,
        u_bits=min(max(2, width), limits.u_bits),
        theta=_theta(shape, level, choices, limits),
        leak=_leak(choices, limits),
        order=choices.pick(limits.orders),
        reset=_reset(level, choices, limits),
        overflow=choices.pick(limits.overflows),
        bias=_bias(shape, level, choices, limits),
    )


def _theta(shape: Shape, level: int, choices: Choices, limits: Limits) -> IntArray:
    """Mostly reachable and positive; sometimes zero or negative; small ones are met exactly often."""
    sign = choices.pick(["positive", "positive", "positive", "small", "zero", "negative"])
    low, high = {"positive": (1, 2 * level), "small": (1, 3), "zero": (0, 0), "negative": (-level, -1)}[sign]
    return choices.rng.integers(low, high + 1, _constant_shape(shape, choices, limits))


def _bias(shape: Shape, level: int, choices: Choices, limits: Limits) -> IntArray | None:
    if not limits.bias or not chance(choices, 25):
        return None
    return choices.rng.integers(-level, level + 1, _constant_shape(shape, choices, limits))


def _constant_shape(shape: Shape, choices: Choices, limits: Limits) -> Shape:
    """One for the layer, one per channel, or one per neuron."""
    return choices.pick([(), (shape[0],), *([shape] if limits.per_neuron or len(shape) == 1 else [])])


def _leak(choices: Choices, limits: Limits) -> Leak:
    kind: Any = choices.pick(limits.leaks)
    if kind == "none":
        return Leak()
    shift = choices.number(1 if kind == "shift" else 0, limits.shifts)
    multiplier = choices.number(0, 1 << shift) if kind == "multiply" else 1
    return Leak(kind, shift, multiplier, choices.pick(limits.roundings))


def _reset(level: int, choices: Choices, limits: Limits) -> Reset:
    kind: Any = choices.pick(limits.resets)
    return Reset(kind, choices.number(-2 * level, 2 * level) if kind == "value" else 0)
