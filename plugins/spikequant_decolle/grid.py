"""Rounding of real values, held as floats, to the grid of a format: exact, in place, the same bits as the program's."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spikequant import QFormat
from spikequant.counter_rng import RandomKey, uniforms
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.parameters import Formats


class Grid:
    r"""Rounds one variable of one layer.

    .. math:: TR: \lfloor x/\epsilon \rfloor, \quad RN: \lfloor x/\epsilon + 1/2 \rfloor, \quad
        SR: \lfloor x/\epsilon \rfloor + [P < x/\epsilon - \lfloor x/\epsilon \rfloor]

    then the overflow rule. SR's numbers are keyed by the layer's seed, the variable, the timestep and the
    element's place in its layer: never by the sample, so that no result depends on how a batch is split.

    Args:
        name: ``P``, ``Q``, ``R`` or ``V``.
        fmt: The variable's format; ``None`` leaves values as they are.
        formats: For rounding, overflow and seed.
        layer: Index of the layer.
    """

    def __init__(self, name: str, fmt: QFormat | None, formats: Formats, layer: int) -> None:
        self.name, self.fmt, self.seed = name, fmt, formats.seed + layer
        self.rounding, self.overflow = formats.rounding, formats.overflow

    def round_(self, x: Tensor, t: int) -> Tensor:
        """Round ``x`` ``(batch, *shape)`` of timestep ``t`` in place and return it."""
        if self.fmt is None:
            return x
        low, high = self.fmt.code_range
        x.mul_(2.0**self.fmt.frac_bits)
        if self.rounding is Rounding.RN:
            x.add_(0.5)
        elif self.rounding is Rounding.SR:
            self._add_chance(x, t)
        x.floor_()
        if self.overflow is Overflow.WRAP:
            x.sub_(low).remainder_(high - low + 1).add_(low)
        else:
            x.clamp_(low, high)
        return x.mul_(self.fmt.step)

    def round_weights_like(self, x: Tensor) -> Tensor:
        """Return constants of this variable's unit, such as thresholds: to nearest, saturated."""
        if self.fmt is None:
            return x
        low, high = self.fmt.code_range
        codes = torch.floor(x.double() / self.fmt.step + 0.5).clamp_(low, high)
        return (codes * self.fmt.step).to(x.dtype)

    def _add_chance(self, x: Tensor, t: int) -> None:
        """Add 1 where the rest exceeds the random number; flooring does the rest."""
        elements = torch.arange(math.prod(x.shape[1:]), device=x.device).reshape(x.shape[1:])
        chance = uniforms(RandomKey(self.seed, self.name, t), elements)
        rest = x.double()
        rest = rest - rest.floor()
        x.floor_().add_((chance < rest).to(x.dtype))
