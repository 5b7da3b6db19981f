"""The bundled learner keeps the contract of learners, and does what its options say."""

import numpy as np
import pytest
import torch

import spikequant_bptt
from spikequant import Model, SpikingModel, Split
from spikequant.errors import UsageError
from spikequant.model import InputCoding
from spikequant.network import DenseLayer, FlattenLayer, ReadoutLayer
from spikequant.testing import learner_checks
from spikequant_bptt.learner import Bptt, _shifted
from spikequant_mint.mint_lif import MintLif


@learner_checks(Bptt(), Bptt(lr=0.02, batch_size=7, weight_decay=0.1, shift=1))
def test_contract(learner, check):
    check(learner)


def test_hook_offers_the_class():
    assert spikequant_bptt.spikequant_learners() == [Bptt]


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = (FlattenLayer(), DenseLayer(24), ReadoutLayer(2))
    return SpikingModel(layers, lambda: MintLif(bits=8), InputCoding((1, 4, 4), 4, 15), timesteps=4)


def stripes(count):
    y = np.arange(count) % 2
    x = np.zeros((count, 1, 4, 4), np.uint8)
    x[y == 0, :, ::2, :] = 15
    x[y == 1, :, :, ::2] = 15
    return Split(x, y.astype(np.int64))


def test_stripes_are_learned(model):
    learner, data = Bptt(lr=0.02, batch_size=8), stripes(32)
    state = learner.start(model, epochs=6, seed=0)
    metrics = [learner.epoch(model, data, state, n, epochs=6, seed=0) for n in range(6)]
    assert metrics[-1]["train_accuracy"] == 1.0
    assert metrics[-1]["loss"] < metrics[0]["loss"]


class Perceptron(Model):
    """A model of another kind: one weight matrix, and a forward that torch can differentiate."""

    quantities = ()
    quantize = record = observe = lower = None

    def __init__(self):
        super().__init__()
        self.coding, self.timesteps = InputCoding((1, 4, 4), 4, 15), 1
        self.fc = torch.nn.Linear(16, 2)

    def predict(self, x):
        return self.fc(x.flatten(1)).argmax(1).numpy()


class Differentiable(Perceptron):
    def forward(self, x):
        return self.fc(x.flatten(1))


def test_any_model_with_a_forward_is_trained():
    learner, data, other = Bptt(lr=0.02, batch_size=8), stripes(32), Differentiable()
    state = learner.start(other, epochs=6, seed=0)
    metrics = [learner.epoch(other, data, state, n, epochs=6, seed=0) for n in range(6)]
    assert metrics[-1]["train_accuracy"] == 1.0


def test_a_model_without_a_forward_is_refused():
    message = (
        r"^learner 'bptt' trains models with a differentiable forward\(\), and was given a Perceptron; choose another"
        r" network, or the learner of this one$"
    )
    with pytest.raises(UsageError, match=message):
        Bptt().start(Perceptron(), epochs=1, seed=0)


def test_the_rate_falls_from_its_peak_as_a_cosine(model):
    learner, rates = Bptt(lr=1.0, batch_size=8), []
    state = learner.start(model, epochs=2, seed=0)
    for number in range(2):
        learner.epoch(
            model,
            stripes(16),
            state,
            number,
            epochs=2,
            seed=0,
            progress=lambda done, total: rates.append(state.param_groups[0]["lr"]),
        )
    assert rates == [0.5 * (1 + np.cos(np.pi * quarter / 4)) for quarter in range(4)]


def test_only_matrices_decay(model):
    groups = Bptt(weight_decay=0.5).start(model, epochs=1, seed=0).param_groups
    assert [g["weight_decay"] for g in groups] == [0.5, 0.0]
    assert all(p.dim() > 1 for p in groups[0]["params"])
    assert all(p.dim() <= 1 for p in groups[1]["params"])
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))


def test_another_seed_is_another_order(model):
    start = {name: value.clone() for name, value in model.state_dict().items()}
    outcomes = []
    for seed in (0, 1):
        model.load_state_dict(start)
        learner = Bptt(batch_size=3)
        learner.epoch(model, stripes(10), learner.start(model, epochs=1, seed=seed), 0, epochs=1, seed=seed)
        outcomes.append(model.parts["fc1"].weight.detach().clone())
    assert not torch.equal(*outcomes)


class Spied:
    """Labels that remember in which order they were asked for."""

    def __init__(self, values):
        self.values, self.order = values, []

    def __len__(self):
        return len(self.values)

    def __getitem__(self, chosen):
        self.order.extend(chosen.tolist())
        return self.values[chosen]


def test_every_epoch_shows_every_sample_once_in_an_order_of_its_own(model):
    data, learner, orders = stripes(10), Bptt(batch_size=3), []
    state = learner.start(model, epochs=2, seed=0)
    for number in range(2):
        spied = Spied(data.y)
        learner.epoch(model, Split(data.x, spied), state, number, epochs=2, seed=0)
        assert sorted(spied.order) == list(range(10))
        orders.append(spied.order)
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (1, 0), (-1, 2), (2, -2)])
def test_a_shift_moves_whole_pixels_and_zeros_come_in(dy, dx):
    image = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    moved = _shifted(image, np.array([dy, dx]))
    for y in range(4):
        for x in range(4):
            inside = 0 <= y - dy < 4 and 0 <= x - dx < 4
            assert moved[0, 0, y, x] == (image[0, 0, y - dy, x - dx] if inside else 0)


def test_a_state_of_another_learner_is_refused(model):
    class Nothing:
        """Not an optimizer."""

    with pytest.raises(TypeError, match=r"^learner 'bptt' was given a Nothing as state; it needs its optimizer$"):
        Bptt().epoch(model, stripes(4), Nothing(), 0, epochs=1, seed=0)


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"batch_size": 0}, {"weight_decay": -1.0}, {"shift": -1}])
def test_options_out_of_range_are_refused(options):
    shown = {"lr": 1e-3, "batch_size": 128, "weight_decay": 0.0, "shift": 0, **options}
    message = (
        f"learner 'bptt': lr {shown['lr']} and batch_size {shown['batch_size']} must be positive,"
        f" weight_decay {shown['weight_decay']} and shift {shown['shift']} not negative"
    )
    with pytest.raises(ValueError, match=r"^learner 'bptt': .* not negative$") as caught:
        Bptt(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("option", ["lr", "weight_decay"])
def test_options_that_are_no_finite_number_are_refused(option, value):
    with pytest.raises(ValueError, match=rf"^learner 'bptt': .*\b{option} {value}\b.* must be finite$"):
        Bptt(**{option: value})
