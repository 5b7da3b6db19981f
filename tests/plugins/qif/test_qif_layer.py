"""A layer with Qi.f weights: hand-computed codes, units, folding and gradients; the clip is not learned."""

import re

import pytest
import torch

from spikequant import Quantizer
from spikequant.errors import ContractError, PluginError, UsageError
from spikequant.formats import FP32, parse_format
from spikequant.memory import program_memory
from spikequant.model import InputCoding, SpikingModel, WeightedLayer, as_input, lower
from spikequant.model.weighted_layer import BIAS_LIMIT, EPSILON
from spikequant.network import ConvLayer, DenseLayer, FlattenLayer, ReadoutLayer
from spikequant.oracle import run_oracle
from spikequant.program import Weighted
from spikequant.rounding import Rounding
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_qif.quantizer import Qif

WEIGHTS = torch.tensor([[1.75, -0.25, 0.1], [0.5, -2.0, 0.375]])


def layer(weights=WEIGHTS, *, quantizer=None, batch_norm=False, x_scale=1.0, peak=1):
    made = WeightedLayer(tuple(weights.shape), x_scale=x_scale, peak=peak, batch_norm=batch_norm, bias=True)
    with torch.no_grad():
        made.weight.copy_(weights)
    made.quantize_with(quantizer or Qif("Q1.2"))
    return made.eval()


def test_the_step_is_the_unit_and_nothing_is_learned_about_it():
    made = layer(x_scale=1 / 16)
    with torch.no_grad():
        made.beta.copy_(torch.tensor([0.5, -0.03]))
    folded = made.folded()
    assert folded.codes.tolist() == [[7, -1, 0], [2, -8, 2]]
    assert folded.lsb.tolist() == [1 / 64, 1 / 64]
    assert folded.bias.tolist() == [32, -2]
    assert folded.overflows == 0
    assert not made.log_clip.requires_grad
    assert made.log_clip.item() == 0


def test_another_quantizer_learns_its_clip_again():
    made = layer()
    made.quantize_with(Mint(bits=4))
    assert made.log_clip.requires_grad
    assert made.log_clip.item() != 0


def test_gammas_sign_goes_into_the_weights_before_they_are_rounded():
    """Q1.0 by truncation: 0.5 becomes 0, and -0.5 becomes -1; the code -2 has no opposite."""
    weights = torch.tensor([[0.5, -0.5, -2.0], [0.5, -0.5, 2.0]])
    made = layer(weights, quantizer=Qif("Q1.0", "TR"), batch_norm=True)
    with torch.no_grad():
        made.gamma.copy_(torch.tensor([2.0, -0.5]))
        made.beta.copy_(torch.tensor([1.0, 0.25]))
        made.mean.copy_(torch.tensor([-1.0, 1.0]))
        made.var.fill_(1.0 - EPSILON)
    folded = made.folded()
    assert folded.codes.tolist() == [[0, -1, -2], [-1, 0, -2]]
    assert folded.lsb.tolist() == pytest.approx([2.0, 0.5])
    assert folded.bias.tolist() == [2, 2]


def test_saturated_weights_are_counted():
    made = layer(torch.tensor([[2.0, 1.99, -2.13], [-2.0, 1.87, 5.0]]))
    assert made.folded().codes.tolist() == [[7, 7, -8], [-8, 7, 7]]
    assert made.folded().overflows == 4


def test_a_clipping_quantizer_counts_what_lies_beyond_its_clip():
    made = layer(quantizer=Mint(bits=4, init="max"))
    with torch.no_grad():
        made.log_clip.fill_(0.0)
    assert made.folded().overflows == 2


@pytest.mark.parametrize("rounding", ["TR", "RN", "SR"])
@pytest.mark.parametrize("text", ["Q1.4", "Q0.0", "UQ0.6", "Q3.16"])
@pytest.mark.parametrize("peak", [1, 255])
def test_forward_is_the_folded_integers(text, rounding, peak):
    random = torch.Generator().manual_seed(0)
    made = layer(torch.randn(5, 8, generator=random), quantizer=Qif(text, rounding), batch_norm=True, peak=peak)
    with torch.no_grad():
        made.beta.copy_(torch.tensor([3.0, -1.0, 0.0, 0.3, 100.0]))
        made.gamma.copy_(torch.tensor([1.0, -2.0, 1e-9, 3.0, -0.1]))
        made.mean.copy_(torch.tensor([0.0, 3.0, -1.0, 0.5, 2.0]))
        made.var.copy_(torch.tensor([1.0, 0.2, 9.0, 100.0, 0.0]))
    folded = made.folded()
    x = torch.randint(0, peak + 1, (20, 8), generator=random).double()
    acc, lsb = made(x.float())
    assert torch.equal(acc.double(), x @ folded.codes.double().T + folded.bias.double())
    assert torch.equal(lsb, folded.lsb)


def test_training_tracks_the_mean_of_the_weights_themselves():
    """BatchNorm's running mean is of the float weights' sign, so that a float model's statistics go on."""
    weights = torch.tensor([[0.5, 0.25, -0.25], [0.5, 0.25, -0.25]])
    made = layer(weights, batch_norm=True).train()
    with torch.no_grad():
        made.gamma.copy_(torch.tensor([1.0, -1.0]))
    x = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    made(x)
    mean = (x @ weights[0]).mean().item()
    assert made.mean.tolist() == pytest.approx([0.1 * mean, 0.1 * mean])


def test_the_gradient_is_straight_through_within_the_range():
    """d(code)/d(w) = 4 inside [-2, 1.75] and 0 outside; the channel with a negative gamma looks from the other side."""
    weights = torch.tensor([[1.75, 1.76, -2.0, -2.01, 0.1], [1.75, 2.0, -1.75, -1.76, 0.1]])
    made = layer(weights, batch_norm=True)
    with torch.no_grad():
        made.gamma.copy_(torch.tensor([1.0, -1.0]))
    codes, _ = made._codes(made.quantizer)
    codes.sum().backward()
    assert codes.tolist() == [[7, 7, -8, -8, 0], [-7, -8, 7, 7, 0]]
    assert made.weight.grad.tolist() == [[4, 0, 4, 0, 4], [-4, -4, -4, 0, -4]]


def test_the_gradient_of_wrapped_and_of_unsigned_weights():
    scale = torch.tensor(0.25)
    for options, codes, grad in (
        (("Q1.2", "RN", "wrap"), [-8, 1, -8], [0, 4, 4]),
        (("UQ1.2", "RN"), [7, 1, 0], [0, 4, 0]),
    ):
        x = torch.tensor([2.0, 0.2, -2.0], requires_grad=True)
        got = Qif(*options).codes_with_gradient(x, scale)
        got.sum().backward()
        assert got.tolist() == codes
        assert x.grad.tolist() == grad


def test_the_gradient_reaches_everything_but_the_clip():
    made = layer(torch.tensor([[0.5, 0.25, -0.25], [0.5, 0.3, -0.25]]), batch_norm=True).train()
    acc, lsb = made(torch.eye(3))
    (acc * lsb * torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]])).sum().backward()
    for name in ("weight", "beta", "gamma"):
        assert bool(getattr(made, name).grad.any()), name
    assert made.log_clip.grad is None


def test_fine_steps_on_pixels_keep_their_bias_and_their_weights():
    """Q1.16 on 8-bit pixels: one unit is 2**-16 / 255, and a bias of 1 is 17 million of them."""
    made = layer(torch.full((1, 3), 0.5), quantizer=Qif("Q1.16"), batch_norm=True, x_scale=1 / 255, peak=255)
    with torch.no_grad():
        made.beta.fill_(1.0)
        made.var.fill_(1.0 - EPSILON)
    folded = made.folded()
    assert folded.lsb.dtype == torch.float64
    assert folded.lsb.tolist() == pytest.approx([2.0**-16 / 255], rel=1e-6)
    assert folded.bias.tolist() == pytest.approx([2.0**16 * 255], rel=1e-6)
    assert folded.bias.item() > BIAS_LIMIT


@pytest.mark.parametrize("text", ["Q0.3", "UQ0.3", "Q1.10"])
def test_the_program_is_the_model_in_every_state(text):
    model = deep()
    model.quantize(lambda: Qif(text, "TR"))
    x = torch.randint(0, 17, (6, 2, 6, 6), generator=torch.Generator().manual_seed(1)).numpy()
    recording, trace = model.record(as_input(x)), run_oracle(lower(model), x)
    for name, spikes in trace.spikes.items():
        assert torch.equal(torch.from_numpy(spikes).long(), recording.spikes[name])
        assert torch.equal(torch.from_numpy(trace.potentials[name]).long(), recording.potentials[name])
    assert any(spikes.any() for spikes in trace.spikes.values())


@pytest.mark.parametrize(("text", "bits", "signed"), [("UQ0.3", 3, False), ("UQ1.0", 1, False), ("Q0.3", 4, True)])
def test_a_program_stores_the_codes_as_the_format_has_them(text, bits, signed):
    model = deep()
    model.quantize(lambda: Qif(text))
    program = lower(model)
    assert {(node.bits, node.signed) for node in program.nodes if isinstance(node, Weighted)} == {(bits, signed)}
    codes = sum(part.weight.numel() for part in model.weighted)
    assert program_memory(program).weights_bits == codes * bits


def deep():
    """A network whose BatchNorm has gains of both signs."""
    layers = (ConvLayer(3, batch_norm=True), FlattenLayer(), DenseLayer(7, batch_norm=True), ReadoutLayer(4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SpikingModel(layers, lambda: MintLif(bits=8, v_th=0.5), InputCoding((2, 6, 6), 5, 16), timesteps=4)
        with torch.no_grad():
            for part in model.weighted[:-1]:
                part.gamma.normal_()
                part.beta.normal_()
    return model


def test_fp32_leaves_the_model_in_floats():
    model, floats = deep(), deep()
    model.quantize(lambda: Qif("FP32"))
    x = torch.randint(0, 17, (6, 2, 6, 6), generator=torch.Generator().manual_seed(1)).float()
    assert torch.equal(model.eval()(x), floats.eval()(x))
    for call, what in ((lambda: lower(model), "lower()"), (lambda: model.record(x), "record()")):
        text = f"{what} needs integers, and layer 'conv1' computes in floats; choose another format, or integer ends"
        with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
            call()


def test_fp32_has_no_codes():
    quantizer = Qif("FP32")
    assert (quantizer.bits, quantizer.fmt, quantizer.fixed_scale) == (32, FP32, None)
    with pytest.raises(UsageError, match=r"^FP32 has no codes; .*$"):
        quantizer.quantize(torch.zeros(2), torch.tensor(1.0))
    with pytest.raises(UsageError, match=r"^quantizer 'qif': FP32 has no codes; choose a format like Q1.6$"):
        assert quantizer.code_range


@pytest.mark.parametrize(
    ("text", "bits", "code_range"),
    [
        ("Q1.6", 8, (-128, 127)),
        ("Q0.0", 1, (-1, 0)),
        ("UQ0.1", 2, (0, 1)),
        ("UQ0.6", 7, (0, 63)),
        ("Q7.16", 24, (-(2**23), 2**23 - 1)),
    ],
)
def test_bits_are_counted_in_twos_complement(text, bits, code_range):
    assert (Qif(text).bits, Qif(text).code_range) == (bits, code_range)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("text", ["Q1.6", "UQ0.8", "Q0.0", "Q7.16"])
def test_formats_become_options(text, rounding):
    options = Qif.format_options("w", parse_format(text), rounding)
    assert options == {"format": text, "rounding": str(rounding)}
    made = Qif(**options)
    assert (made.fmt, made.rounding) == (parse_format(text), rounding)


def test_fp32_has_no_rounding_among_its_options():
    assert [Qif.format_options("w", FP32, rounding) for rounding in Rounding] == [{"format": "FP32"}] * 3


def test_integer_formats_are_refused_by_name():
    text = "quantizer 'qif' cannot give 'w' the format INT4; it takes FP32 and formats like Q1.6 and UQ0.6"
    with pytest.raises(PluginError, match=f"^{re.escape(text)}$"):
        Qif.format_options("w", parse_format("INT4"), Rounding.RN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "INT4"}, "format is INT4; it must be FP32, or one like Q1.6 or UQ0.6 of 24 bits at most"),
        ({"format": "Q8.16"}, "format is Q8.16; it must be FP32, or one like Q1.6 or UQ0.6 of 24 bits at most"),
        ({"rounding": "up"}, "rounding is 'up'; it must be one of TR, RN, SR"),
        ({"overflow": "clip"}, "overflow is 'clip'; it must be one of saturate, wrap"),
        ({"seed": -1}, "seed is -1; it must not be negative"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^quantizer 'qif': {re.escape(message)}$"):
        Qif(**options)


def test_a_text_that_is_no_format_is_refused():
    with pytest.raises(UsageError, match=r"^format 'Q1' is not known; write it like Q1.6, UQ1.6, INT4 or FP32$"):
        Qif("Q1")


def test_a_scale_of_its_own_is_the_only_one():
    with pytest.raises(ValueError, match=r"^quantizer 'qif': scale is 0.5; it must be 0.015625, the step of Q1.6$"):
        Qif("Q1.6").quantize(torch.zeros(2), torch.tensor(0.5))


class Lopsided(Quantizer):
    """Two's complement with a learnable clip."""

    name = "lopsided"
    code_range = (-8, 7)

    def quantize(self, x, scale):
        return torch.floor((x / scale).clamp(*self.code_range) + 0.5).to(torch.int32)


def test_a_lopsided_range_lowers_with_a_learnable_clip_too():
    model = deep()
    model.quantize(lambda: Lopsided(bits=4))
    x = torch.randint(0, 17, (6, 2, 6, 6), generator=torch.Generator().manual_seed(1)).numpy()
    program = lower(model)
    assert min(int(node.codes.min()) for node in program.nodes if hasattr(node, "codes")) >= -8
    recording, trace = model.record(as_input(x)), run_oracle(program, x)
    assert all(torch.equal(torch.from_numpy(s).long(), recording.spikes[name]) for name, s in trace.spikes.items())


def test_a_clip_without_a_positive_code_is_refused(monkeypatch):
    monkeypatch.setattr(Lopsided, "code_range", (-8, 0))
    made = layer(quantizer=Lopsided(bits=4))
    text = (
        "quantizer 'lopsided': code_range is -8..0;"
        " a learnable clip is the size of the largest code, so it must be 1 at least"
    )
    with pytest.raises(ContractError, match=f"^{re.escape(text)}$"):
        made(torch.eye(3))
