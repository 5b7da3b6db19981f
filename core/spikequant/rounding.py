"""Rounding of real values to integer codes, with overflow counted; NumPy and torch give the same bits.

Normative text: docs/formats.md. Everything is computed in float64: scaling by a power of two and taking
the floor are exact there, so each rule below is exact too.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.errors import UsageError
from spikequant.formats import FloatFormat, Format, IntFormat, QFormat

Array = NDArray[Any]
Lsb = float | Array | Tensor
T = TypeVar("T", Array, Tensor)
EXACT = 1 << 53


class Rounding(str, Enum):
    """How ``x / step``, with floor k and rest r, becomes a code.

    ``TR``: k (toward minus infinity). ``RN``: k + [r >= 1/2] (half rounds up). ``SR``: k + [P < r],
    P uniform in [0, 1) from :mod:`spikequant.counter_rng`.
    """

    TR = "TR"
    RN = "RN"
    SR = "SR"

    def __str__(self) -> str:
        return self.value


class Overflow(str, Enum):
    """What becomes of a code out of range: the nearest code (``saturate``), or its low bits (``wrap``)."""

    SATURATE = "saturate"
    WRAP = "wrap"

    def __str__(self) -> str:
        return self.value


class Codes(NamedTuple, Generic[T]):
    """Integer codes (int64, shaped like the input) and how many of them overflow changed."""

    codes: T
    overflows: int


@overload
def to_codes(
    x: Tensor,
    fmt: Format,
    rounding: Rounding | str = ...,
    overflow: Overflow | str = ...,
    key: RandomKey | None = ...,
    *,
    lsb: Lsb | None = ...,
) -> Codes[Tensor]: ...
@overload
def to_codes(
    x: Array | float,
    fmt: Format,
    rounding: Rounding | str = ...,
    overflow: Overflow | str = ...,
    key: RandomKey | None = ...,
    *,
    lsb: Lsb | None = ...,
) -> Codes[Array]: ...
def to_codes(
    x: Array | Tensor | float,
    fmt: Format,
    rounding: Rounding | str = Rounding.RN,
    overflow: Overflow | str = Overflow.SATURATE,
    key: RandomKey | None = None,
    *,
    lsb: Lsb | None = None,
) -> Codes[Any]:
    r"""Round real values to codes of a format.

    .. math::
        k = \lfloor x / \epsilon \rfloor, \quad r = x / \epsilon - k, \quad
        TR: k, \quad RN: k + [r \ge 1/2], \quad SR: k + [P < r]

    Source: Q-SpiNN, Section III-B (truncation, rounding to nearest, stochastic rounding).

    Args:
        x: Finite real values of any shape: a NumPy array or a torch tensor of floats up to 64 bits or of
            integers up to 2**53. A float32 value gives the code of the equal float64 value.
        fmt: ``Qi.f``, ``UQi.f`` or ``INTn``.
        rounding: ``TR``, ``RN`` or ``SR``.
        overflow: ``saturate`` or ``wrap``; ``INTn`` is symmetric and takes only ``saturate``.
        key: Keys the random numbers of ``SR``; the element's index is its position in C order plus ``key.first``.
        lsb: For ``INTn`` only: real size of one code, positive; a number, or an array that broadcasts with ``x``.

    Returns:
        int64 codes like ``x`` (on its device), and the number of values whose code did not fit.

    Raises:
        UsageError: A value is NaN or infinite, an argument does not go with the format, or ``fmt`` is ``FP32``.
        TypeError: ``x`` holds neither real floats nor integers.

    Note:
        With an ``lsb`` that is not a power of two, ``x / lsb`` is the correctly rounded float64 quotient.
        ``SR`` draws P as a multiple of ``2**-53``, so a rest r rounds up with a probability within ``2**-53`` of r.

    >>> to_codes(np.array([-0.75, 0.25, 0.5, 9.0]), QFormat(1, 1))
    Codes(codes=array([-1,  1,  1,  3]), overflows=1)
    >>> to_codes(torch.tensor([-0.75, 0.25, 0.5, 9.0]), QFormat(1, 1), "TR", "wrap")
    Codes(codes=tensor([-2,  0,  1,  2]), overflows=1)
    >>> to_codes(np.array([0.3, -2.0]), IntFormat(4), lsb=0.25)
    Codes(codes=array([ 1, -7]), overflows=1)
    """
    rule: Rounding = _choice(Rounding, rounding)
    wraps = _choice(Overflow, overflow) is Overflow.WRAP
    low, high = _code_range(fmt, wraps)
    values = _float64(x)
    xp: Any = torch if isinstance(values, Tensor) else np
    ratio = _ratio(values, fmt, lsb)
    code = xp.floor(ratio)
    if rule is not Rounding.TR:
        code = code + _rounds_up(ratio, code, rule, key)
    outside = (code < float(low)) | (code >= float(high + 1))
    overflows = int(outside.sum())
    if overflows:
        code = _wrapped(code, fmt) if wraps else xp.clip(code, float(low), float(high))
    return Codes(code.to(torch.int64) if isinstance(code, Tensor) else np.asarray(code, dtype=np.int64), overflows)


@overload
def from_codes(codes: Tensor, fmt: Format, *, lsb: Lsb | None = ...) -> Tensor: ...
@overload
def from_codes(codes: Array, fmt: Format, *, lsb: Lsb | None = ...) -> Array: ...
def from_codes(codes: Array | Tensor, fmt: Format, *, lsb: Lsb | None = None) -> Array | Tensor:
    """Return the real values that ``codes`` stand for, as float64 (exact for ``Qi.f``).

    Args:
        codes: Integers of any shape, within the range of ``fmt``.
        fmt: As in :func:`to_codes`.
        lsb: As in :func:`to_codes`.

    Raises:
        UsageError: A code is out of range, an argument does not go with the format, or ``fmt`` is ``FP32``.
        TypeError: ``codes`` are not integers.

    >>> from_codes(np.array([-2, 3]), QFormat(1, 1))
    array([-1. ,  1.5])
    """
    low, high = _code_range(fmt, wraps=False)
    array = codes if isinstance(codes, Tensor) else np.asarray(codes)
    if _kind(array) != "integer":
        raise TypeError(f"codes are {array.dtype}; they must be integers")
    if _size(array) and (int(array.min()) < low or int(array.max()) > high):
        raise UsageError(f"codes reach {int(array.min())}..{int(array.max())}, and {fmt} holds {low}..{high}")
    values = _float64(array)
    product: Array | Tensor = values * _step(fmt, lsb, values)
    return product


def _choice(kind: type[Any], value: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise UsageError(f"{kind.__name__.lower()} is {value!r}; it must be one of {allowed}") from None


def _code_range(fmt: Format, wraps: bool) -> tuple[int, int]:
    if isinstance(fmt, FloatFormat):
        raise UsageError("FP32 has no codes; use the values as they are, or choose a format like Q1.6 or INT4")
    if isinstance(fmt, IntFormat) and wraps:
        low, high = fmt.code_range
        raise UsageError(
            f"{fmt} is symmetric, {low}..{high}, and wrap yields {low - 1} too; use saturate, or a Q format"
        )
    return fmt.code_range


def _kind(array: Array | Tensor) -> str:
    if isinstance(array, Tensor):
        return "real" if array.is_floating_point() else "other" if array.is_complex() else "integer"
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return "real"
    return "integer" if array.dtype.kind in "iub" else "other"


def _size(array: Array | Tensor) -> int:
    return array.numel() if isinstance(array, Tensor) else array.size


def _float64(x: Any) -> Array | Tensor:
    """Return ``x`` as finite float64 values, each exactly what was given."""
    array = x.detach() if isinstance(x, Tensor) else np.asarray(x)
    kind = _kind(array)
    if kind == "other":
        raise TypeError(f"values are {array.dtype}; they must be floats of at most 64 bits or integers")
    if kind == "integer":
        reach = max(-int(array.min()), int(array.max())) if _size(array) else 0
        if reach > EXACT:
            raise UsageError(f"integer values reach {reach} in magnitude, and float64 holds them only up to {EXACT}")
    values = array.to(torch.float64) if isinstance(array, Tensor) else array.astype(np.float64)
    finite = torch.isfinite(values) if isinstance(values, Tensor) else np.isfinite(values)
    if not bool(finite.all()):
        bad = int((~finite).sum())
        raise UsageError(
            f"{bad} of {_size(array)} values are NaN or infinite; a format holds finite values, so mend or mask them"
        )
    return values


def _ratio(values: Any, fmt: Format, lsb: Lsb | None) -> Any:
    """``x / step``: exact for ``Qi.f`` unless it leaves float64, which then reads as infinite."""
    step = _step(fmt, lsb, values)
    with np.errstate(over="ignore"):
        ratio = values / step
    if tuple(ratio.shape) != tuple(values.shape):
        raise UsageError(f"lsb of shape {tuple(step.shape)} does not broadcast to values of {tuple(values.shape)}")
    return ratio


def _step(fmt: Format, lsb: Lsb | None, like: Any) -> Any:
    """Real size of one code: ``2**-f``, or the given lsb in float64 as an array of the kind of ``like``."""
    if isinstance(fmt, QFormat):
        if lsb is not None:
            raise UsageError(f"{fmt} has the step 2**-{fmt.frac_bits}, and an lsb was given; lsb goes with INTn only")
        return fmt.step
    if lsb is None:
        raise UsageError(f"{fmt} needs the real size of one code; give lsb=")
    if isinstance(like, Tensor):
        step: Any = torch.as_tensor(lsb, dtype=torch.float64, device=like.device).detach()
        good = (step > 0) & torch.isfinite(step)
    else:
        step = np.asarray(lsb.detach().cpu() if isinstance(lsb, Tensor) else lsb, dtype=np.float64)
        good = (step > 0) & np.isfinite(step)
    if not bool(good.all()):
        raise UsageError(f"lsb reaches {float(step.min())}..{float(step.max())}; it must be positive and finite")
    return step


def _rounds_up(ratio: Any, code: Any, rounding: Rounding, key: RandomKey | None) -> Any:
    """Return 1.0 where the code is the next one above the floor."""
    if rounding is Rounding.RN:
        with np.errstate(invalid="ignore"):
            return _one_where(ratio - code >= 0.5)
    if key is None:
        raise UsageError("SR draws random numbers, and no key was given; give key=RandomKey(seed, tensor)")
    count = math.prod(ratio.shape)
    if isinstance(ratio, Tensor):
        elements: Any = torch.arange(count, device=ratio.device).reshape(ratio.shape)
        chance: Any = uniforms(key, elements)
        return _one_where(torch.where(code == -1.0, chance - 1.0 < ratio, chance < ratio - code))
    chance = uniforms(key, np.arange(count, dtype=np.int64).reshape(ratio.shape))
    with np.errstate(invalid="ignore"):
        return _one_where(np.where(code == -1.0, chance - 1.0 < ratio, chance < ratio - code))


def _one_where(condition: Any) -> Any:
    return condition.to(torch.float64) if isinstance(condition, Tensor) else condition.astype(np.float64)


def _wrapped(code: Any, fmt: Format) -> Any:
    """Keep the low bits; exact, since each step only drops high bits. What left float64 has low bits of zero."""
    xp: Any = torch if isinstance(code, Tensor) else np
    low, high = fmt.code_range if isinstance(fmt, QFormat) else (0, 0)
    modulus = float(high - low + 1)
    code = xp.where(xp.isinf(code), xp.zeros_like(code), code)
    code = code - xp.floor(code / modulus) * modulus
    return xp.where(code > float(high), code - modulus, code)
