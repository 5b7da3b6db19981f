"""MINT's Eq. 10 by hand-computed integers, and where its clip starts."""

import math

import pytest
import torch

from spikequant_mint.quantizers import Mint, VanillaUq

SCALE = torch.tensor(0.25)
WEIGHTS = torch.tensor([1.0, -1.0, 0.5, -0.5])


@pytest.mark.parametrize(
    ("bits", "x", "codes"),
    [
        (4, [0.124, 0.125, -0.125, -0.126, 0.375, -0.375], [0, 1, 0, -1, 2, -1]),
        (4, [1.6, 1.624, 1.625, 1.75, 5.0, 1e30], [6, 6, 7, 7, 7, 7]),
        (4, [-1.6, -1.625, -1.626, -1.75, -5.0, -1e30], [-6, -6, -7, -7, -7, -7]),
        (2, [0.124, 0.125, 0.25, 9.0, -0.125, -0.13, -9.0], [0, 1, 1, 1, 0, -1, -1]),
        (8, [31.75, 31.8, -31.8, 0.25], [127, 127, -127, 1]),
    ],
)
@pytest.mark.parametrize("quantizer", [Mint, VanillaUq])
def test_equation_10_clamps_then_rounds_half_up(quantizer, bits, x, codes):
    got = quantizer(bits=bits).quantize(torch.tensor(x), SCALE)
    assert got.dtype == torch.int32
    assert got.tolist() == codes


def test_one_code_is_the_clip_divided_by_the_largest_code():
    """a = 1.75 at 4 bits: s(4) = 7, so one code is worth 0.25, and a itself is code 7."""
    quantizer = Mint(bits=4)
    assert quantizer.code_range == (-7, 7)
    assert quantizer.dequantize(quantizer.quantize(torch.tensor(1.75), SCALE), SCALE).item() == 1.75


@pytest.mark.parametrize(
    ("bits", "init", "clip"),
    [
        (4, "mean", 1.5 * math.sqrt(7)),
        (8, "mean", 1.5 * math.sqrt(127)),
        (4, "max", 1.0),
        (4, "paper", 1.5 / 7),
        (8, "paper", 1.5 / 127),
        (2, "mean", 1.5),
        (2, "paper", 1.5),
    ],
)
def test_the_clip_starts_at_twice_the_mean_magnitude_or_the_largest(bits, init, clip):
    assert Mint(bits=bits, init=init).initial_clip(WEIGHTS) == clip


def test_the_papers_start_saturates_nearly_every_weight_at_8_bits():
    """Eq. 10 uses the clip as a range; 2 <|w|> / s(8) leaves 1/64 of the mean magnitude of it."""
    weights = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    saturated = {}
    for init in ("paper", "mean", "max"):
        quantizer = Mint(bits=8, init=init)
        scale = torch.tensor(quantizer.initial_clip(weights) / 127)
        saturated[init] = (quantizer.quantize(weights, scale).abs() == 127).double().mean().item()
    assert saturated["paper"] > 0.98
    assert saturated["mean"] < 0.001
    assert saturated["max"] < 0.001


def test_weights_that_are_all_zero_have_a_clip_all_the_same():
    assert Mint().initial_clip(torch.zeros(3)) == 1e-6


def test_the_clips_gradient_is_scaled_by_the_root_of_weights_times_codes():
    assert Mint(bits=4).clip_gradient_scale(28) == 1 / math.sqrt(28 * 7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 1}, r"^quantizer 'mint': bits is 1; it must be between 2 and 16$"),
        ({"bits": 17}, r"^quantizer 'mint': bits is 17; it must be between 2 and 16$"),
        ({"init": "median"}, r"^quantizer 'mint': init is 'median'; it must be mean, max or paper$"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Mint(**options)
