"""The learner: it learns, repeats and resumes to the bit, computes what the quantized model computes, and refuses."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from decolle_models import CLASSES, SHAPE, TIMESTEPS, conv, counts, float_model, mlp, quantized
from decolle_training import layers_of, parameters, same, task

from spikequant import EventFrames, InputCoding, Split
from spikequant.errors import UsageError
from spikequant.model import SpikingModel, accuracy
from spikequant.rounding import Rounding
from spikequant.testing import learner_checks_on
from spikequant_decolle import learner as learning
from spikequant_decolle.batches import batches
from spikequant_decolle.initialisation import Start, scale_to_data
from spikequant_decolle.learner import Decolle
from spikequant_decolle.network import DecolleConv3, DecolleMlp
from spikequant_decolle.neuron import DecolleNeuron
from spikequant_qif.quantizer import Qif

FORMATS = {"P": "Q4.6", "Q": "Q4.6", "R": "Q1.6", "V": "Q4.6"}


def models(coding, classes):
    """Yield small networks of the frames below, in floats and in low precision."""
    for label, formats in (("floats", {}), ("quantized", FORMATS), ("stochastic", {**FORMATS, "rounding": "SR"})):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            cell = DecolleNeuron(alpha=0.5, beta=0.4, **formats)
            network = DecolleConv3(channels=(3,), kernel=3, pools=(2,), features=(8,), burn_in=1)
            model = network.model(lambda cell=cell: cell, InputCoding((2, 4, 4), 1, 1, 1e-3), classes, 6, seed=5)
        if formats:
            rounding = formats.get("rounding", "RN")
            model.quantize(lambda rounding=rounding: Qif("Q1.6", rounding))
        yield label, model


def frames():
    return task((2, 4, 4), 6, 3, 30)


@learner_checks_on(models, frames)(
    Decolle(batch_size=7), Decolle(betas=(0.9, 0.99), surrogate="boxcar", regularize_low=0.1)
)
def test_contract(learner, check):
    check(learner)


def trained(model, data, epochs=3, seed=0, **options):
    learner = Decolle(**{"batch_size": 10, "lr": 0.1, "start_samples": 20, **options})
    state = learner.start(model, epochs=epochs, seed=seed)
    return [learner.epoch(model, data, state, number, epochs=epochs, seed=seed) for number in range(epochs)]


@pytest.mark.parametrize(
    "network", [lambda: conv(channels=(6, 12)), mlp, lambda: conv(features=(40,))], ids=["conv", "mlp", "both"]
)
def test_it_learns_a_small_task(network):
    model = float_model(network())
    data, test = task(SHAPE, TIMESTEPS, CLASSES, 100), task(SHAPE, TIMESTEPS, CLASSES, 60, seed=1)
    rows = trained(model, data, 10)
    assert rows[-1]["train_accuracy"] > 0.9
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert accuracy(model, test) > 0.9
    assert {f"train_accuracy_{k + 1}" for k in range(len(model.layers))} < set(rows[0])


def test_training_in_low_precision_learns_too():
    formats = {"P": "Q1.6", "Q": "Q1.6", "R": "Q1.4", "V": "Q3.4"}
    model = quantized(mlp(), "Q3.3", **formats)
    data, test = task(SHAPE, TIMESTEPS, CLASSES, 100), task(SHAPE, TIMESTEPS, CLASSES, 60, seed=1)
    trained(model, data, 8)
    assert model.precision == "integer"
    assert accuracy(model, test) > 0.9


@pytest.mark.parametrize("decode", ["mode", "sum"])
def test_training_accuracy_counts_votes_as_the_network_does(decode):
    """Without a learning rate worth the name, an epoch's accuracy is the accuracy on the same samples."""
    model = float_model(conv(decode=decode))
    data = task(SHAPE, TIMESTEPS, CLASSES, 50)
    rows = trained(model, data, 6)
    after = trained(model, data, 1, lr=1e-12)[0]
    assert after["train_accuracy"] == pytest.approx(accuracy(model, data))
    assert rows[-1]["train_accuracy"] > 0.6


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("network", [conv, lambda: conv(features=(7,))], ids=["conv", "both"])
def test_forward_in_training_is_the_quantized_model_itself(network, rounding):
    """All spikes of a batch, timestep by timestep, before and after updates of the weights."""
    model = quantized(network(), "Q1.6", rounding, **FORMATS)
    x = counts()
    target = torch.eye(CLASSES)[:3]
    for _ in range(2):
        layers = layers_of(model)
        for layer in layers:
            layer.begin(len(x))
        wanted = model.record(x).spikes
        last = None
        for t, s in enumerate(x.transpose(0, 1)):
            arriving = s
            for k, layer in enumerate(layers):
                fired = layer.forward(arriving, t)
                spikes = wanted[f"lif{k + 1}"][t].float()
                assert torch.equal(fired.s, layer.layer.pooled(spikes))
                arriving, last = fired.s, fired
        layers[-1].learn(last, layers[-1].read(last), target, 0.05)
        assert torch.equal(layers[-1]._dynamics.w.float(), model.weights(model.layers[-1]).float())


@pytest.mark.parametrize("native", [False, True], ids=["torch", "kernels"])
def test_floats_too_are_updated_at_once(native):
    """After an update the next timestep is that of a network which has the new weights and thresholds."""
    model = float_model(conv(features=(7,)))
    operations = learning.operations(model) if native else None
    layers, target = layers_of(model, operations), torch.eye(CLASSES)[:3]
    for layer in layers:
        layer.begin(3)
    changed = 0
    for t, s in enumerate(counts().transpose(0, 1)):
        arriving = s
        fresh = layers_of(model)
        for layer, other in zip(layers, fresh, strict=True):
            other.begin(3)
            for name in ("p", "q", "r"):
                getattr(other._state, name).copy_(getattr(layer._state, name))
            fired = layer.forward(arriving, t)
            assert torch.equal(fired.d, other.forward(arriving, t).d)
            before = layer.layer.v_th.clone()
            layer.learn(fired, layer.read(fired), target, 0.05)
            changed += not torch.equal(before, layer.layer.v_th)
            arriving = fired.s
    assert changed > 30


def test_weights_stay_within_their_format():
    model = quantized(mlp(), "Q0.4", **FORMATS)
    trained(model, task(SHAPE, TIMESTEPS, CLASSES, 40), 2, lr=0.5)
    assert max(float(layer.w.abs().max()) for layer in model.layers) == 1.0
    assert min(float(layer.w.min()) for layer in model.layers) == -1.0
    assert max(float(layer.w.max()) for layer in model.layers) == 1 - 2**-4


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    data = task(SHAPE, TIMESTEPS, CLASSES, 40)
    one, two, other = (float_model(conv()) for _ in range(3))
    trained(one, data, 2, shift=1, crop_steps=12)
    torch.manual_seed(99)
    np.random.seed(99)
    trained(two, data, 2, shift=1, crop_steps=12)
    trained(other, data, 2, seed=1, shift=1, crop_steps=12)
    assert same(one, two)
    assert not same(one, other)


def test_start_scales_each_layer_and_its_rate():
    model = float_model(conv(features=(30,)))
    x = counts(20).transpose(0, 1)
    scale_to_data(model, x, Start(2.0, 0.2))
    layers = layers_of(model)
    for layer in layers:
        layer.begin(20)
    rates, sums = [0.0] * 3, [[], [], []]
    for t, s in enumerate(x):
        arriving = s
        for k, layer in enumerate(layers):
            fired = layer.forward(arriving, t)
            if t >= 5:
                rates[k] += float(fired.s.mean()) / 15
                sums[k].append(layer._dynamics.drive(layer._state.p))
            arriving = fired.s
    for k in range(3):
        assert torch.stack(sums[k]).std().item() == pytest.approx(2.0, rel=0.25)
        assert 0.08 < rates[k] < 0.3


def test_a_layer_without_spikes_is_named():
    model = float_model(conv())
    with pytest.raises(UsageError, match="layer 1 gets no spikes"):
        scale_to_data(model, torch.zeros(TIMESTEPS, 3, *SHAPE), Start())


def test_crops_start_anywhere_in_a_recording():
    times = np.arange(50) * 1000  # one event each millisecond, 50 frames
    x = EventFrames.of([(times, times // 1000 % 4)] * 30, (4,), timesteps=5, frame_us=1000)
    data = Split(x, np.zeros(30, np.int64))
    random = np.random.default_rng(0)
    (batch,) = batches(data, 30, random, torch.device("cpu"), crop_steps=7)
    assert batch.x.shape == (7, 30, 4)
    assert (batch.x.sum((0, 2)) == 7).all()
    first = batch.x[0].argmax(1)
    assert set(first.tolist()) == {0, 1, 2, 3}
    dense = Split(x[:], data.y)
    (batch,) = batches(dense, 30, random, torch.device("cpu"), crop_steps=3)
    assert batch.x.shape == (3, 30, 4)


def test_shifts_move_images_and_bring_in_zeros():
    image = np.arange(1, 17, dtype=np.uint8).reshape(1, 1, 1, 4, 4)
    data = Split(np.repeat(image, 90, 0), np.zeros(90, np.int64))
    (batch,) = batches(data, 90, np.random.default_rng(0), torch.device("cpu"), shift=1)
    whole = np.pad(image[0, 0, 0], 1)
    wanted = {whole[y : y + 4, x : x + 4].tobytes() for y in range(3) for x in range(3)}
    seen = {frame.numpy().astype(np.uint8).tobytes() for frame in batch.x[0, :, 0]}
    assert seen == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, "lr is 0"),
        ({"betas": (0.9, 1.0)}, "betas is"),
        ({"lr_drops": (1.5,)}, "lr_drops is"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"surrogate": "step"}, "surrogate is 'step'"),
        ({"surrogate_width": -1.0}, "surrogate_width is -1"),
        ({"start_rate": 1.0}, "start_rate is 1"),
        ({"start_std": 0.0}, "start_std is 0"),
        ({"regularize_high": -1.0}, "regularize_high is -1"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Decolle(**options)


def test_what_it_cannot_train_is_refused():
    with pytest.raises(UsageError, match="burn_in is 5"):
        Decolle(crop_steps=5).start(float_model(conv()), epochs=1, seed=0)
    flat = DecolleMlp(burn_in=0).model(DecolleNeuron, InputCoding((6,), 1, 1, 1e-3), 3, 4, seed=0)
    with pytest.raises(UsageError, match="no images"):
        Decolle(shift=1).start(flat, epochs=1, seed=0)
    chain = SpikingModel.__new__(SpikingModel)
    with pytest.raises(UsageError, match="trains networks 'decolle"):
        Decolle().start(chain, epochs=1, seed=0)


def test_parameters_are_plain_between_epochs():
    """What an epoch leaves lies in memory as any tensor does: files hold it so."""
    model = float_model(conv())
    trained(model, task(SHAPE, TIMESTEPS, CLASSES, 20), 1)
    assert all(value.is_contiguous() for value in parameters(model))
