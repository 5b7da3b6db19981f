"""The quantizer to ``Qi.f``: truncation, rounding to nearest or stochastic rounding, with a fixed step ``2**-f``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from spikequant import Quantizer
from spikequant.content_draw import content_key
from spikequant.counter_rng import RandomKey
from spikequant.errors import PluginError
from spikequant.formats import FP32, FloatFormat, Format, IntFormat, QFormat, parse_format
from spikequant.rounding import Overflow, Rounding, to_codes

MOST_BITS = 24
"""Widest format: a float32 carries its codes exactly in training."""


class Qif(Quantizer):
    r"""Fixed-point weights: ``value = code * 2**-f``, nothing about them is learned but the codes.

    Source: Q-SpiNN, Section III-A (the format and the three rounding schemes).

    After training (PTQ) values become codes once; during training (ITQ) each forward rounds the float weights
    anew, and the straight-through gradient reaches them, except where they lie beyond the format.

    Args:
        format: ``Qi.f``, ``UQi.f`` (negative weights become 0), 24 bits at most, or ``FP32``: the layers stay in
            floats and cannot be lowered.
        rounding: ``TR`` (toward minus infinity), ``RN`` (nearest, halves up) or ``SR`` (stochastic).
        overflow: ``saturate``, or ``wrap``: keep the low bits.
        seed: Of stochastic rounding.

    Note:
        ``bits`` counts two's complement, 7 for ``UQ0.6``; a program stores such codes unsigned, in 6.
        Under ``SR`` equal weights have equal codes: random numbers are keyed by the seed, by the weight's place
        and by the values of all the layer's weights. Each update so rounds with fresh numbers, while training,
        evaluation and export of the same weights agree.
    """

    name: ClassVar[str] = "qif"
    summary: ClassVar[str] = "fixed point Qi.f: TR, RN or SR, saturate or wrap, no learnable scale (Q-SpiNN)"
    bits_allowed: ClassVar[tuple[int, int]] = (1, 32)

    def __init__(
        self,
        format: str = "Q1.6",
        rounding: Literal["TR", "RN", "SR"] = "RN",
        overflow: Literal["saturate", "wrap"] = "saturate",
        seed: int = 0,
    ) -> None:
        self._fmt = self._parsed(format)
        super().__init__(self._fmt.width + (isinstance(self._fmt, QFormat) and not self._fmt.signed))
        self._check("rounding", rounding, tuple(Rounding))
        self._check("overflow", overflow, tuple(Overflow))
        if seed < 0:
            raise ValueError(f"quantizer 'qif': seed is {seed}; it must not be negative")
        self.rounding, self.overflow, self.seed = Rounding(rounding), Overflow(overflow), seed

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return ``format`` and ``rounding``; ``FP32`` is not rounded."""
        if isinstance(fmt, IntFormat):
            raise PluginError(
                f"quantizer 'qif' cannot give '{name}' the format {fmt}; it takes FP32 and formats like Q1.6 and UQ0.6"
            )
        return {"format": str(fmt)} if fmt == FP32 else {"format": str(fmt), "rounding": str(rounding)}

    @property
    def fmt(self) -> Format:
        """The format."""
        return self._fmt

    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the codes, int32; ``scale`` must be the format's own step.

        Raises:
            UsageError: The format is ``FP32``, or a value is NaN or infinite.
            ValueError: ``scale`` is another.
        """
        step = self.fixed_scale
        if step is not None and not bool((scale == step).all()):
            raise ValueError(f"quantizer 'qif': scale is {scale.tolist()}; it must be {step}, the step of {self._fmt}")
        return to_codes(x, self._fmt, self.rounding, self.overflow, self._key(x)).codes.to(torch.int32)

    def overflows(self, x: Tensor, scale: Tensor) -> int:
        """Return how many values the format does not hold: saturated, or wrapped."""
        return to_codes(x, self._fmt, self.rounding, self.overflow, self._key(x)).overflows

    def _key(self, x: Tensor) -> RandomKey | None:
        return content_key(self.seed, "w", x) if self.rounding is Rounding.SR else None

    def _parsed(self, text: str) -> QFormat | FloatFormat:
        fmt = parse_format(text)
        if isinstance(fmt, IntFormat) or (isinstance(fmt, QFormat) and fmt.width > MOST_BITS):
            raise ValueError(
                f"quantizer 'qif': format is {text}; it must be FP32, or one like Q1.6 or UQ0.6"
                f" of {MOST_BITS} bits at most"
            )
        return fmt

    def _check(self, option: str, value: str, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            words = ", ".join(str(word) for word in allowed)
            raise ValueError(f"quantizer 'qif': {option} is {value!r}; it must be one of {words}")
