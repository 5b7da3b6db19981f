"""Gradients of one timestep: torch's autograd finds the same, none crosses a layer or a timestep, and one by hand."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))

from decolle_models import CLASSES, conv, counts, float_model, mlp, quantized
from decolle_training import layers_of, parameters

from spikequant import InputCoding
from spikequant_decolle.adamax import Adamax
from spikequant_decolle.layer_training import Rule
from spikequant_decolle.loss import smooth_l1
from spikequant_decolle.network import DecolleMlp
from spikequant_decolle.neuron import DecolleNeuron
from spikequant_decolle.operations import TorchOperations
from spikequant_decolle.regularizers import Regularizers
from spikequant_decolle.surrogate import KINDS, Surrogate

TOLERANCE = {"rtol": 1e-4, "atol": 1e-7}
"""Ours is float32, autograd's float64."""
BATCH = 4


class Kept:
    """An optimizer that changes nothing and keeps what it is given."""

    def __init__(self):
        self.gradients = {}

    def update(self, name, parameter, gradient, lr, operations):
        self.gradients[name] = gradient.clone()


class SurrogateStep(torch.autograd.Function):
    """A step whose derivative is written here once more, from the formulas."""

    @staticmethod
    def forward(ctx, d, kind, width):
        ctx.save_for_backward(d)
        ctx.form = kind, width
        return (d >= 0).to(d.dtype)

    @staticmethod
    def backward(ctx, g):
        (d,) = ctx.saved_tensors
        kind, width = ctx.form
        slopes = {
            "boxcar": lambda: ((d >= -width) & (d <= width)).to(d.dtype),
            "triangle": lambda: torch.where(d.abs() < width, (width - d.abs()) / width, 0.0),
            "fast-sigmoid": lambda: (width / (width + d.abs())) ** 2,
        }
        return g * slopes[kind](), None, None


def naive_gradients(layer, p, r, target, rule, rho=1.0):
    """Return autograd's gradients of w and v_th for one detached timestep, float64."""
    w = layer.w.detach().double().requires_grad_()
    v_th = layer.v_th.detach().double().requires_grad_()
    p, r = p.double(), r.double()
    plan = layer.plan
    sums = F.conv2d(p, w, padding=plan.padding) if plan.kernel else F.linear(p, w)
    d = sums - rho * r - v_th.reshape(-1, *[1] * (len(layer.out_shape) - 1))
    if plan.pool > 1:
        d = F.max_pool2d(d, plan.pool)
    spikes = SurrogateStep.apply(d, rule.surrogate.kind, rule.surrogate.width)
    y = F.linear(spikes.flatten(1), layer.G.double() * layer.readout_lsb)
    loss = F.smooth_l1_loss(y, target.double())
    mean = d.flatten(1).mean(1)
    loss = loss + rule.regularizers.high * F.relu(d + 0.01).mean()
    loss = loss + rule.regularizers.low * F.relu(0.1 - mean).mean()
    loss.backward()
    return w.grad, v_th.grad


def targets(seed=3):
    draw = torch.Generator().manual_seed(seed)
    return F.one_hot(torch.randint(0, CLASSES, (BATCH,), generator=draw), CLASSES).float()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("regularizers", [Regularizers(), Regularizers(0.3, 0.2)], ids=["plain", "regularized"])
@pytest.mark.parametrize("network", [conv, mlp, lambda: conv(features=(7,))], ids=["conv", "mlp", "both"])
def test_autograd_of_the_detached_formulation_finds_the_same(network, regularizers, kind):
    model = float_model(network())
    rule = Rule(Surrogate(kind, 0.3), regularizers)
    kept = Kept()
    layers = layers_of(model, rule=rule, optimizer=kept)
    for layer in layers:
        layer.begin(BATCH)
    target, found = targets(), 0
    for t, s in enumerate(counts(BATCH).transpose(0, 1)[:6]):
        x = s
        for k, layer in enumerate(layers):
            before = layer._state.r.clone()
            fired = layer.forward(x, t)
            layer.learn(fired, layer.read(fired), target, 0.1)
            w, v_th = naive_gradients(model.layers[k], layer._state.p, before, target, rule)
            torch.testing.assert_close(kept.gradients[f"w{k}"].double(), w, **TOLERANCE)
            torch.testing.assert_close(kept.gradients[f"v_th{k}"].double(), v_th, **TOLERANCE)
            found += bool(w.abs().sum() > 0)
            x = fired.s
    assert found > 6


def train(model, x, target, lr=0.01):
    layers = layers_of(model)
    for layer in layers:
        layer.begin(len(target))
    for t, s in enumerate(x.transpose(0, 1)):
        arriving = s
        for layer in layers:
            fired = layer.forward(arriving, t)
            layer.learn(fired, layer.read(fired), target, lr)
            arriving = fired.s
    return layers


@pytest.mark.parametrize(
    "make", [float_model, lambda net: quantized(net, "Q1.6", P="Q4.8", Q="Q4.8", R="Q1.8", V="Q4.8")]
)
def test_what_a_layer_learns_does_not_depend_on_the_layers_above(make):
    x, target = counts(BATCH), targets()
    one, other = make(conv(features=(7,))), make(conv(features=(7,)))
    for layer in other.layers[1:]:
        layer.w.mul_(-1.5)
        layer.v_th.sub_(0.05)
        layer.G.neg_()
    before = parameters(one)
    train(one, x, target)
    train(other, x, target)
    assert torch.equal(one.layers[0].w, other.layers[0].w)
    assert torch.equal(one.layers[0].v_th, other.layers[0].v_th)
    assert not torch.equal(one.layers[0].w, before[0])
    assert not torch.equal(one.layers[1].w, other.layers[1].w)


def test_what_a_timestep_teaches_depends_on_the_past_through_the_states_alone():
    """A network that lived through other recordings learns the same when it is given the same P, Q and R."""
    model = float_model(conv())
    target = targets()
    lived = layers_of(model)
    for layer in lived:
        layer.begin(BATCH)
    for t, s in enumerate(counts(BATCH, seed=9).transpose(0, 1)):
        x = s
        for layer in lived:
            x = layer.forward(x, t).s
    twin = copy.deepcopy(model)
    fresh = layers_of(twin)
    for old, new in zip(lived, fresh, strict=True):
        new.begin(BATCH)
        for name in ("p", "q", "r"):
            getattr(new._state, name).copy_(getattr(old._state, name))
    x = counts(BATCH, seed=4)[:, 0]
    for layers in (lived, fresh):
        arriving = x
        for layer in layers:
            fired = layer.forward(arriving, 7)
            layer.learn(fired, layer.read(fired), target, 0.01)
            arriving = fired.s
    assert not torch.equal(model.layers[0].w, float_model(conv()).layers[0].w)
    for a, b in zip(parameters(model), parameters(twin), strict=True):
        assert torch.equal(a, b)


def test_an_update_of_two_neurons_by_hand():
    """Two inputs, two neurons, two classes; every number is a sum of powers of two, so ours must be equal.

    alpha = beta = gamma = 1/2, not normalised, rho = 1/2; fast sigmoid of width 1; label 0; lr = 1/4.

    | t | S_in | P      | Q after   | sums       | R      | V            | spikes |
    | 0 | 1 0  | 0 0    | 1 0       | 0, 0       | 0 0    | 0, 0         | 0 1    |
    | 1 | 0 2  | 1 0    | 1/2 2     | 1/2, -1    | 0 1    | 1/2, -3/2    | 1 0    |

    with w = [[1/2, 1], [-1, 1/2]] and Vth = [1/2, 0]. The update is at t = 1 only:
    d = V - Vth = [0, -3/2], slopes 1 and 1 / (1 + 3/2)^2 = 4/25; G = lsb [[64, 32], [-64, 96]], y = lsb [64, -64],
    e = y - [1, 0], dy = e / 2 (two classes, one sample), dS = G^T dy.
    """
    network = DecolleMlp(features=(2,), burn_in=0)
    cell = DecolleNeuron(alpha=0.5, beta=0.5, gamma=0.5, rho=0.5, normalised=False)
    model = network.model(lambda: cell, InputCoding((2,), 2, 1, 1e-3), 2, 2, seed=0)
    layer = model.layers[0]
    layer.w.copy_(torch.tensor([[0.5, 1.0], [-1.0, 0.5]]))
    layer.v_th.copy_(torch.tensor([0.5, 0.0]))
    layer.G.copy_(torch.tensor([[64, 32], [-64, 96]]))
    (training,) = layers_of(model, rule=Rule(Surrogate("fast-sigmoid", 1.0), Regularizers()))
    training.begin(1)
    first = training.forward(torch.tensor([[1.0, 0.0]]), 0)
    assert first.s.tolist() == [[0.0, 1.0]]
    second = training.forward(torch.tensor([[0.0, 2.0]]), 1)
    assert second.s.tolist() == [[1.0, 0.0]]
    assert second.d.tolist() == [[0.0, -1.5]]
    assert training._state.p.tolist() == [[1.0, 0.0]]
    assert training._state.q.tolist() == [[0.5, 2.0]]
    assert training._state.r.tolist() == [[1.0, 0.5]]
    lsb = layer.readout_lsb
    y = training.read(second)
    assert y.tolist() == [[pytest.approx(64 * lsb), pytest.approx(-64 * lsb)]]
    training.learn(second, y, torch.tensor([[1.0, 0.0]]), 0.25)
    e = 64 * lsb - 1, -64 * lsb
    assert smooth_l1(y, torch.tensor([[1.0, 0.0]])).item() == pytest.approx((e[0] ** 2 + e[1] ** 2) / 4)
    ds = [lsb * (64 * e[0] - 64 * e[1]) / 2, lsb * (32 * e[0] + 96 * e[1]) / 2]
    assert ds[0] < 0 > ds[1]
    # P is [1, 0]: the second input's weights stay. Adamax's first step is lr * g / |g|, so -+1/4 whatever the size.
    assert layer.w.tolist() == [[pytest.approx(0.75), 1.0], [pytest.approx(-0.75), 0.5]]
    assert layer.v_th.tolist() == [pytest.approx(0.25, rel=1e-5), pytest.approx(-0.25, rel=1e-5)]
    optimizer = training._optimizer
    dv = [ds[0], ds[1] * 4 / 25]
    assert optimizer.maxima["w0"].flatten().tolist() == pytest.approx([-dv[0], 0, -dv[1], 0], rel=1e-4, abs=2e-8)
    # The same moment once more: u decays to 95 % and |g| is above it only where the loss has not fallen.
    training.learn(second, y, torch.tensor([[1.0, 0.0]]), 0.25)
    assert layer.w.tolist() == [[pytest.approx(1.0), 1.0], [pytest.approx(-0.5), 0.5]]
    training.learn(second, y / 2 + torch.tensor([[0.5, 0.0]]), torch.tensor([[1.0, 0.0]]), 0.25)  # half the error
    assert layer.w[0, 0].item() == pytest.approx(1.0 + 0.25 * 0.5 / 0.95, rel=1e-5)
    assert layer.w[1, 0].item() == pytest.approx(-0.5 + 0.25 * 0.5 / 0.95, rel=1e-5)


@pytest.mark.parametrize("betas", [(0.0, 0.95), (0.9, 0.99)])
def test_adamax_is_that_of_torch(betas):
    draw = torch.Generator().manual_seed(0)
    mine = {"w": torch.randn(5, 3, generator=draw)}
    theirs = mine["w"].clone().requires_grad_()
    ours, peer = Adamax(mine, betas), torch.optim.Adamax([theirs], lr=0.01, betas=betas)
    for _ in range(20):
        gradient = torch.randn(5, 3, generator=draw)
        theirs.grad = gradient.clone()
        peer.step()
        ours.update("w", mine["w"], gradient, 0.01, TorchOperations())
    torch.testing.assert_close(mine["w"], theirs.detach(), rtol=1e-5, atol=1e-6)
