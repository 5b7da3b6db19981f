"""The STDP learner: one epoch after the other, the same bits from the same seed, labels from training images only."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from spikequant import network
from spikequant.errors import UsageError
from spikequant.lif_neuron import LifNeuron
from spikequant.model import InputCoding, SpikingModel
from spikequant.runs import RunFolder, Watcher, train
from spikequant.runs.build import quantizer_factory
from spikequant.runs.checkpoint import load_checkpoint
from spikequant.testing import learner_checks, learner_checks_on
from spikequant_qif.quantizer import Qif
from spikequant_stdp.engine import State, engine
from spikequant_stdp.engine.native import NativeEngine
from spikequant_stdp.learner import Stdp
from spikequant_stdp.network import DiehlCookNetwork
from spikequant_stdp.neuron import DiehlCookNeuron
from spikequant_stdp.votes import class_rates

ENDS = ("model.safetensors", "float.safetensors", "metrics.jsonl", "result.json", "checkpoint.safetensors")
TWO = {
    "timesteps": 30,
    "training": {"float_epochs": 2, "epochs": 2},
    "data": {"train_samples": 20, "test_samples": 12},
}
STOCHASTIC = {"quantizer": {"rounding": "SR"}, "neuron": {"rounding": "SR"}}


def models(coding, classes):
    """Yield a small net in floats, and one of a conductance synapse in low precision."""
    yield "floats", tiny(coding, classes)
    model = tiny(coding, classes, V="Q9.4", Vth="Q7.4", g="Q4.4", rounding="SR", synapse="conductance")
    model.quantize(lambda: Qif("UQ0.5", "SR"))
    yield "quantized", model


def tiny(coding, classes, **neuron):
    """Return an untrained net of 6 neurons and 8 steps."""
    small = DiehlCookNetwork(neurons=6, norm=4.0, w_init=0.9, rate_hz=400.0, engine="torch")
    return small.model(lambda: DiehlCookNeuron(v_th=-62, **neuron), coding, classes, 8, seed=5)


@learner_checks_on(models)(Stdp(), Stdp(rule="weight-dependent", mu=0.7, weight_mode="stored", label_samples=5))
def test_contract(learner, check):
    check(learner)


def test_the_kit_for_chains_of_layers_says_what_this_learner_needs():
    message = (
        "learner 'stdp' trains network 'diehl-cook' only; check it with learner_checks_on(models), which takes models"
        " of that network"
    )
    failures = learner_checks.failures(Stdp())
    assert set(failures) == {check.__name__.removeprefix("check_") for check in learner_checks.checks[1:]}
    assert set(failures.values()) == {message}


def test_a_kit_without_models_fails():
    failures = learner_checks_on(lambda coding, classes: []).failures(Stdp())
    assert failures["resumes"] == "learner 'stdp': there is no model to train; models() must yield some"


def ends(folder):
    return {name: (folder.path / name).read_bytes() for name in ENDS}


def run(path, recipe, **options):
    train(recipe, RunFolder(path), **options)
    return RunFolder(path)


@pytest.fixture(scope="module")
def straight(usnn, tmp_path_factory):
    """Return a recipe of two epochs in floats and two with stochastic rounding, and its run."""
    recipe = usnn.recipe(**TWO, **STOCHASTIC, learner={"weight_mode": "stored"})
    return recipe, run(tmp_path_factory.mktemp("straight") / "run", recipe)


def test_the_same_recipe_gives_the_same_bits_and_another_seed_others(usnn, straight, tmp_path):
    recipe, folder = straight
    assert ends(run(tmp_path / "again", recipe)) == ends(folder)
    other = run(tmp_path / "other", recipe.model_copy(update={"seed": 6}))
    assert other.float_model.read_bytes() != folder.float_model.read_bytes()


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_stopped_after_any_epoch_and_resumed_it_ends_with_the_same_bits(straight, tmp_path, stop):
    recipe, folder = straight
    left = iter(range(stop - 1))

    def epoch(_):
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, recipe, watcher=Watcher(epoch=epoch))
    assert not RunFolder(tmp_path).complete
    assert ends(run(tmp_path, recipe, resume=True)) == ends(folder)


@pytest.mark.parametrize("phase", ["float", "integer"])
def test_killed_within_the_second_epoch_and_resumed_it_ends_with_the_same_bits(straight, tmp_path, phase):
    recipe, folder = straight
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    program = (
        "import json, sys; from pathlib import Path\n"
        "from spikequant.runs import RunFolder, Watcher, parse_recipe, train\n"
        "recipe = parse_recipe(json.loads(Path(sys.argv[1]).read_text()), 'test')\n"
        "def batch(phase, epoch, epochs, done, total):\n"
        f"    if (phase, epoch, done) == ({phase!r}, 1, 7):\n"
        "        print('now', flush=True); sys.stdin.read()\n"
        "train(recipe, RunFolder(Path(sys.argv[2])), watcher=Watcher(batch=batch))\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "recipe.json"), str(tmp_path / "run")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = RunFolder(tmp_path / "run")
    assert load_checkpoint(resumed.checkpoint)["done"] == 1
    assert ends(run(resumed.path, recipe, resume=True)) == ends(folder)


def test_the_native_engine_trains_the_same_bits(straight, tmp_path):
    assert isinstance(engine("native"), NativeEngine)
    recipe, folder = straight
    table = recipe.table()
    table["network"]["engine"] = "native"
    native = run(tmp_path, type(recipe).model_validate(table))
    for name in ("float_model", "model"):
        got, expected = (load_checkpoint(getattr(f, name))["model"] for f in (native, folder))
        assert all(got[key].equal(expected[key]) for key in expected)
    assert native.metrics() == folder.metrics()
    assert native.result() == folder.result()


def learned(model, learner, data, *, epochs=1, seed=5, start=0):
    state = learner.start(model, epochs=epochs, seed=seed)
    return [learner.epoch(model, data, state, number, epochs=epochs, seed=seed) for number in range(start, epochs)]


def test_an_epoch_is_the_engine_on_each_image_once_in_an_order_of_seed_and_epoch(usnn):
    data, model = usnn.digits()[0], usnn.untrained()
    learned(model, Stdp(), data, epochs=2)
    state = usnn.untrained().state
    for epoch in range(2):
        order = np.random.default_rng([5, epoch]).permutation(len(data))
        images = data.x[order].reshape(len(data), 64).astype(np.uint8)
        engine("torch").train(model.constants, model.formats, state, images, draw=epoch + 1)
    assert np.array_equal(model.state.w, state.w)
    assert np.array_equal(model.state.theta, state.theta)
    assert model.state.images == state.images == 2 * len(data)


def test_labels_come_from_training_images_without_learning(usnn):
    data, model = usnn.digits()[0], usnn.untrained()
    learned(model, Stdp(label_samples=20), data)
    shown = np.random.default_rng([5, 0]).permutation(len(data))[:20]
    images = data.x[shown].reshape(20, 64).astype(np.uint8)
    (counts,) = engine("torch").infer(model.constants, [(model.formats, model.state)], images)
    assert counts.any()
    assert np.array_equal(model.rates.numpy(), class_rates(counts, data.y[shown], 10))


def test_no_test_sample_changes_what_is_learned(usnn, straight, tmp_path):
    recipe, folder = straight
    table = recipe.table()
    table["data"]["test_samples"] = 3
    other = run(tmp_path, type(recipe).model_validate(table))
    assert len(other.metrics()) == 4
    for name in ("float_model", "model"):
        got, expected = (load_checkpoint(getattr(f, name))["model"] for f in (other, folder))
        assert all(got[key].equal(expected[key]) for key in expected)


def test_labels_are_not_seen_by_the_weights(usnn):
    data = usnn.digits()[0]
    wrong = type(data)(data.x, np.zeros_like(data.y))
    one, two = usnn.untrained(), usnn.untrained()
    learned(one, Stdp(), data)
    learned(two, Stdp(), wrong)
    assert one.w.equal(two.w)
    assert one.theta.equal(two.theta)
    assert not one.rates.equal(two.rates)


def test_what_an_epoch_tells(usnn):
    model = usnn.untrained()
    (seen,) = learned(model, Stdp(), usnn.digits()[0])
    assert set(seen) == {"spikes", "silent"}
    assert seen["spikes"] > 1
    assert 0 <= seen["silent"] < 1


def test_a_silent_net_is_told_and_keeps_normalised_weights(usnn):
    model = usnn.untrained(neuron={"v_th": 900})
    (seen,) = learned(model, Stdp(), usnn.digits()[0])
    assert seen == {"spikes": 0.0, "silent": 1.0}
    assert not model.rates.any()
    assert model.w.sum(dim=0).sub(8.0).abs().max() < 1e-4


@pytest.mark.parametrize(("rounding", "most"), [("RN", 1.0), ("SR", 0.99)])
def test_updates_that_vanish_are_told_where_weights_are_kept_rounded(usnn, rounding, most):
    options = {"quantizer": {"format": "Q1.4", "rounding": rounding}, "neuron": {"rounding": rounding}}
    model, data = usnn.quantized(**options), usnn.digits()[0].head(20)
    (seen,) = learned(model, Stdp(weight_mode="stored"), data)
    assert 0.1 < seen["vanished"] <= most
    w = model.state.w
    assert np.array_equal(w * 16, np.floor(w * 16))
    master = usnn.quantized(**options)
    (seen,) = learned(master, Stdp(), data)
    assert "vanished" not in seen
    assert not np.array_equal(master.state.w * 16, np.floor(master.state.w * 16))


def test_starting_changes_nothing_and_low_precision_trains_on_the_grid(usnn):
    for mode, stored in (("stored", True), ("master", False)):
        model, learner = usnn.quantized(**STOCHASTIC), Stdp(weight_mode=mode)
        before = model.state
        learner.start(model, epochs=1, seed=5)
        assert np.array_equal(model.state.w, before.w)
        assert np.array_equal(model.state.theta, before.theta)
        learned(model, learner, usnn.digits()[0].head(20))
        trained = model.state
        assert np.array_equal(trained.theta * 256, np.floor(trained.theta * 256))
        step = model.formats.w.step
        assert np.array_equal(trained.w / step, np.floor(trained.w / step)) is stored


def test_what_itq_does_not_name_is_quantized_after_training_only(usnn):
    data, model = usnn.digits()[0].head(20), usnn.quantized()
    learned(model, Stdp(itq=("w",)), data)
    reference = usnn.quantized(neuron={"V": "FP32", "Vth": "FP32"})
    learned(reference, Stdp(), data)
    assert model.w.equal(reference.w)
    assert model.theta.equal(reference.theta)
    theta = model.theta.numpy()
    assert not np.array_equal(theta * 256, np.floor(theta * 256))
    (rates,) = engine("torch").infer(model.constants, [(model.formats, model.state)], model.pixels(data.x))
    assert model.formats.V is not None
    order = np.random.default_rng([5, 0]).permutation(len(data))
    assert np.array_equal(model.rates.numpy(), class_rates(rates[order], data.y[order], 10))


def test_the_potential_is_not_quantized_in_training_without_the_conductance(usnn):
    model = usnn.quantized(neuron={"synapse": "conductance", "tau_g_ms": 5.0, "g": "Q4.6"})
    message = "learner 'stdp': itq holds w, V, and the step of V uses g; add g, or leave out V"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Stdp(itq=("w", "V")).start(model, epochs=1, seed=5)
    Stdp(itq=("w", "g")).start(model, epochs=1, seed=5)


def test_post_training_quantization_is_the_same_whether_the_learner_started_or_not(usnn):
    x, data = usnn.digits()[1].x, usnn.digits()[1]
    plain, started = usnn.quantized(**STOCHASTIC), usnn.quantized(**STOCHASTIC)
    Stdp(weight_mode="stored").start(started, epochs=0, seed=5)
    assert plain.right([plain, started], data)[0] == plain.right([plain, started], data)[1]
    assert np.array_equal(plain._counts(x), started._counts(x))


@pytest.mark.parametrize("rule", ["pairwise", "weight-dependent"])
def test_options_reach_the_engine(usnn, rule):
    data, model, state = usnn.digits()[0], usnn.untrained(), usnn.untrained().state
    learner = Stdp(rule=rule, mu=0.3, eta_pre=2e-3, eta_post=3e-2, tau_trace_ms=9.0)
    learned(model, learner, data)
    from dataclasses import replace

    p = replace(model.constants, rule=rule, mu=0.3, eta_pre=2e-3, eta_post=3e-2, tau_trace_ms=9.0)
    order = np.random.default_rng([5, 0]).permutation(len(data))
    engine("torch").train(p, model.formats, state, data.x[order].reshape(-1, 64).astype(np.uint8), draw=1)
    assert np.array_equal(model.state.w, state.w)
    assert isinstance(state, State)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_samples": 0}, "learner 'stdp': label_samples is 0; it must be at least 1"),
        ({"mu": 11.0}, "mu is 11.0; it must be a finite number, 0 to 10"),
        ({"eta_post": -1.0}, "eta_post is -1.0; it must be a finite number, at least 0"),
        ({"tau_trace_ms": 0.0}, "tau_trace_ms is 0.0; it must be a finite number, positive"),
        ({"rule": "hebb"}, "rule is 'hebb'; it must be one of pairwise, weight-dependent"),
        ({"itq": ("w", "U")}, "learner 'stdp': itq names U; it may hold w, V, Vth and g"),
        ({"weight_mode": "kept"}, "weight_mode is 'kept'; it must be one of master, stored"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Stdp(**options)


def test_it_trains_its_own_network_only():
    layers = (network.FlattenLayer(), network.ReadoutLayer(3))
    chain = SpikingModel(layers, lambda: LifNeuron(8), InputCoding((1, 2, 2), 4, 15), 2)
    message = (
        "learner 'stdp' trains network 'diehl-cook' only, and was given a SpikingModel; set network.name to"
        " 'diehl-cook', or choose another learner"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Stdp().start(chain, epochs=1, seed=0)
    assert Stdp.network is DiehlCookNetwork


def test_stored_weights_need_a_largest_weight_on_their_grid(usnn):
    changes = {"network": {"w_max": 0.7}}
    model = usnn.untrained(**changes)
    model.quantize(quantizer_factory(usnn.recipe(**changes)))
    message = "^w_max is 0.7, and stored weights have the format Q1.8; it must be a multiple of its step$"
    with pytest.raises(UsageError, match=message):
        Stdp(weight_mode="stored").start(model, epochs=1, seed=0)
    Stdp().start(model, epochs=1, seed=0)


class Idle(Stdp):
    def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
        return {}


class Counts(Stdp):
    """Keeps what it needs outside of its state."""

    shown = 0

    def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
        self.shown += 1
        return super().epoch(model, data.head(3 * self.shown), state, number, epochs=epochs, seed=seed)


@pytest.mark.parametrize(("fault", "check"), [(Idle, "changes_parameters"), (Counts, "repeatable")])
def test_the_kit_finds_faults_of_learners_with_a_network_of_their_own(fault, check):
    kit = learner_checks_on(models)
    (find,) = [found for found in kit.checks if found.__name__ == f"check_{check}"]
    with pytest.raises(AssertionError):
        find(fault())
