"""The contract of a quantizer: real values to integer codes of one size."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from spikequant.errors import ContractError, PluginError, UsageError
from spikequant.formats import FloatFormat, Format, IntFormat, QFormat
from spikequant.gradients import straight_through_codes
from spikequant.rounding import Overflow, Rounding


class Quantizer(ABC):
    """Turns real values into integer codes, ``value = code * scale``.

    A subclass sets ``name`` and writes :meth:`quantize`; range, dequantize, the straight-through
    gradient for training, and the starting clip come from it. Whatever else it needs are keyword
    arguments of its constructor with defaults: the recipe's ``[quantizer]`` table sets them.

    Equal values must always have equal codes: training, evaluation, export and a resumed run then agree. A
    stochastic quantizer keys its random numbers by the values, see :func:`spikequant.content_draw.content_key`.

    Attributes:
        bits: Width of one code in two's complement; codes lie in ``code_range``.
        bits_allowed: Fewest and most bits.
        rounding: The rule it rounds by.
        overflow: What becomes of values beyond the range.
        seed: Of stochastic rounding.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    bits_allowed: ClassVar[tuple[int, int]] = (2, 16)
    rounding: Rounding = Rounding.RN
    overflow: Overflow = Overflow.SATURATE
    seed: int = 0

    def __init__(self, bits: int = 8) -> None:
        least, most = self.bits_allowed
        if not isinstance(bits, int) or not least <= bits <= most:
            raise ValueError(f"quantizer '{self.name}': bits is {bits!r}; it must be between {least} and {most}")
        self.bits = bits

    @abstractmethod
    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return int32 codes shaped like ``x``.

        Args:
            x: Real values, any shape.
            scale: Real size of one code, positive; a scalar, or a shape that broadcasts with ``x``. Always
                ``fixed_scale`` if that is not None.
        """

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return the options of the constructor that give a quantity a format.

        Args:
            name: Of the quantity, for the error.
            fmt: Its format.
            rounding: How values are rounded to it.

        Raises:
            PluginError: This quantizer does not have the format, or not that rounding.
        """
        if isinstance(fmt, IntFormat) and rounding is Rounding.RN:
            return {"bits": fmt.bits}
        raise PluginError(
            f"quantizer '{cls.name}' cannot give '{name}' the format {fmt} with {rounding};"
            " it takes INT2, INT3 and so on, with RN"
        )

    @property
    def fmt(self) -> Format:
        """The format of the values. ``FP32`` stands for none: a layer then stays in floats and cannot be lowered."""
        return IntFormat(self.bits)

    @property
    def fixed_scale(self) -> float | None:
        """Real size of one code if the format decides it (``2**-f`` of a ``Qi.f``); None: a layer learns its clip."""
        return self.fmt.step if isinstance(self.fmt, QFormat) else None

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code, both included: by default those of :attr:`fmt`.

        A subclass may narrow it. It holds 0, and need not be symmetric.
        """
        if isinstance(self.fmt, FloatFormat):
            raise UsageError(f"quantizer '{self.name}': FP32 has no codes; choose a format like Q1.6")
        return self.fmt.code_range

    def dequantize(self, codes: Tensor, scale: Tensor) -> Tensor:
        """Return the real values that ``codes`` stand for."""
        return codes * scale

    def initial_clip(self, x: Tensor) -> float:
        """Return the real magnitude that the largest code starts with, for values ``x``."""
        return float(x.detach().abs().max().clamp_min(1e-6))

    def clip_gradient_scale(self, count: int) -> float:
        """Factor on the gradient of a learnable clip shared by ``count`` values."""
        return 1.0 / math.sqrt(count * self.checked_range()[1])

    def overflows(self, x: Tensor, scale: Tensor) -> int:
        """Return how many of ``x`` lie beyond the smallest or the largest code, where no gradient passes."""
        low, high = self.checked_range()
        ratio = x.detach() / scale.detach()
        return int(((ratio < low) | (ratio > high)).sum())

    def codes_with_gradient(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the codes as floats, differentiable by the straight-through estimator.

        Forward: exactly ``quantize(x, scale)``. Backward: as if the code were ``x / scale`` inside
        the range and constant outside (for ``x`` and for ``scale``).
        """
        return straight_through_codes(x, scale, self.checked_codes(x.detach(), scale.detach()), self.code_range)

    def checked_range(self) -> tuple[int, int]:
        """Return ``code_range``, checked to hold 0 and more, and to fit ``bits``.

        Raises:
            ContractError: It does not.
        """
        low, high = self.code_range
        top, where = 1 << (self.bits - 1), f"quantizer '{self.name}': code_range is {low}..{high}"
        if not isinstance(low, int) or not isinstance(high, int):
            raise ContractError(f"{where}; codes are integers, so return two int")
        if not low <= 0 <= high or low == high:
            raise ContractError(f"{where}; it must hold 0, the code of no weight, and one code more at least")
        if low < -top or high >= top:
            raise ContractError(f"{where}; {self.bits} bits hold {-top}..{top - 1}, so narrow it")
        if self.fixed_scale is None and high < 1:
            raise ContractError(f"{where}; a learnable clip is the size of the largest code, so it must be 1 at least")
        return low, high

    def checked_codes(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return ``quantize(x, scale)``, checked to be integers of the same shape within ``code_range``.

        Raises:
            ContractError: They are not (a TypeError and a ValueError as well), or ``code_range`` is none.
        """
        low, high = self.checked_range()
        codes: object = self.quantize(x, scale)
        if not isinstance(codes, Tensor):
            raise ContractError(f"quantizer '{self.name}' returned a {type(codes).__name__}; return a torch.Tensor")
        if codes.is_floating_point() or codes.is_complex():
            raise ContractError(
                f"quantizer '{self.name}' returned {str(codes.dtype).removeprefix('torch.')} codes;"
                " codes are integers, so end quantize() with .to(torch.int32)"
            )
        if codes.shape != x.shape:
            raise ContractError(
                f"quantizer '{self.name}' returned codes of shape {tuple(codes.shape)} for values of shape"
                f" {tuple(x.shape)}; return one code per value"
            )
        least, most = (int(end) for end in codes.aminmax()) if codes.numel() else (low, high)
        if least < low or most > high:
            raise ContractError(
                f"quantizer '{self.name}' returned codes {least}..{most};"
                f" its code_range at {self.bits} bits is {low}..{high}, so clamp in quantize()"
            )
        return codes
