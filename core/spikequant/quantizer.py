"""The contract of a quantizer: real values to integer codes of one size."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from spikequant.errors import ContractError
from spikequant.gradients import straight_through_codes


class Quantizer(ABC):
    """Turns real values into integer codes, ``value = code * scale``.

    A subclass sets ``name`` and writes :meth:`quantize`; range, dequantize, the straight-through
    gradient for training, and the starting clip come from it. Whatever else it needs are keyword
    arguments of its constructor with defaults: the recipe's ``[quantizer]`` table sets them.

    Attributes:
        bits: Width of one code; codes lie in ``code_range``.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""

    def __init__(self, bits: int = 8) -> None:
        if not isinstance(bits, int) or not 2 <= bits <= 16:
            raise ValueError(f"quantizer '{self.name}': bits is {bits!r}; it must be between 2 and 16")
        self.bits = bits

    @abstractmethod
    def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return int32 codes shaped like ``x``.

        Args:
            x: Real values, any shape.
            scale: Real size of one code, positive; a scalar, or a shape that broadcasts with ``x``.
        """

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code, both included: ``[-s, s]`` with ``s = 2**(bits-1) - 1``.

        A subclass may narrow it, symmetrically: lowering negates codes, and stores ``bits`` of each.
        """
        top = (1 << (self.bits - 1)) - 1
        return -top, top

    def dequantize(self, codes: Tensor, scale: Tensor) -> Tensor:
        """Return the real values that ``codes`` stand for."""
        return codes * scale

    def initial_clip(self, x: Tensor) -> float:
        """Return the real magnitude that the largest code starts with, for values ``x``."""
        return float(x.detach().abs().max().clamp_min(1e-6))

    def clip_gradient_scale(self, count: int) -> float:
        """Factor on the gradient of a learnable clip shared by ``count`` values."""
        return 1.0 / math.sqrt(count * self.checked_range()[1])

    def codes_with_gradient(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the codes as floats, differentiable by the straight-through estimator.

        Forward: exactly ``quantize(x, scale)``. Backward: as if the code were ``x / scale`` inside
        the range and constant outside (for ``x`` and for ``scale``).
        """
        return straight_through_codes(x, scale, self.checked_codes(x.detach(), scale.detach()), self.code_range)

    def checked_range(self) -> tuple[int, int]:
        """Return ``code_range``, checked to be symmetric and within ``bits``.

        Raises:
            ContractError: It is not.
        """
        low, high = self.code_range
        top, where = (1 << (self.bits - 1)) - 1, f"quantizer '{self.name}': code_range is {low}..{high}"
        if not isinstance(low, int) or not isinstance(high, int):
            raise ContractError(f"{where}; codes are integers, so return two int")
        if low != -high:
            raise ContractError(f"{where}; it must be symmetric, since lowering negates codes: return -s..s")
        if not 1 <= high <= top:
            raise ContractError(f"{where}; {self.bits} bits hold {-top}..{top}, and it needs a code of 1 at least")
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
