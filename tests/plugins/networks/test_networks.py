"""The bundled architectures, and VGG-9 as the MINT paper counts it."""

import pytest
import torch

import spikequant_networks
from spikequant.errors import UsageError
from spikequant.memory import mint_memory_mib, program_memory
from spikequant.model import InputCoding, SpikingModel, lower
from spikequant.network import ConvLayer, DenseLayer, FlattenLayer, PoolOrLayer, PoolSumLayer, ReadoutLayer
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_networks.cnn import Cnn
from spikequant_networks.mlp import Mlp
from spikequant_networks.resnet19 import ResNet19
from spikequant_networks.vgg9 import Vgg9
from spikequant_networks.vgg16 import Vgg16

WEIGHTS, NEURONS = 1_736_906, 245_760
STEPS, BATCH, CLASSES = 8, 50, 10


def test_hook_offers_the_classes():
    assert spikequant_networks.spikequant_networks() == [Mlp, Cnn, Vgg9, Vgg16, ResNet19]


def test_mlp():
    assert Mlp(hidden=[5, 3], batch_norm=True).layers((1, 8, 8), 4) == (
        FlattenLayer(),
        DenseLayer(5, batch_norm=True),
        DenseLayer(3, batch_norm=True),
        ReadoutLayer(4),
    )


def test_cnn():
    assert Cnn(channels=[4, 6], strides=[2, 1], batch_norm=False).layers((3, 8, 8), 4) == (
        ConvLayer(4, 3, 2, 1, False),
        ConvLayer(6, 3, 1, 1, False),
        FlattenLayer(),
        ReadoutLayer(4),
    )


def test_vgg9_is_64_64_p_128_128_p_256_256_256_average_readout():
    layers = Vgg9().layers((3, 32, 32), CLASSES)
    assert [layer.channels for layer in layers if isinstance(layer, ConvLayer)] == [64, 64, 128, 128, 256, 256, 256]
    assert all((layer.kernel, layer.stride, layer.padding) == (3, 1, 1) for layer in layers[:2])
    assert [i for i, layer in enumerate(layers) if isinstance(layer, PoolOrLayer)] == [2, 5]
    assert layers[-3:] == (PoolSumLayer(8), FlattenLayer(), ReadoutLayer(CLASSES))


@pytest.fixture(scope="module")
def vgg9():
    """VGG-9 lowered at 4 bits, for 32x32 colour images."""
    torch.manual_seed(0)
    layers = Vgg9().layers((3, 32, 32), CLASSES)
    model = SpikingModel(layers, lambda: MintLif(bits=4), InputCoding((3, 32, 32), 8, 255), STEPS)
    model.quantize(lambda: Mint(bits=4))
    return lower(model)


def test_vgg9_has_the_papers_weights_and_neurons(vgg9):
    """The weights count the readout's ten biases; the neurons count the first layer."""
    memory = {node.name: node for node in program_memory(vgg9).nodes}
    weights = sum(node.weights for node in memory.values())
    assert weights + CLASSES == WEIGHTS
    assert sum(node.potentials for name, node in memory.items() if name.startswith("lif")) == NEURONS


@pytest.mark.parametrize(("bits", "mib"), [(8, "95.41"), (4, "47.70"), (2, "23.85")])
def test_vgg9_takes_the_memory_of_the_papers_table_2(vgg9, bits, mib):
    memory = program_memory(vgg9, BATCH, "per_timestep")
    weights = sum(node.weights for node in memory.nodes) + CLASSES
    potentials = sum(node.potentials for node in memory.nodes if node.name.startswith("lif"))
    assert f"{mint_memory_mib(weights, potentials // (STEPS * BATCH), bits, timesteps=STEPS, batch=BATCH):.2f}" == mib
    if bits == 4:
        kept = sum(n.weights_bits + n.state_bits for n in memory.nodes if n.name != "readout") + CLASSES * bits
        assert f"{kept / 8 / 2**20:.2f}" == mib


@pytest.mark.parametrize("shape", [(3, 30, 30), (3, 32, 28), (64,)])
def test_vgg9_needs_square_images(shape):
    with pytest.raises(
        UsageError, match=r"^network 'vgg9': samples have shape .*; it needs square images, side div.*4$"
    ):
        Vgg9().layers(shape, CLASSES)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (Mlp, {"hidden": []}, r"^network 'mlp': hidden is \[\]; it must list positive sizes$"),
        (Mlp, {"hidden": [4, 0]}, r"^network 'mlp': hidden is \[4, 0\]; it must list positive sizes$"),
        (
            Cnn,
            {"channels": [4], "strides": [1, 2]},
            r"^network 'cnn': channels \[4\] and strides \[1, 2\] must be positive and equally many$",
        ),
        (Vgg9, {"width": 0}, r"^network 'vgg9': width is 0; it must be positive$"),
        (
            Mlp,
            {"hidden": [999_999, 2]},
            r"^network 'mlp': hidden has 1000001 neurons in all; the limit is 1000000$",
        ),
        (
            Cnn,
            {"channels": [4, 100_001], "strides": [1, 1]},
            r"^network 'cnn': channels is \[4, 100001\]; each must be at most 100000$",
        ),
        (Vgg9, {"width": 10_001}, r"^network 'vgg9': width is 10001; it must be at most 10000$"),
    ],
)
def test_options_out_of_range_are_refused(network, options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)
