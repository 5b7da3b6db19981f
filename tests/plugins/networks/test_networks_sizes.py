"""VGG-16 and ResNet-19 at full size for CIFAR-10: weights, neurons and layers, counted apart from the code."""

import pytest
import torch

from spikequant.errors import UsageError
from spikequant.memory import program_memory
from spikequant.model import InputCoding, SpikingModel, lower
from spikequant.network import (
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    PoolOrLayer,
    PoolSumLayer,
    ReadoutLayer,
    ResidualLayer,
)
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_networks.resnet19 import ResNet19
from spikequant_networks.vgg16 import Vgg16

CIFAR = InputCoding((3, 32, 32), 8, 255)


def conv(before, after, kernel=3):
    return before * after * kernel * kernel


VGG16_WEIGHTS = (
    conv(3, 64)
    + conv(64, 64)
    + conv(64, 128)
    + conv(128, 128)
    + conv(128, 256)
    + 2 * conv(256, 256)
    + conv(256, 512)
    + 5 * conv(512, 512)
    + 512 * 10
)
VGG16_NEURONS = 2 * 64 * 32**2 + 2 * 128 * 16**2 + 3 * 256 * 8**2 + 3 * 512 * 4**2 + 3 * 512 * 2**2
RESNET19_WEIGHTS = (
    conv(3, 128)
    + 6 * conv(128, 128)
    + (conv(128, 256) + conv(256, 256) + conv(128, 256, 1))
    + 4 * conv(256, 256)
    + (conv(256, 512) + conv(512, 512) + conv(256, 512, 1))
    + 2 * conv(512, 512)
    + 512 * 256
    + 256 * 10
)
RESNET19_NEURONS = 7 * 128 * 32**2 + 6 * 256 * 16**2 + 4 * 512 * 8**2 + 256
IDENTITY_CODES = 3 * 128 + 2 * 256 + 512


def test_the_closed_forms_are_the_documented_figures():
    assert (VGG16_WEIGHTS, VGG16_NEURONS) == (14_715_584, 276_480)
    assert (RESNET19_WEIGHTS, RESNET19_NEURONS) == (12_687_232, 1_442_048)


@pytest.fixture(scope="module", params=["vgg16", "resnet19"])
def full(request):
    torch.manual_seed(0)
    network = {"vgg16": Vgg16, "resnet19": ResNet19}[request.param]()
    model = SpikingModel(network.layers(CIFAR.shape, 10), lambda: MintLif(bits=4), CIFAR, 4)
    model.quantize(lambda: Mint(bits=4))
    return request.param, model, lower(model)


def test_trained_weights_and_neurons_are_the_closed_forms(full):
    name, model, _ = full
    wanted = {"vgg16": (VGG16_WEIGHTS, VGG16_NEURONS), "resnet19": (RESNET19_WEIGHTS, RESNET19_NEURONS)}[name]
    assert tuple(quantity.count for quantity in model.quantities) == wanted


def test_the_program_holds_them_and_one_code_per_channel_of_an_identity_shortcut(full):
    name, _, program = full
    nodes = program_memory(program).nodes
    weights = sum(node.weights for node in nodes)
    neurons = sum(node.potentials for node in nodes if node.name.startswith("lif"))
    if name == "vgg16":
        assert (weights, neurons) == (VGG16_WEIGHTS, VGG16_NEURONS)
    else:
        assert (weights, neurons) == (RESNET19_WEIGHTS + IDENTITY_CODES, RESNET19_NEURONS)


def test_sixteen_and_nineteen_layers_have_weights(full):
    """VGG-16's three dense layers are one readout here; ResNet-19 does not count 1x1 shortcuts."""
    name, model, _ = full
    assert len(model.weighted) == {"vgg16": 14, "resnet19": 19}[name]


def test_vgg16_is_configuration_d():
    layers = Vgg16(width=2).layers((3, 32, 32), 10)
    words = [layer.channels if isinstance(layer, ConvLayer) else type(layer).__name__ for layer in layers]
    pool = PoolOrLayer.__name__
    assert words[:-3] == [2, 2, pool, 4, 4, pool, 8, 8, 8, pool, 16, 16, 16, pool, 16, 16, 16]
    assert layers[-3:] == (PoolSumLayer(2), FlattenLayer(), ReadoutLayer(10))
    assert Vgg16(width=2, batch_norm=False).layers((3, 16, 16), 10)[0] == ConvLayer(2, batch_norm=False)


def test_resnet19_is_3_3_2_blocks_between_a_convolution_and_a_dense_layer():
    assert ResNet19(width=3).layers((3, 32, 32), 10) == (
        ConvLayer(3, batch_norm=True),
        *(ResidualLayer(3, 1),) * 3,
        *(ResidualLayer(6, 2), ResidualLayer(6, 1), ResidualLayer(6, 1)),
        *(ResidualLayer(12, 2), ResidualLayer(12, 1)),
        *(PoolSumLayer(8), FlattenLayer(), DenseLayer(6, batch_norm=True), ReadoutLayer(10)),
    )


@pytest.mark.parametrize("shape", [(3, 30, 30), (3, 32, 48), (64,)])
@pytest.mark.parametrize(("network", "divisor"), [(Vgg16, 16), (ResNet19, 4)])
def test_samples_must_be_square_and_divisible(network, divisor, shape):
    message = rf"^network '{network.name}': samples have shape .*; it needs square images, side divisible by {divisor}$"
    with pytest.raises(UsageError, match=message):
        network().layers(shape, 10)


@pytest.mark.parametrize("network", [Vgg16, ResNet19])
@pytest.mark.parametrize(("width", "bound"), [(0, "positive"), (10_001, "at most 10000")])
def test_widths_out_of_range_are_refused(network, width, bound):
    with pytest.raises(ValueError, match=rf"^network '{network.name}': width is {width}; it must be {bound}$"):
        network(width=width)
