"""Residual blocks: trained in whole numbers, lowered to two branches and an add, equal to the oracle in every bit."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from spikequant.errors import UsageError
from spikequant.model import InputCoding, SpikingModel, as_input, lower
from spikequant.model.residual import IdentityLayer, ProjectedLayer
from spikequant.network import ConvLayer, FlattenLayer, PoolOrLayer, PoolSumLayer, ReadoutLayer, ResidualLayer
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Add, Conv2d, Edge
from spikequant.runs.export import model_trace
from spikequant.verify import compare
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_mint.uq_lif import UqLif
from spikequant_networks.resnet19 import ResNet19
from spikequant_networks.vgg16 import Vgg16
from spikequant_qif.quantizer import Qif
from spikequant_torch.backend import TorchBackend

SMALL = InputCoding((2, 8, 8), 4, 15)
BLOCKS = (
    ConvLayer(4, batch_norm=True),
    ResidualLayer(4),
    ResidualLayer(6, stride=2),
    PoolSumLayer(4),
    FlattenLayer(),
    ReadoutLayer(3),
)


def made(layers=BLOCKS, bits=4, neuron=MintLif, coding=SMALL, quantizer=None, **options):
    torch.manual_seed(3)
    model = SpikingModel(layers, lambda: neuron(bits=bits, **options), coding, 4)
    upset(model)
    model.quantize(quantizer or (lambda: Mint(bits=bits)))
    return model


def upset(model):
    """Give BatchNorm gains of both signs and spread statistics, so that all layers fire."""
    with torch.no_grad():
        for part in model.weighted:
            if part.batch_norm:
                channels = len(part.gamma)
                part.gamma.copy_(torch.tensor([1.0, -1.2, 0.7, -0.4]).repeat(channels)[:channels])
                part.beta.copy_(torch.tensor([0.3, 0.6, -0.1]).repeat(channels)[:channels])
                part.var.fill_(0.02)


def images(coding=SMALL, count=6):
    return np.random.default_rng(5).integers(0, 1 << coding.bits, (count, *coding.shape))


def same_program(a, b):
    def fields(node):
        return {
            f.name: v.tolist() if isinstance(v := getattr(node, f.name), np.ndarray) else v
            for f in dataclasses.fields(node)
        }

    return a.edges == b.edges and [(type(n), fields(n)) for n in a.nodes] == [(type(n), fields(n)) for n in b.nodes]


def assert_exact(model, x, tmp_path=None):
    """The model's recording, the oracle and torch backend on its program agree; NIR gives the program back."""
    model.eval()
    program = lower(model)
    expected = run_oracle(program, x)
    verdict = compare(expected, model_trace(model, x))
    assert verdict.identical, str(verdict)
    assert np.array_equal(model.predict(as_input(x)), expected.predictions())
    with TorchBackend().compile(program) as executable:
        trace = executable.run(x)
    verdict = compare(expected, trace)
    assert verdict.identical, str(verdict)
    assert trace.counts.nodes == expected.counts.nodes
    if tmp_path is not None:
        write_program(program, tmp_path / "model.nir")
        assert same_program(read_program(tmp_path / "model.nir"), program)
    return program, expected


def few_steps(model, coding, steps):
    """Train on random labels: what is learned does not matter, that weights and statistics move does."""
    rng = np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(steps):
        x = as_input(rng.integers(0, 1 << coding.bits, (8, *coding.shape)))
        loss = F.cross_entropy(model(x), torch.from_numpy(rng.integers(0, 10, 8)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize(("network", "side"), [(ResNet19(width=4), 8), (Vgg16(width=4), 16)], ids=["resnet19", "vgg16"])
def test_what_was_trained_is_what_the_oracle_and_torch_compute(network, side, bits, tmp_path):
    coding = InputCoding((3, side, side), 8, 255)
    torch.manual_seed(bits)
    model = SpikingModel(network.layers(coding.shape, 10), lambda: MintLif(bits=bits), coding, 4)
    for part in model.weighted:
        part.momentum = 0.5
    few_steps(model, coding, 4)
    model.quantize(lambda: Mint(bits=bits))
    with torch.no_grad():
        for part in model.weighted[1:-1:2]:
            part.gamma[::3].neg_()
    few_steps(model, coding, 6)
    _, expected = assert_exact(model, images(coding), tmp_path)
    rates = {name: float(spikes.mean()) for name, spikes in expected.spikes.items()}
    assert all(rate < 0.9 for rate in rates.values()), rates
    assert sum(rate > 0 for rate in rates.values()) > 0.8 * len(rates), rates


@pytest.mark.parametrize("neuron", [MintLif, UqLif])
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_gains_of_both_signs_stay_exact(bits, neuron):
    program, expected = assert_exact(made(bits=bits, neuron=neuron), images())
    assert all(spikes.any() for spikes in expected.spikes.values())
    assert program.by_name["shortcut1"].signed is False


@pytest.mark.parametrize(
    "options",
    [
        {"reset": "subtract", "leak_shift": 0},
        {"order": "leak_on_store", "leak_rounding": "toward_zero"},
        {"strict": False, "v_th": 0.25},
    ],
)
def test_options_of_the_neuron_stay_exact(options):
    assert_exact(made(bits=4, **options), images())


@pytest.mark.parametrize("fmt", ["Q1.6", "UQ0.5", "Q2.13", "Q1.20"])
def test_fixed_formats_stay_exact(fmt):
    assert_exact(made(bits=12, quantizer=lambda: Qif(fmt)), images())


def test_a_block_is_two_branches_an_add_and_neurons():
    program = lower(made().eval())
    first = ["conv2", "lif2", "conv3", "shortcut1", "add1", "lif3"]
    second = ["conv4", "lif4", "conv5", "shortcut2", "add2", "lif5"]
    assert [n.name for n in program.nodes] == [
        *("input", "conv1", "lif1"),
        *first,
        *second,
        *("pool1", "flatten1", "fc1", "readout"),
    ]
    assert [edge.source for edge in program.inputs_of("shortcut1")] == ["lif1"]
    assert [edge.source for edge in program.inputs_of("shortcut2")] == ["lif3"]
    assert program.inputs_of("add2") == (Edge("conv5", "add2"), Edge("shortcut2", "add2"))
    assert [edge.source for edge in program.inputs_of("lif5")] == ["add2"]
    assert [type(program.by_name[name]) for name in ("shortcut1", "add1", "shortcut2")] == [Conv2d, Add, Conv2d]


def test_both_branches_share_the_unit_of_each_channel():
    program = lower(made().eval())
    for main, skip, neuron in (("conv3", "shortcut1", "lif3"), ("conv5", "shortcut2", "lif5")):
        assert np.array_equal(program.by_name[main].lsb, program.by_name[skip].lsb)
        assert np.array_equal(program.by_name[main].lsb, program.by_name[neuron].lsb)


def test_an_identity_shortcut_adds_a_spike_as_its_real_size():
    node = lower(made().eval()).by_name["shortcut1"]
    assert (node.codes.shape, node.groups, node.stride, node.bias) == ((4, 1, 1, 1), 4, (1, 1), None)
    assert np.array_equal(
        node.codes.ravel(), np.maximum(np.floor(1 / node.lsb.astype(np.float32) + np.float32(0.5)), 1)
    )
    assert int(node.codes.max()).bit_length() == node.bits
    assert node.codes.max() > 1


def test_a_projection_has_codes_of_its_own_and_the_blocks_stride():
    model = made().eval()
    program = lower(model)
    main, skip = program.by_name["conv5"], program.by_name["shortcut2"]
    assert (main.codes.shape, main.stride, main.bits) == ((6, 6, 3, 3), (1, 1), 4)
    assert (skip.codes.shape, skip.stride, skip.bits, skip.bias) == ((6, 4, 1, 1), (2, 2), 4, None)
    layer = model.stages[4].weights
    assert isinstance(layer, ProjectedLayer)
    sign = np.where(layer.gamma.detach().numpy() < 0, -1.0, 1.0)[:, None]
    clip = float(layer.log_clip.detach().exp())
    wanted = layer.weight.detach().numpy()[:, 54:] * sign / clip
    assert np.array_equal(skip.codes[:, :, 0, 0], np.floor(np.clip(wanted, -1, 1) * 7 + 0.5))


def test_in_floats_the_block_adds_its_input():
    torch.manual_seed(0)
    layer = IdentityLayer(3).eval()
    with torch.no_grad():
        layer.gamma.copy_(torch.tensor([1.0, -2.0, 0.5]))
        layer.beta.copy_(torch.tensor([0.1, 0.2, 0.3]))
        layer.mean.copy_(torch.tensor([0.5, -0.5, 0.0]))
        layer.var.copy_(torch.tensor([1.0, 4.0, 0.25]))
    x, s = (torch.rand(2, 2, 3, 5, 5) > 0.5).float()
    conv = F.conv2d(x, layer.weight, padding=1)
    wanted = F.batch_norm(conv, layer.mean, layer.var, layer.gamma, layer.beta) + s
    got, unit = layer(x, s)
    assert torch.allclose(got, wanted, atol=1e-5)
    assert unit.tolist() == [1.0] * 3


def test_in_floats_a_projection_is_normalised_with_the_sum():
    torch.manual_seed(0)
    layer = ProjectedLayer(3, 2, 3, stride=2).train()
    x, s = (torch.rand(4, 3, 3, 3) > 0.5).float(), (torch.rand(4, 2, 6, 6) > 0.5).float()
    main, skip = layer.kernels(layer.weight)
    total = F.conv2d(x, main, padding=1) + F.conv2d(s, skip, stride=2)
    wanted = F.batch_norm(total, None, None, layer.gamma, layer.beta, training=True)
    assert torch.allclose(layer(x, s)[0], wanted, atol=1e-5)


def test_whole_numbers_come_near_the_floats_with_many_bits():
    torch.manual_seed(0)
    layer = IdentityLayer(3).eval()
    x, s = (torch.rand(2, 2, 3, 5, 5) > 0.5).float()
    real = layer(x, s)[0]
    layer.quantize_with(Mint(bits=16, init="max"))
    whole, unit = layer(x, s)
    assert torch.equal(whole, whole.round())
    assert torch.allclose(whole * unit.reshape(1, -1, 1, 1), real, atol=1e-2)


def test_the_shortcut_teaches_gain_and_clip():
    """A spike's code depends on the unit, so its gradient reaches what makes the unit."""
    layer = IdentityLayer(2)
    layer.quantize_with(Mint(bits=4))
    with torch.no_grad():
        layer.weight.zero_()
    layer.eval()(torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4))[0].sum().backward()
    assert (layer.gamma.grad.abs() > 0).all()
    assert layer.log_clip.grad.abs() > 0


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_vanishing_gains_keep_the_shortcut_within_its_limit_and_exact(bits):
    """A gain of 1e-9 would make a unit of 1e-13, and a spike 10**13 of them."""
    model = made(bits=bits)
    layer = model.stages[2].weights
    assert isinstance(layer, IdentityLayer)
    with torch.no_grad():
        layer.gamma.copy_(torch.tensor([1e-9, -1e-9, 0.0, 1.0]))
        layer.var.copy_(torch.tensor([1e6, 1e6, 1.0, 1.0]))
        layer.beta.copy_(torch.tensor([0.2, -1e6, 1e6, 0.1]))
        layer.log_clip.fill_(np.log(1e-2))
    program, expected = assert_exact(model, images())
    codes = program.by_name["shortcut1"].codes.ravel()
    assert codes.max() <= 1 << 20
    if bits == 16:
        assert codes[0] == 1 << 20
    assert codes[1] == codes[2] == 4, "a bias of 1e6 within 2**22 units makes a unit of 0.238"
    assert expected.spikes["lif3"].any()


def test_a_spike_counts_at_least_one_where_the_unit_is_larger():
    model = made(bits=4)
    with torch.no_grad():
        model.stages[2].weights.gamma.fill_(1e3)
    program, _ = assert_exact(model, images())
    assert program.by_name["shortcut1"].lsb.min() > 2
    assert program.by_name["shortcut1"].codes.ravel().tolist() == [1] * 4


def test_a_fine_fixed_format_keeps_its_gain():
    """In units of 2**-20 a spike counts beyond 2**20, and the layer takes float64."""
    model = made(bits=24, quantizer=lambda: Qif("Q1.20"))
    program, _ = assert_exact(model, images())
    layer = model.stages[2].weights
    gain = (layer.gamma / (layer.var + 1e-5).sqrt()).abs().detach().double().numpy()
    assert np.allclose(program.by_name["shortcut1"].lsb, gain * 2.0**-20, rtol=1e-6)
    with torch.no_grad():
        layer.gamma.fill_(0.01)
    assert lower(model).by_name["shortcut1"].codes.min() > 1 << 20


def test_training_and_evaluation_give_the_same_integers():
    """With the statistics of the batch kept, the forward of training is that of evaluation."""
    model = made()
    x = as_input(images())
    for part in model.weighted:
        part.momentum = 1.0
    model.train()
    with torch.no_grad():
        trained = model(x)
    assert torch.equal(model.eval()(x), trained)


def test_float_ends_leave_the_blocks_whole():
    model = SpikingModel(BLOCKS, lambda: MintLif(bits=4), SMALL, 4)
    model.quantize(lambda: Mint(bits=4), ends="float")
    assert [part.quantizer is not None for part in model.weighted] == [False, True, True, True, True, False]
    model.train()(as_input(images())).square().sum().backward()
    assert all(part.weight.grad.abs().sum() > 0 for part in model.weighted)


def test_quantities_count_both_branches():
    model = SpikingModel(BLOCKS, lambda: MintLif(bits=4), SMALL, 4)
    counts = {quantity.name: quantity.count for quantity in model.quantities}
    weights = 2 * 4 * 9 + 2 * 4 * 4 * 9 + (4 * 6 * 9 + 6 * 6 * 9 + 4 * 6) + 6 * 3
    assert counts == {"w": weights, "U": 3 * 4 * 64 + 2 * 6 * 16}
    seen = model.observe(as_input(images()))
    assert set(seen.rates) == {f"lif{number}" for number in range(1, 6)}


@pytest.mark.parametrize(
    ("layers", "peak"),
    [
        ((ResidualLayer(2), ReadoutLayer(2)), 15),
        ((ConvLayer(2), PoolSumLayer(2), ResidualLayer(2), ReadoutLayer(2)), 4),
    ],
)
def test_a_block_takes_spikes(layers, peak):
    message = f"a residual block follows values up to {peak}; it takes spikes, so put neurons before it"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        SpikingModel(layers, MintLif, SMALL, 4)


def test_a_block_after_an_or_pooling_is_exact():
    layers = (ConvLayer(4, batch_norm=True), PoolOrLayer(2), ResidualLayer(4), FlattenLayer(), ReadoutLayer(3))
    program, _ = assert_exact(made(layers), images())
    assert [edge.source for edge in program.inputs_of("shortcut1")] == ["pool1"]


def test_a_block_of_dense_values_is_refused():
    with pytest.raises(UsageError, match=r"^a conv layer follows a value of shape \(8,\); it needs \(channels, .*\)$"):
        SpikingModel(
            (ConvLayer(2, kernel=8, padding=1, stride=2), FlattenLayer(), ResidualLayer(2), ReadoutLayer(2)),
            MintLif,
            SMALL,
            4,
        )
