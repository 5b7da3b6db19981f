"""The C kernels give the bits of the torch operations, for every size and option."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from decolle_models import CLASSES, SHAPE, TIMESTEPS, conv, float_model, mlp
from decolle_training import layers_of, same, task

from spikequant.errors import BackendError
from spikequant_decolle import learner as learning
from spikequant_decolle.initialisation import Start, scale_to_data
from spikequant_decolle.layer_training import Rule
from spikequant_decolle.learner import Decolle
from spikequant_decolle.native import NativeOperations
from spikequant_decolle.operations import TorchOperations
from spikequant_decolle.regularizers import Regularizers
from spikequant_decolle.surrogate import KINDS, Surrogate


@pytest.fixture(scope="module")
def native():
    try:
        return NativeOperations()
    except BackendError as error:
        pytest.skip(str(error))


def networks():
    for pools in ((2, 1), (3, 2), (1, 1)):
        for channels in ((4, 6), (17, 3), (1, 33)):
            yield conv(channels=channels, pools=pools, features=(11,))
    yield mlp(features=(1, 130))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("network", list(networks()), ids=lambda net: str(getattr(net, "channels", net.features)))
def test_every_timestep_and_update(native, network, normalised, kind):
    rule = Rule(Surrogate(kind, 0.37), Regularizers(0.1, 0.2))
    data = task(SHAPE, TIMESTEPS, CLASSES, 7)
    models = [float_model(network, normalised=normalised, gamma=0.3, rho=0.7) for _ in range(2)]
    x = torch.from_numpy(data.x).float().transpose(0, 1)
    target = torch.eye(CLASSES)[torch.from_numpy(data.y)]
    runs = []
    for model, operations in zip(models, (native, TorchOperations()), strict=True):
        scale_to_data(model, x, Start())
        runs.append(layers_of(model, operations, rule))
        for layer in runs[-1]:
            layer.begin(len(data))
    updates = 0
    for t in range(8):
        arriving = [x[t], x[t]]
        for k in range(len(runs[0])):
            fired = [layers[k].forward(s, t) for layers, s in zip(runs, arriving, strict=True)]
            assert torch.equal(fired[0].s, fired[1].s)
            assert torch.equal(fired[0].d, fired[1].d)
            for name in ("p", "q", "r"):
                assert torch.equal(getattr(runs[0][k]._state, name), getattr(runs[1][k]._state, name))
            before = models[0].layers[k].w.clone()
            for layers, found in zip(runs, fired, strict=True):
                layers[k].learn(found, layers[k].read(found), target, 0.01)
            updates += not torch.equal(before, models[0].layers[k].w)
            assert torch.equal(models[0].layers[k].w, models[1].layers[k].w)
            assert torch.equal(models[0].layers[k].v_th, models[1].layers[k].v_th)
            arriving = [found.s for found in fired]
    assert updates > 3


def test_a_whole_training(native, monkeypatch):
    data = task(SHAPE, TIMESTEPS, CLASSES, 50)
    ends = []
    for operations in (native, TorchOperations()):
        monkeypatch.setattr(learning, "operations", lambda model, chosen=operations: chosen)
        model = float_model(conv(channels=(9, 10), features=(21,)))
        learner = Decolle(batch_size=16, lr=5e-3)
        state = learner.start(model, epochs=2, seed=0)
        rows = [learner.epoch(model, data, state, number, epochs=2, seed=0) for number in range(2)]
        ends.append((model, rows))
    assert same(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


def test_kernels_are_for_floats_on_the_processor(native):
    assert isinstance(learning.operations(float_model(conv())), NativeOperations)
    model = float_model(conv())
    model.precision = "integer"
    assert type(learning.operations(model)) is TorchOperations


def test_without_a_compiler_torch_does_it(monkeypatch):
    def refuse():
        raise BackendError("there is no C compiler")

    monkeypatch.setattr(learning, "NativeOperations", refuse)
    assert type(learning.operations(float_model(conv()))) is TorchOperations
