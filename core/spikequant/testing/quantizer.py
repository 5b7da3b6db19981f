"""The contract of a quantizer as checks: integers of one size, within their bits, and a gradient for training."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from spikequant.errors import ContractError, PluginError, UsageError
from spikequant.formats import parse_format
from spikequant.quantizer import Quantizer
from spikequant.rounding import Overflow, Rounding
from spikequant.testing.kit import Contract

SHAPES = ((), (7,), (5, 3), (4, 3, 3, 3), (0, 3))
SCALES = (1.0, 0.037, 2.0**-20, 900.0)
DTYPES = (torch.float32, torch.float64)
FORMATS = tuple(parse_format(text) for text in ("INT2", "INT8", "Q1.6", "Q0.0", "UQ0.8", "FP32"))
Case = tuple[str, Tensor, Tensor]


def check_described(quantizer: Quantizer) -> None:
    """The quantizer has a name and a width."""
    label = type(quantizer).__name__
    name: object = getattr(quantizer, "name", None)
    assert isinstance(name, str), f"{label}.name is {name!r}; it must be a text"
    assert name.strip(), f"{label}.name is empty; it must be a word"
    bits: object = getattr(quantizer, "bits", None)
    assert isinstance(bits, int), f"{label}.bits is {bits!r}; call super().__init__(bits)"


def check_range(quantizer: Quantizer) -> None:
    """``code_range`` holds 0 and fits the bits."""
    try:
        quantizer.checked_range()
    except ContractError as error:
        raise AssertionError(str(error)) from error


def check_fixed_scale(quantizer: Quantizer) -> None:
    """A scale that the quantizer fixes is positive and finite."""
    size: object = quantizer.fixed_scale
    usable = size is None or (isinstance(size, float) and math.isfinite(size) and size > 0)
    assert usable, f"quantizer '{quantizer.name}': fixed_scale is {size!r}; it must be a positive number, or None"


def check_rounding(quantizer: Quantizer) -> None:
    """``rounding`` and ``overflow`` are rules that programs know."""
    rounding: object = quantizer.rounding
    overflow: object = quantizer.overflow
    known = isinstance(rounding, Rounding) and isinstance(overflow, Overflow)
    assert known, (
        f"quantizer '{quantizer.name}': rounding is {rounding!r} and overflow {overflow!r};"
        " they must be a Rounding and an Overflow"
    )


def check_format_options(quantizer: Quantizer) -> None:
    """A format gives options that the constructor takes, and a quantizer of that format; or it is refused."""
    cls = type(quantizer)
    for fmt in FORMATS:
        for rounding in Rounding:
            where = f"quantizer '{quantizer.name}': format_options() of {fmt} with {rounding}"
            try:
                options = cls.format_options("w", fmt, rounding)
            except PluginError:
                continue
            except UsageError as error:
                raise AssertionError(f"{where} raised {type(error).__name__}; raise PluginError to refuse") from error
            try:
                made = cls(**options)
            except (TypeError, ValueError) as error:
                raise AssertionError(f"{where} are {options}, and the constructor refuses: {error}") from error
            assert made.fmt == fmt, f"{where} are {options}, and make a quantizer to {made.fmt}"


def check_codes(quantizer: Quantizer) -> None:
    """Codes are int32 (or another integer type), shaped like the values, within ``code_range``."""
    for label, x, scale in cases(quantizer):
        try:
            quantizer.checked_codes(x, scale)
        except (TypeError, ValueError) as error:
            raise AssertionError(f"{error} (given {label})") from error


def check_zero(quantizer: Quantizer) -> None:
    """Zero has code zero: no weight, no spike and no padding stays nothing."""
    for size in scales(quantizer):
        codes = quantizer.quantize(torch.zeros(3), torch.tensor(size))
        zeros = torch.equal(codes, torch.zeros_like(codes))
        assert zeros, f"quantizer '{quantizer.name}': 0.0 at scale {size} has code {codes.tolist()}; it must be 0"


def check_uses_codes(quantizer: Quantizer) -> None:
    """Values across the range have codes of every sign that the range has."""
    low, high = quantizer.code_range
    size = scales(quantizer)[0]
    codes = quantizer.quantize(torch.linspace(low, high, 101) * size, torch.tensor(size))
    least, most = int(codes.min()), int(codes.max())
    used = (least < 0 or low == 0) and (most > 0 or high == 0)
    assert used, (
        f"quantizer '{quantizer.name}': values from {low * size:g} to {high * size:g} at scale {size:g} have codes"
        f" {least}..{most}; codes of every sign in its range {low}..{high} must occur"
    )


def check_scale_broadcasts(quantizer: Quantizer) -> None:
    """One scale per channel gives what each channel gives with its own scale (none is its own if it is fixed)."""
    if quantizer.rounding is Rounding.SR:
        return  # an element's random number is keyed by its place in the whole tensor
    x = _values((4, 3, 3), torch.float32, 0.5)
    fixed = quantizer.fixed_scale
    scale = torch.tensor([0.1, 0.25, 0.5, 3.0] if fixed is None else [fixed] * 4)
    whole = quantizer.quantize(x, scale.reshape(4, 1, 1))
    for channel in range(4):
        alone = quantizer.quantize(x[channel], scale[channel])
        differing = int((whole[channel] != alone).sum())
        assert not differing, (
            f"quantizer '{quantizer.name}': {differing} codes of channel {channel} change when the other channels"
            " have other scales; use the scale by broadcasting only"
        )


def check_deterministic(quantizer: Quantizer) -> None:
    """The same values have the same codes, whatever the state of torch's random generator."""
    for label, x, scale in cases(quantizer):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            first = quantizer.quantize(x, scale)
            torch.manual_seed(2)
            second = quantizer.quantize(x, scale)
        same = torch.equal(first, second)
        assert same, f"quantizer '{quantizer.name}': a second call gives other codes (given {label})"


def check_inputs_unchanged(quantizer: Quantizer) -> None:
    """Neither values nor scale are written to."""
    for label, x, scale in cases(quantizer):
        kept = x.clone(), scale.clone()
        quantizer.quantize(x, scale)
        same = torch.equal(x, kept[0]) and torch.equal(scale, kept[1])
        assert same, f"quantizer '{quantizer.name}': quantize() wrote to its arguments (given {label})"


def check_dequantize(quantizer: Quantizer) -> None:
    """``value = code * scale``."""
    low, high = quantizer.code_range
    codes = torch.tensor([low, -1, 0, 1, high], dtype=torch.int32)
    scale = torch.tensor([0.25, 0.037, 1.0, 3.0, 0.5])
    got = quantizer.dequantize(codes, scale)
    for code, size, value in zip(codes.tolist(), scale, got, strict=True):
        right = bool(value == code * size)
        assert right, f"quantizer '{quantizer.name}': code {code} of scale {size:g} is worth {value:g}"


def check_training_codes(quantizer: Quantizer) -> None:
    """What training computes with is exactly ``quantize``, as floats."""
    for label, x, scale in cases(quantizer):
        codes = quantizer.quantize(x, scale)
        trained = quantizer.codes_with_gradient(x.clone().requires_grad_(), scale.clone().requires_grad_())
        where = f"quantizer '{quantizer.name}': codes_with_gradient()"
        assert trained.is_floating_point(), f"{where} returned {trained.dtype}; it must return floats"
        differing = int((trained.detach().double() != codes.double()).sum())
        assert not differing, f"{where} differs from quantize() in {differing} codes (given {label})"


def check_gradient(quantizer: Quantizer) -> None:
    """The gradient is that of ``x / scale`` within the range, and zero outside."""
    low, high = quantizer.code_range
    ratio = torch.tensor([low * 2.0, low - 0.7, low * 0.6, -0.4, 0.0, 0.3, high * 0.8, high + 0.7, high * 2.0])
    size = quantizer.fixed_scale or 0.125
    x = (ratio.double() * size).requires_grad_()
    scale = torch.full_like(x, size).requires_grad_()
    quantizer.codes_with_gradient(x, scale).sum().backward()  # type: ignore[no-untyped-call]
    inside = (ratio >= low) & (ratio <= high)
    wanted = {"x": inside.double() / size, "scale": inside.double() * -ratio.double() / size}
    for what, given in (("x", x), ("scale", scale)):
        where = f"quantizer '{quantizer.name}': the gradient to {what}"
        assert given.grad is not None, f"{where} is missing; do not detach it"
        for code, got, want in zip(ratio.tolist(), given.grad.tolist(), wanted[what].tolist(), strict=True):
            near = math.isclose(got, want, rel_tol=1e-6, abs_tol=1e-9)
            assert near, f"{where} is {got:g} where x / scale is {code:g}; it must be {want:g}"


def check_initial_clip(quantizer: Quantizer) -> None:
    """Training starts from a positive clip, whatever the weights, unless the scale is fixed."""
    if quantizer.fixed_scale is not None:
        return
    for label, weights in (("random weights", _values((5, 4), torch.float32, 0.1)), ("zero weights", torch.zeros(4))):
        for what, value in (
            ("initial_clip()", quantizer.initial_clip(weights)),
            ("clip_gradient_scale()", quantizer.clip_gradient_scale(weights.numel())),
        ):
            usable = math.isfinite(value) and value > 0
            assert usable, f"quantizer '{quantizer.name}': {what} of {label} is {value}; it must be positive and finite"


def scales(quantizer: Quantizer) -> tuple[float, ...]:
    """Return the sizes of one code to try: the only one, if the quantizer fixes it."""
    return SCALES if quantizer.fixed_scale is None else (quantizer.fixed_scale,)


def cases(quantizer: Quantizer) -> Iterator[Case]:
    """Values of several shapes, types and sizes: random, on codes, halfway between codes, far outside."""
    for shape in SHAPES:
        for dtype in DTYPES:
            for size in scales(quantizer):
                kind = str(dtype).removeprefix("torch.")
                label = f"{kind} values of shape {shape} at scale {size:g}"
                yield label, _values(shape, dtype, size), torch.tensor(size, dtype=dtype)


def _values(shape: tuple[int, ...], dtype: torch.dtype, size: float) -> Tensor:
    generator = torch.Generator().manual_seed(len(shape))
    ratio = torch.randn(shape, generator=generator, dtype=torch.float64) * 40.0
    kind = torch.randint(0, 4, shape, generator=generator)
    ratio = torch.where(kind == 1, ratio.round(), torch.where(kind == 2, ratio.floor() + 0.5, ratio))
    return (torch.where(kind == 3, ratio * 1e6, ratio) * size).to(dtype)


quantizer_checks: Contract[Quantizer] = Contract(
    "quantizer",
    (
        check_described,
        check_range,
        check_fixed_scale,
        check_rounding,
        check_format_options,
        check_codes,
        check_zero,
        check_uses_codes,
        check_scale_broadcasts,
        check_deterministic,
        check_inputs_unchanged,
        check_dequantize,
        check_training_codes,
        check_gradient,
        check_initial_clip,
    ),
)
