"""The trainable network: how it is built, and that its recording is the oracle of its program in every bit."""

import itertools

import numpy as np
import pytest
import torch

from spikequant.errors import UsageError
from spikequant.model import InputCoding, SpikingModel, accuracy, as_input, lower
from spikequant.network import ConvLayer, DenseLayer, FlattenLayer, PoolOrLayer, PoolSumLayer, ReadoutLayer
from spikequant.oracle import run_oracle
from spikequant.runs import parse_recipe
from spikequant.runs.build import build_model, load_data, make_learner, quantizer_factory
from spikequant.runs.export import model_trace
from spikequant.verify import compare
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_mint.uq_lif import UqLif

NETWORKS = {
    "mlp": {"name": "mlp", "hidden": [64], "batch_norm": False},
    "mlp-bn": {"name": "mlp", "hidden": [32, 32], "batch_norm": True},
    "cnn": {"name": "cnn", "channels": [8], "strides": [2], "batch_norm": False},
    "cnn-bn": {"name": "cnn", "channels": [8, 8], "strides": [2, 1], "batch_norm": True},
}
POOLED = (ConvLayer(6, batch_norm=True), PoolOrLayer(2), ConvLayer(5), PoolSumLayer(2), FlattenLayer(), ReadoutLayer(4))
DEEP = (FlattenLayer(), DenseLayer(20, batch_norm=True), DenseLayer(12), ReadoutLayer(4))
IMAGES = InputCoding((2, 8, 8), 4, 15)


def assert_exact(model, x):
    """Every spike, potential and readout of ``model`` on ``x`` is the oracle's."""
    model.eval()
    expected = run_oracle(lower(model), x)
    verdict = compare(expected, model_trace(model, x))
    assert verdict.identical, str(verdict)
    assert np.array_equal(model.predict(as_input(x)), expected.predictions())
    return expected


def made(layers, bits=4, neuron=MintLif, coding=IMAGES, timesteps=4, **options):
    torch.manual_seed(1)
    model = SpikingModel(layers, lambda: neuron(bits=bits, **options), coding, timesteps)
    model.quantize(lambda: Mint(bits=bits))
    return model


def images(count=12, coding=IMAGES):
    return np.random.default_rng(2).integers(0, 1 << coding.bits, (count, *coding.shape))


@pytest.mark.parametrize(
    ("seed", "bits", "network"),
    [
        *itertools.product((0, 1, 2), (2, 4, 8), ("mlp", "cnn-bn")),
        *itertools.product((0,), (2, 4, 8), ("mlp-bn", "cnn")),
    ],
)
def test_what_was_trained_is_what_the_oracle_computes(seed, bits, network):
    recipe = parse_recipe(
        {
            "seed": seed,
            "timesteps": 4,
            "data": {"name": "digits", "train_samples": 300, "test_samples": 100},
            "network": NETWORKS[network],
            "neuron": {"name": "mint-lif"},
            "quantizer": {"name": "mint", "bits": bits},
            "learner": {"name": "bptt", "lr": 1e-2, "batch_size": 25},
        },
        "test",
    )
    train, test = load_data(recipe, None)
    model, learner = build_model(recipe), make_learner(recipe)
    for phase in ("float", "integer"):
        if phase == "integer":
            model.quantize(quantizer_factory(recipe))
        state = learner.start(model, epochs=2, seed=seed)
        for number in range(2):
            learner.epoch(model, train, state, number, epochs=2, seed=seed)
    expected = assert_exact(model, test.x)
    reached = accuracy(model, test)
    assert reached == (expected.predictions() == test.y).mean()
    assert reached > 0.3, f"three times chance expected, {reached} reached"
    assert all(0 < spikes.mean() < 1 for spikes in expected.spikes.values())


@pytest.mark.parametrize("neuron", [MintLif, UqLif])
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize("layers", [POOLED, DEEP], ids=["pooled", "deep"])
def test_tampered_batch_norm_stays_exact(layers, bits, neuron):
    """Negative gains, vanishing gains, enormous biases, extreme statistics."""
    model = made(layers, bits, neuron)
    (normalised,) = [weights for weights in model.weighted if weights.batch_norm]
    channels = len(normalised.gamma)
    with torch.no_grad():
        normalised.gamma.copy_(torch.tensor([1.0, -1.0, 1e-12, -1e-6, 0.0, 50.0]).repeat(4)[:channels])
        normalised.beta.copy_(torch.tensor([0.3, -0.3, 1e6, 0.001, -1e6]).repeat(4)[:channels])
        normalised.mean.copy_(torch.linspace(-2, 2, channels))
        normalised.var.copy_(torch.tensor([1.0, 1e-12, 4.0, 1e6]).repeat(6)[:channels])
        for weights in model.weighted[1:]:
            weights.beta.normal_(0, 0.5)
    assert_exact(model, images())


OPTIONS = [
    {"strict": False},
    {"leak_shift": 0, "reset": "subtract"},
    {"order": "leak_on_store", "leak_rounding": "toward_zero"},
    {"leak_rounding": "nearest", "leak_shift": 3, "v_th": 0.3},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("layers", [POOLED, DEEP], ids=["pooled", "deep"])
def test_every_option_of_the_neuron_stays_exact(layers, options):
    assert_exact(made(layers, 4, **options), images())


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_wide_codes_and_wide_potentials_stay_exact(bits):
    """Sums beyond 2**24 and potentials of 32 bits that never leak: float32 alone would lose units."""
    coding = InputCoding((784,), 8, 255)
    torch.manual_seed(0)
    layers = (DenseLayer(30), DenseLayer(30, batch_norm=True), ReadoutLayer(5))
    model = SpikingModel(layers, lambda: MintLif(bits=bits, leak_shift=0), coding, 12)
    with torch.no_grad():
        model.weighted[0].weight[:20].abs_().neg_()
        model.weighted[1].weight[:20].abs_().neg_()
    model.quantize(lambda: Mint(bits=min(bits, 16), init="max"))
    expected = assert_exact(model, images(coding=coding))
    if bits == 32:
        assert np.abs(expected.potentials["lif1"]).max() > 1 << 24
    model.train()
    model(as_input(images(coding=coding))).sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)


def test_a_potential_beyond_float32_is_exact_although_each_sum_is_narrow():
    """784 codes of -127 times 15, less one, twelve times over: odd and beyond 2**24."""
    coding = InputCoding((784,), 4, 15)
    model = SpikingModel((DenseLayer(1), ReadoutLayer(2)), lambda: MintLif(bits=32, leak_shift=0), coding, timesteps=13)
    with torch.no_grad():
        model.weighted[0].weight.fill_(-1.0)
    model.quantize(lambda: Mint(bits=8, init="max"))
    x = np.full((1, 784), 15)
    x[0, 0] = 14
    expected = assert_exact(model, x)
    assert expected.potentials["lif1"].flatten()[-1] == -127 * (784 * 15 - 1) * 13


def test_a_readout_alone_is_exact_beyond_float32():
    coding = InputCoding((784,), 8, 255)
    torch.manual_seed(0)
    model = SpikingModel((ReadoutLayer(5),), MintLif, coding, 4)
    with torch.no_grad():
        model.weighted[0].weight.abs_()
    model.quantize(lambda: Mint(bits=16, init="max"))
    expected = assert_exact(model, images(coding=coding))
    assert np.abs(expected.outputs["readout"]).max() > 1 << 24


def test_logits_are_the_readouts_mean_in_real_units():
    model = made(DEEP).eval()
    x = as_input(images())
    recording = model.record(x)
    lsb = model.weighted[-1].folded().lsb
    assert torch.allclose(model(x), recording.output[-1] * lsb / model.timesteps, rtol=1e-5)


def test_a_recording_has_the_neurons_by_name_and_the_readout_summed():
    model = made(POOLED).eval()
    recording = model.record(as_input(images(3)))
    assert {name: tuple(value.shape) for name, value in recording.spikes.items()} == {
        "lif1": (4, 3, 6, 8, 8),
        "lif2": (4, 3, 5, 4, 4),
    }
    assert {name: value.shape for name, value in recording.potentials.items()} == {
        name: value.shape for name, value in recording.spikes.items()
    }
    assert recording.output.dtype == torch.int64
    assert tuple(recording.output.shape) == (4, 3, 4)


def test_the_lowest_class_wins_a_tie():
    model = made((FlattenLayer(), ReadoutLayer(3))).eval()
    with torch.no_grad():
        for parameter in model.weighted[0].parameters():
            parameter.zero_()
    assert model.predict(as_input(images(2))).tolist() == [0, 0]


def test_nodes_are_named_in_order():
    assert [(s.name, s.neuron_name, s.shape) for s in made(POOLED).stages] == [
        ("conv1", "lif1", (6, 8, 8)),
        ("pool1", "", (6, 4, 4)),
        ("conv2", "lif2", (5, 4, 4)),
        ("pool2", "", (5, 2, 2)),
        ("flatten1", "", (20,)),
        ("fc1", "", (4,)),
    ]


def test_an_averages_divisor_goes_into_what_follows():
    weights = made(POOLED).weighted
    assert [w.x_scale for w in weights] == [1 / 15, 1.0, 0.25]
    assert [w.peak for w in weights] == [15, 1, 4]


def test_quantizing_again_can_keep_the_clips():
    model = made(DEEP)
    with torch.no_grad():
        model.weighted[0].log_clip.fill_(0.7)
    model.quantize(lambda: Mint(bits=8), keep_clips=True)
    assert model.weighted[0].log_clip.item() == pytest.approx(0.7)
    model.quantize(lambda: Mint(bits=8))
    assert model.weighted[0].log_clip.item() != pytest.approx(0.7)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_input_is_a_float_copy(dtype):
    x = np.array([[0, 255]], dtype)
    x.flags.writeable = False
    given = as_input(x)
    assert given.dtype == torch.float32
    assert given.tolist() == [[0.0, 255.0]]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), r"^the network's last layer must be a readout; add ReadoutLayer\(classes\)$"),
        ((FlattenLayer(),), r"^the network's last layer must be a readout; add ReadoutLayer\(classes\)$"),
        (
            (DenseLayer(4), ReadoutLayer(2)),
            r"^a dense layer follows a value of shape \(2, 8, 8\); put a .*it$",
        ),
        (
            (FlattenLayer(), ConvLayer(4), ReadoutLayer(2)),
            r"^a conv layer follows a value of shape \(128,\); it needs \(channels, height, width\)$",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message):
    with pytest.raises(UsageError, match=message):
        SpikingModel(layers, MintLif, IMAGES, 4)


def test_a_float_model_has_no_integers_to_record():
    model = SpikingModel(DEEP, MintLif, IMAGES, 4)
    with pytest.raises(
        UsageError, match=r"^record\(\) needs integers, and layer '\w+' computes in floats; quantize\(\) it first$"
    ):
        model.record(as_input(images(1)))
