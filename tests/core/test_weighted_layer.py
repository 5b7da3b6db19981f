"""Weights, clip and BatchNorm: folded into integers by hand-computed values, and as training computes them."""

import re

import pytest
import torch

from spikequant import Quantizer
from spikequant.errors import ContractError, UsageError
from spikequant.lif_neuron import integer_threshold
from spikequant.model import WeightedLayer
from spikequant.model.weighted_layer import BIAS_LIMIT, EPSILON, LEAST_GAIN
from spikequant_mint.quantizers import Mint


def layer(weights, *, batch_norm=False, bias=True, x_scale=1.0, peak=1, bits=4, **options):
    made = WeightedLayer(tuple(weights.shape), x_scale=x_scale, peak=peak, batch_norm=batch_norm, bias=bias, **options)
    with torch.no_grad():
        made.weight.copy_(weights)
        made.quantize_with(Mint(bits=bits, init="max"))
    return made.eval()


WEIGHTS = torch.tensor([[1.75, -0.25, 0.0], [0.5, 0.6, -1.75]])


def test_the_clip_starts_where_the_quantizer_says():
    made = layer(WEIGHTS)
    assert made.log_clip.exp().item() == pytest.approx(1.75)


def test_a_kept_clip_stays():
    made = layer(WEIGHTS)
    with torch.no_grad():
        made.log_clip.fill_(0.0)
    made.quantize_with(Mint(bits=4), keep_clip=True)
    assert made.log_clip.item() == 0.0


def test_codes_bias_and_unit_without_batch_norm():
    """Clip 1.75 at 4 bits: one code is 1/4; with an input unit of 1/16, one output unit is 1/64."""
    made = layer(WEIGHTS, x_scale=1 / 16)
    with torch.no_grad():
        made.beta.copy_(torch.tensor([0.5, -0.03]))
    folded = made.folded()
    assert folded.codes.tolist() == [[7, -1, 0], [2, 2, -7]]
    assert folded.lsb.tolist() == pytest.approx([1 / 64, 1 / 64])
    assert folded.bias.tolist() == [32, -2]


def test_batch_norm_folds_its_sign_into_codes_and_its_size_into_the_unit():
    """gain = gamma / sigma = 2 and -1/2 (sigma 1): units 1/2 and 1/8, bias (beta - mean * gain) / unit."""
    made = layer(WEIGHTS, batch_norm=True)
    with torch.no_grad():
        made.gamma.copy_(torch.tensor([2.0, -0.5]))
        made.beta.copy_(torch.tensor([1.0, 0.25]))
        made.mean.copy_(torch.tensor([-1.0, 1.0]))
        made.var.fill_(1.0 - EPSILON)
    folded = made.folded()
    assert folded.codes.tolist() == [[7, -1, 0], [-2, -2, 7]]
    assert folded.lsb.tolist() == pytest.approx([0.5, 0.125])
    assert folded.bias.tolist() == [6, 6]


def test_a_vanishing_gain_has_a_least_unit_and_keeps_its_constant():
    made = layer(WEIGHTS, batch_norm=True)
    with torch.no_grad():
        made.gamma.copy_(torch.tensor([0.0, -1e-30]))
        made.beta.copy_(torch.tensor([0.5, -1e9]))
        made.var.fill_(1.0 - EPSILON)
    folded = made.folded()
    # Nothing but float32's rounding separates these from lsb * LEAST_GAIN and 1e9 / (BIAS_LIMIT - 1).
    assert folded.lsb.tolist() == pytest.approx([0.25 * LEAST_GAIN, 1e9 / (BIAS_LIMIT - 1)])
    assert folded.bias.tolist() == [20000, 1 - BIAS_LIMIT]
    assert folded.codes.tolist() == [[7, -1, 0], [-2, -2, 7]]


@pytest.mark.parametrize("constant", [3.0, 1.5, 0.5, -3.0])
@pytest.mark.parametrize("peak", [1, 255])
def test_a_channel_without_gain_fires_exactly_when_its_constant_does(constant, peak):
    made = layer(WEIGHTS, batch_norm=True, x_scale=1.0 / peak, peak=peak, bits=8)
    with torch.no_grad():
        made.gamma.fill_(0.0)
        made.beta.fill_(constant)
    folded = made.folded()
    theta = integer_threshold(1.0, folded.lsb, strict=True)
    assert ((folded.bias >= theta) == (constant > 1.0)).all()


def test_a_bias_beyond_the_layer_is_refused():
    made = layer(WEIGHTS)
    with torch.no_grad():
        made.beta.fill_(1e9)
    with pytest.raises(
        UsageError, match=r"^a bias reaches 4194304 codes; it must stay below 4194304, so use fewer bits$"
    ):
        made.folded()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_forward_is_the_folded_integers(batch_norm):
    made = layer(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), batch_norm=batch_norm)
    with torch.no_grad():
        made.beta.copy_(torch.tensor([3.0, -1.0, 0.0, 0.3, 100.0]))
        if batch_norm:
            made.gamma.copy_(torch.tensor([1.0, -2.0, 1e-9, 3.0, -0.1]))
            made.mean.copy_(torch.tensor([0.0, 3.0, -1.0, 0.5, 2.0]))
            made.var.copy_(torch.tensor([1.0, 0.2, 9.0, 100.0, 0.0]))
    folded = made.folded()
    x = torch.randint(0, 2, (20, 8), generator=torch.Generator().manual_seed(1)).float()
    acc, lsb = made(x)
    assert torch.equal(acc, x @ folded.codes.T + folded.bias)
    assert torch.equal(lsb, folded.lsb)


def test_training_normalises_over_batch_and_space_and_tracks_it():
    made = layer(torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(0)), batch_norm=True, padding=1)
    x = torch.randint(0, 2, (6, 2, 5, 5), generator=torch.Generator().manual_seed(1)).float()
    made.train()
    acc, lsb = made(x)
    real = acc * lsb.reshape(1, -1, 1, 1)
    half = lsb.detach() / 2
    assert bool((real.mean((0, 2, 3)).abs() <= half).all())
    assert real.std((0, 2, 3), correction=0).tolist() == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)
    plain = made.linear(x, made._codes(made.quantizer)[0])
    unit = made._codes(made.quantizer)[1]
    assert made.mean.tolist() == pytest.approx((0.1 * unit * plain.mean((0, 2, 3))).tolist(), rel=1e-4)


def test_evaluation_does_not_touch_the_statistics():
    made = layer(WEIGHTS, batch_norm=True)
    made(torch.ones(4, 3))
    assert (made.mean.tolist(), made.var.tolist()) == ([0, 0], [1, 1])


def test_the_gradient_reaches_every_parameter():
    made = layer(WEIGHTS, batch_norm=True).train()
    acc, lsb = made(torch.eye(3))
    (acc * lsb * torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]])).sum().backward()
    for name in ("weight", "beta", "gamma"):
        assert bool(getattr(made, name).grad.any()), name


def test_without_batch_norm_the_clip_learns():
    made = layer(WEIGHTS)
    acc, lsb = made(torch.eye(3))
    (acc * lsb).square().sum().backward()
    assert made.log_clip.grad.item() != 0


def test_sums_beyond_float32_stay_exact():
    """2,000 codes of 32,767 times 255: 1.7e10, far beyond 2**24; odd sums would be lost in float32."""
    made = WeightedLayer((1, 2000), x_scale=1.0, peak=255, batch_norm=False, bias=False)
    with torch.no_grad():
        made.weight.fill_(1.0)
        made.quantize_with(Mint(bits=16, init="max"))
    x = torch.full((1, 2000), 255.0)
    x[0, 0] = 254.0
    acc, _ = made(x)
    assert int(acc.item()) == 32767 * (255 * 2000 - 1)


def test_integers_need_a_quantizer():
    made = WeightedLayer((2, 3), x_scale=1.0, peak=1, batch_norm=False, bias=True)
    with pytest.raises(RuntimeError, match=r"^the layer computes in floats; call quantize_with\(\) first$"):
        made.folded()


class Careless(Quantizer):
    """What a first attempt at a quantizer may return."""

    name = "careless"
    fault = staticmethod(lambda ratio: ratio)

    def quantize(self, x, scale):
        return self.fault(x / scale)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (
            lambda ratio: ratio.round(),
            TypeError,
            r"^quantizer 'careless' returned float32 codes; codes are integers, so end quantize\(\)"
            r" with .to\(torch.int32\)$",
        ),
        (
            lambda ratio: ratio.flatten().int(),
            ValueError,
            r"^quantizer 'careless' returned codes of shape \(6,\) for values of shape \(2, 3\);"
            " return one code per value$",
        ),
        (
            lambda ratio: ratio.round().int() * 2,
            ValueError,
            r"^quantizer 'careless' returned codes -14..14; its code_range at 4 bits is -7..7,"
            r" so clamp in quantize\(\)$",
        ),
        (
            lambda ratio: ratio.tolist(),
            TypeError,
            r"^quantizer 'careless' returned a list; return a torch.Tensor$",
        ),
    ],
)
def test_a_quantizer_that_breaks_its_contract_is_named(monkeypatch, fault, error, message):
    monkeypatch.setattr(Careless, "fault", staticmethod(fault))
    made = layer(WEIGHTS)
    made.quantize_with(Careless(bits=4))
    with pytest.raises(error, match=message):
        made(torch.eye(3))
    with pytest.raises(ContractError, match=message):
        made(torch.eye(3))


@pytest.mark.parametrize(
    ("code_range", "message"),
    [
        ((-100, 7), "4 bits hold -8..7, so narrow it"),
        ((-7, 8), "4 bits hold -8..7, so narrow it"),
        ((0, 0), "it must hold 0, the code of no weight, and one code more at least"),
        ((1, 7), "it must hold 0, the code of no weight, and one code more at least"),
        ((-1, 0), "a learnable clip is the size of the largest code, so it must be 1 at least"),
        ((-7.0, 7.0), "codes are integers, so return two int"),
    ],
)
def test_a_range_that_cannot_be_lowered_is_refused(monkeypatch, code_range, message):
    monkeypatch.setattr(Careless, "fault", staticmethod(torch.zeros_like))
    monkeypatch.setattr(Careless, "code_range", code_range)
    made = layer(WEIGHTS)
    made.quantize_with(Careless(bits=4))
    low, high = code_range
    text = f"quantizer 'careless': code_range is {low}..{high}; {message}"
    with pytest.raises(ContractError, match=f"^{re.escape(text)}$"):
        made(torch.eye(3))


def test_a_narrower_range_is_fine(monkeypatch):
    monkeypatch.setattr(Careless, "fault", staticmethod(lambda ratio: ratio.sign().int()))
    monkeypatch.setattr(Careless, "code_range", (-1, 1))
    made = layer(WEIGHTS)
    made.quantize_with(Careless(bits=4))
    made(torch.eye(3))
    assert set(made.folded().codes.unique().tolist()) <= {-1, 0, 1}
