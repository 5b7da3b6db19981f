"""Drift between two precisions: hand-made states first, then real models of a trained run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikequant import InputCoding, Model, Split, States, drift
from spikequant.cli.drift import _failure
from spikequant.drift import earth_movers_distance
from spikequant.drift_results import Divergence, Drift, LayerDrift, Rates, StateDrift
from spikequant.errors import ContractError, UsageError
from spikequant.runs import RunFolder, load_data, load_model


class Played(Model):
    """Plays back states and classes that it was given; a sample is the number of itself."""

    def __init__(self, spikes, potentials, classes, thresholds=None):
        super().__init__()
        self.coding, self.timesteps = InputCoding((1,), 8, 1), 2
        self.spikes, self.potentials, self.classes = spikes, potentials, np.array(classes)
        self.thresholds = thresholds or {}
        self.batches = []

    def states(self, x):
        chosen = x[:, 0].long()
        self.batches.append(len(chosen))
        return States(
            {name: torch.tensor(value)[:, chosen] for name, value in self.spikes.items()},
            {name: torch.tensor(value)[:, chosen] for name, value in self.potentials.items()},
            self.thresholds,
        )

    def predict(self, x):
        return self.classes[x[:, 0].long().numpy()]

    quantities = ()
    quantize = record = observe = lower = None


def samples(count, labels):
    return Split(np.arange(count)[:, None], np.array(labels))


def test_every_figure_by_hand():
    """Two timesteps, three samples, two neurons."""
    a = np.array([[[1, 0], [0, 0], [1, 1]], [[0, 0], [1, 0], [1, 0]]])
    b = np.array([[[1, 0], [0, 0], [1, 0]], [[0, 1], [1, 0], [1, 0]]])
    v = np.zeros((2, 3, 2))
    w = v.copy()
    w[1, 2, 0] = -0.6
    expected = Played({"lif": a}, {"lif": v, "out": v}, [0, 1, 1], {"lif": torch.tensor(0.5)})
    got = Played({"lif": b}, {"lif": w, "out": v + 1.5}, [0, 1, 0])
    found = drift.drift(expected, got, samples(3, [0, 0, 1]))
    assert (found.samples, found.timesteps, found.changed) == (3, 2, 1)
    assert (found.accuracy_float, found.accuracy_integer) == (2 / 3, 1 / 3)
    lif, out = found.layers
    assert (lif.name, lif.spikes.compared, lif.spikes.differing) == ("lif", 12, 2)
    assert (lif.spikes.expected, lif.spikes.got) == (5, 5)
    assert lif.spikes.first == Divergence(0, 2, (1,), 1, 0)
    # rates over 6 places: (4, 1) and (4, 1)
    assert lif.spikes.emd == 0.0
    assert lif.spikes.rates_got == Rates.of(np.array([4 / 6, 1 / 6]))
    assert lif.states["potential"].mean == pytest.approx(0.6 / 12)
    assert lif.states["potential"].largest == pytest.approx(0.6)
    assert lif.states["potential"].relative == pytest.approx(0.6 / 12 / 0.5)
    assert (out.name, out.spikes) == ("out", None)
    assert (out.states["potential"].mean, out.states["potential"].relative) == (1.5, None)
    assert found.metric("spikes") == (2 / 12, "lif")
    assert found.metric("emd") == (0.0, "lif")
    assert found.metric("potential") == (lif.states["potential"].relative, "lif")
    assert found.metric("classes") == (1 / 3, "")
    assert found.metric("accuracy") == (pytest.approx(1 / 3), "")


def test_a_gain_of_accuracy_is_no_loss():
    played = [Played({"n": np.zeros((1, 2, 1))}, {}, classes) for classes in ([0, 1], [1, 1])]
    assert drift.drift(*played, samples(2, [1, 1])).metric("accuracy") == (0.0, "")


def test_the_distance_of_rates_compares_neurons_of_equal_rank():
    a, b = np.zeros((4, 1, 3), int), np.zeros((4, 1, 3), int)
    a[:4, 0, 0] = a[:2, 0, 1] = 1  # rates 1, 0.5, 0
    b[:1, 0, 0] = b[:3, 0, 2] = 1  # rates 0.25, 0, 0.75
    played = [Played({"n": x}, {}, [0]) for x in (a, b)]
    (layer,) = drift.drift(*played, samples(1, [0])).layers
    assert layer.spikes.emd == pytest.approx((0.25 + 0.25 + 0) / 3)


def test_thresholds_per_channel_and_further_state():
    v = np.zeros((1, 1, 2, 3))
    w = v + np.array([1.0, 3.0])[:, None]
    threshold = {"lif": torch.tensor([2.0, 12.0])}
    expected = Played({"lif": v}, {"lif": v, "lif.current": v}, [0], threshold)
    got = Played({"lif": v}, {"lif": w, "lif.current": w}, [0])
    (layer,) = drift.drift(expected, got, samples(1, [0])).layers
    assert layer.states["potential"].relative == pytest.approx((1 / 2 + 3 / 12) / 2)
    assert (layer.states["current"].mean, layer.states["current"].relative) == (2.0, None)


@given(data=st.data())
def test_it_does_not_depend_on_the_batches(data):
    random = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    count = data.draw(st.integers(1, 9))
    spikes = [random.integers(0, 2, (3, count, 2, 2)) for _ in range(2)]
    states = [random.normal(size=(3, count, 2, 2)) for _ in range(2)]
    classes = [random.integers(0, 3, count) for _ in range(2)]
    found = []
    for most in (1, drift.MOST_BYTES):
        played = [Played({"n": s}, {"n": v}, c) for s, v, c in zip(spikes, states, classes, strict=True)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drift, "MOST_BYTES", most)
            found.append(drift.drift(*played, samples(count, classes[0])))
        assert played[0].batches == ([1] * count if most == 1 else [1, count - 1][: min(count, 2)])
    one, all_ = (result.layers[0] for result in found)
    assert one.spikes == all_.spikes
    assert one.states["potential"].mean == pytest.approx(all_.states["potential"].mean, rel=1e-12)
    unequal = np.argwhere(spikes[0] != spikes[1])
    if len(unequal):
        first = one.spikes.first
        assert [first.timestep, first.sample, *first.element] == unequal[0].tolist()
    else:
        assert one.spikes.first is None


def test_what_cannot_be_compared_is_refused():
    one, other = (Played({"n": np.zeros((1, 1, size))}, {}, [0]) for size in (1, 2))
    with pytest.raises(ContractError, match=r"^the two precisions show different states, .*; states\(\) is wrong$"):
        drift.drift(one, other, samples(1, [0]))
    with pytest.raises(UsageError, match=r"^there is no sample to compare on; give at least one$"):
        drift.drift(one, one, samples(0, []))
    with pytest.raises(UsageError, match=r"^samples have 1 and 2 values; this distance compares equally many$"):
        earth_movers_distance(np.zeros(1), np.zeros(2))
    same = drift.drift(one, one, samples(1, [0]))
    with pytest.raises(UsageError, match=r"^'x' is no figure of drift; choose one of spikes, emd, potential, classes"):
        same.metric("x")
    with pytest.raises(UsageError, match=r"^no layer of this network has the figure 'potential'; choose another$"):
        same.metric("potential")


def test_a_model_that_shows_no_states_says_so(trained_usnn):
    with pytest.raises(
        UsageError,
        match=r"^a UsnnModel does not show its states \(it has no states\(\)\), so precisions cannot be compared layer"
        r" by layer; compare accuracies$",
    ):
        drift.drift_of_run(RunFolder(trained_usnn))


def test_the_integer_states_of_a_chain_are_the_recorded_integers_in_real_units(trained):
    folder = RunFolder(trained)
    model = load_model(folder)
    x = torch.from_numpy(load_data(folder.recipe(), None)[1].x[:7]).float()
    states, recording = model.states(x), model.record(x)
    (node,) = [node for node in model.lower().nodes if node.name == "lif1"]
    assert torch.equal(states.spikes["lif1"].long(), recording.spikes["lif1"])
    lsb = torch.from_numpy(np.broadcast_to(node.lsb, (24,)).copy())
    assert torch.equal(states.potentials["lif1"], recording.potentials["lif1"].double() * lsb)
    assert states.thresholds["lif1"] == 1.0


def test_with_fine_codes_the_two_precisions_agree(spikequant, trained, tmp_path):
    """16-bit weights and 32-bit potentials: what is left of the drift is the rounding of codes and of leaks."""
    words = ("--format", "w=INT16", "--format", "U=INT32")
    assert spikequant("quantize", trained, "--out", tmp_path / "fine", *words).code == 0
    assert spikequant("quantize", trained, "--out", tmp_path / "coarse", "--format", "w=INT2").code == 0
    fine, coarse = (drift.drift_of_run(RunFolder(tmp_path / name), samples=40) for name in ("fine", "coarse"))
    assert fine.layers[0].spikes.share < 0.001 < coarse.layers[0].spikes.share
    assert fine.layers[0].states["potential"].mean < 1e-2 < coarse.layers[0].states["potential"].mean
    assert fine.changed <= 1


def test_figures_are_the_floats_that_a_limit_names():
    """100 samples, 96 and 95 right: 0.01, although 0.96 - 0.95 is more; rates of 27 / 8,000 apart: 0.003375."""
    found = Drift(100, 1, (), 0.96, 0.95, 1)
    assert found.accuracy_float - found.accuracy_integer > 0.01
    assert found.metric("accuracy") == (0.01, "")
    assert Drift(100, 1, (), 0.95, 0.96, 1).metric("accuracy") == (0.0, "")
    fired = np.arange(20)
    moved = fired + np.repeat([1, 2], [13, 7])
    assert earth_movers_distance(fired, moved, 400) == 0.003375


def test_a_figure_that_is_no_number_is_the_worst():
    layers = [LayerDrift(name, None, {"potential": StateDrift(x, x, x)}) for name, x in (("a", 9.0), ("b", math.nan))]
    for order in (layers, layers[::-1]):
        value, layer = Drift(1, 1, tuple(order), 1.0, 1.0, 0).metric("potential")
        assert math.isnan(value)
        assert layer == "b"
        assert _failure(Drift(1, 1, tuple(order), 1.0, 1.0, 0), "potential", math.inf).endswith(
            "in layer 'b', above inf"
        )
