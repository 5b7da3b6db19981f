"""A trained model becomes a program: node by node, rule by rule."""

import numpy as np
import pytest
import torch

from spikequant.errors import UsageError
from spikequant.model import InputCoding, SpikingModel, as_input, lower
from spikequant.network import ConvLayer, DenseLayer, FlattenLayer, PoolOrLayer, PoolSumLayer, ReadoutLayer
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Leak, Lif, PoolOr, PoolSum, Readout, Reset
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint

LAYERS = (
    ConvLayer(3, kernel=3, stride=2, padding=1, batch_norm=True),
    PoolOrLayer(2),
    ConvLayer(2, kernel=1, padding=0),
    PoolSumLayer(2),
    FlattenLayer(),
    DenseLayer(5),
    ReadoutLayer(4),
)


def model_of(layers=LAYERS, **neuron):
    torch.manual_seed(0)
    return SpikingModel(layers, lambda: MintLif(bits=6, **neuron), InputCoding((2, 8, 8), 5, 16), timesteps=3)


@pytest.fixture
def program():
    model = model_of(leak_shift=2, order="leak_on_store", reset="subtract", leak_rounding="nearest")
    model.quantize(lambda: Mint(bits=4))
    return lower(model, dt=1e-3, provenance={"seed": 7})


def test_nodes_follow_the_layers(program):
    assert [(node.name, type(node)) for node in program.order] == [
        ("input", Input),
        ("conv1", Conv2d),
        ("lif1", Lif),
        ("pool1", PoolOr),
        ("conv2", Conv2d),
        ("lif2", Lif),
        ("pool2", PoolSum),
        ("flatten1", Flatten),
        ("fc1", Dense),
        ("lif3", Lif),
        ("fc2", Dense),
        ("readout", Readout),
    ]
    assert (program.timesteps, program.dt, dict(program.provenance)) == (3, 1e-3, {"seed": 7})


def test_the_input_has_the_datas_width(program):
    assert (program.input.shape, program.input.bits, program.input.signed) == ((2, 8, 8), 5, False)


def test_weights_carry_codes_geometry_and_the_unit_per_channel(program):
    conv = {node.name: node for node in program.nodes}["conv1"]
    assert (conv.codes.shape, conv.codes.dtype, conv.bits) == ((3, 2, 3, 3), np.int64, 4)
    assert np.abs(conv.codes).max() <= 7
    assert (conv.stride, conv.padding) == ((2, 2), (1, 1))
    assert conv.lsb.shape == (3,)


def test_neurons_carry_every_rule(program):
    lif = {node.name: node for node in program.nodes}["lif1"]
    assert (lif.u_bits, lif.order, lif.reset, lif.overflow) == (6, "leak_on_store", Reset("subtract"), "symmetric")
    assert lif.leak == Leak.by_shift(2, "nearest")
    conv = {node.name: node for node in program.nodes}["conv1"]
    assert np.array_equal(lif.lsb, conv.lsb)
    assert lif.theta.tolist() == (np.floor(1.0 / lif.lsb) + 1).astype(int).tolist()


def test_a_bias_of_zeros_is_none():
    model = model_of((FlattenLayer(), DenseLayer(5), ReadoutLayer(4)))
    model.quantize(lambda: Mint(bits=4))
    with torch.no_grad():
        model.weighted[1].beta.fill_(1.0)
    nodes = {node.name: node for node in lower(model).nodes}
    assert nodes["fc1"].bias is None
    assert (nodes["fc2"].bias > 0).all()


def test_lowering_changes_nothing():
    model = model_of()
    model.quantize(lambda: Mint(bits=4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = lower(model), lower(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for a, b in zip(first.nodes, second.nodes, strict=True):
        assert np.array_equal(getattr(a, "codes", 0), getattr(b, "codes", 0))


def test_a_float_model_is_refused():
    with pytest.raises(
        UsageError, match=r"^lower\(\) needs integers, and layer '\w+' computes in floats; quantize\(\) it first$"
    ):
        lower(model_of())


def test_or_of_more_than_spikes_is_refused_by_name():
    layers = (PoolOrLayer(2), FlattenLayer(), ReadoutLayer(4))
    model = model_of(layers)
    model.quantize(lambda: Mint(bits=4))
    with pytest.raises(ValueError, match=r"^node 'pool1': pool_or takes spikes in \{0, 1\}, .* use pool_sum$"):
        lower(model)


@pytest.mark.parametrize(("v_th", "fires"), [(700.0, False), (300.0, True)])
def test_a_wide_layer_fires_exactly_where_its_real_potential_does(v_th, fires):
    """784 pixels of 100 with weights 1: the real input is 307, and theta needs more than 23 bits."""
    layers = (DenseLayer(1), ReadoutLayer(2))
    coding = InputCoding((784,), bits=8, peak=255)
    model = SpikingModel(layers, lambda: MintLif(8, v_th=v_th), coding, timesteps=1)
    with torch.no_grad():
        for weights in model.weighted:
            weights.weight.fill_(1.0)
            weights.beta.zero_()
    model.quantize(lambda: Mint(8, init="max"))
    model.eval()
    x = np.full((1, 784), 100, np.int64)
    program = lower(model)
    assert int(run_oracle(program, x).spikes["lif1"][0, 0, 0]) == fires
    assert int(model.record(as_input(x)).spikes["lif1"][0, 0, 0]) == fires
    (node,) = program.spiking
    assert node.theta.tolist() == [int(v_th / node.lsb[0]) + 1]
    assert node.theta[0] > 1 << 23


def test_float_ends_are_for_comparison_only():
    layers = (FlattenLayer(), DenseLayer(8, batch_norm=True), DenseLayer(8, batch_norm=True), ReadoutLayer(4))
    model = model_of(layers)
    model.quantize(lambda: Mint(4), ends="float")
    assert [part.quantizer is not None for part in model.weighted] == [False, True, False]
    x = torch.randint(0, 17, (5, 2, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    model(x).square().sum().backward()
    assert all(part.weight.grad.abs().sum() > 0 for part in model.weighted)
    with pytest.raises(UsageError, match=r"^lower\(\) needs integers, and layer 'fc1' computes in floats; .*$"):
        lower(model)
