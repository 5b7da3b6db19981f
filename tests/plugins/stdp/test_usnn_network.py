"""The network and its neuron as plugins: options, what is drawn from the seed, what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spikequant import InputCoding, LifNeuron, QFormat
from spikequant.errors import PluginError, UsageError
from spikequant.formats import FP32, IntFormat
from spikequant.neuron import Neuron
from spikequant.rate_coding import RateCoding
from spikequant.registry import registry
from spikequant.rounding import Overflow, Rounding
from spikequant.runs import parse_recipe, read_recipe
from spikequant.runs.build import build_model
from spikequant_qif.quantizer import Qif
from spikequant_stdp.engine import Parameters
from spikequant_stdp.network import DiehlCookNetwork
from spikequant_stdp.neuron import DiehlCookNeuron

IMAGES = InputCoding((1, 4, 4), 4, 15)


def made(neuron=DiehlCookNeuron, fed=IMAGES, timesteps=20, seed=1, **options):
    return DiehlCookNetwork(engine="torch", **options).model(neuron, fed, 3, timesteps, seed=seed)


def test_by_default_it_is_the_papers_network():
    model = DiehlCookNetwork(engine="torch").model(DiehlCookNeuron, InputCoding((28, 28), 8, 255), 10, 250, seed=0)
    assert model.constants == Parameters(inputs=784, neurons=400)
    assert model.timesteps == 250
    assert model.dt == 1e-3
    assert model.rates.shape == (10, 400)


def test_every_option_reaches_the_parameters():
    def neuron():
        return DiehlCookNeuron(
            rest=-60,
            reset=-61,
            v_th=-50,
            theta_plus=0.25,
            tau_theta_ms=1e6,
            tau_ms=80.0,
            refractory=3,
            synapse="conductance",
            tau_g_ms=2.0,
        )

    model = made(
        neuron, neurons=7, inhibition=90.0, norm=3.0, w_max=0.5, coding="regular", rate_hz=99.0, dt_ms=0.5, w_init=0.1
    )
    assert model.constants == Parameters(
        inputs=16,
        neurons=7,
        timesteps=20,
        dt_ms=0.5,
        rest=-60.0,
        reset=-61.0,
        threshold=-50.0,
        refractory=3,
        tau_ms=80.0,
        theta_plus=0.25,
        tau_theta_ms=1e6,
        inhibition=90.0,
        w_max=0.5,
        norm=3.0,
        synapse="conductance",
        tau_g_ms=2.0,
        coding=RateCoding("regular", 99.0, 0.5e-3, 15, 1),
    )


def test_weights_and_spikes_are_drawn_from_the_seed():
    one, again, other = made(), made(), made(seed=2)
    assert one.w.equal(again.w)
    assert not one.w.equal(other.w)
    assert one.constants.coding.seed == 1
    assert other.constants.coding.seed == 2


def test_weights_start_uniform_below_w_init_and_thresholds_without_adaptation():
    model = made(neurons=400, w_init=0.3)
    weights = model.w.numpy()
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert 0.29 < weights.max() < 0.3
    assert abs(weights.mean() - 0.15) < 0.005
    assert not model.theta.any()
    assert not model.votes.any()


@pytest.mark.parametrize("vote", ["label", "proportion"])
def test_votes_are_counted_as_it_says(vote):
    model = made(neurons=2, vote=vote)
    model.rates[:] = model.rates.new_tensor([[3, 1], [1, 3], [0, 0]])
    expected = {"label": [[255, 0], [0, 255], [0, 0]], "proportion": [[191, 64], [64, 191], [0, 0]]}
    assert model.votes.tolist() == expected[vote]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neurons": 0}, "network 'diehl-cook': neurons is 0; it must be between 1 and 1,000,000"),
        ({"neurons": 10**18}, f"network 'diehl-cook': neurons is {10**18}; it must be between 1 and 1,000,000"),
        ({"w_init": 0.0}, "network 'diehl-cook': w_init is 0.0; it must be positive and at most w_max 1.0"),
        ({"w_max": 0.1}, "network 'diehl-cook': w_init is 0.3; it must be positive and at most w_max 0.1"),
        ({"norm": -1.0}, "norm is -1.0; it must be a finite number, positive"),
        ({"rate_hz": -1.0}, "rate coding: rate_hz is -1.0; it must be a finite number, at least 0"),
        ({"dt_ms": 0.0}, "rate coding: dt is 0.0; it must be a positive, finite number of seconds"),
        ({"timesteps": 0}, "timesteps is 0; it must be a whole number, at least 1"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        made(**options)


def test_pixels_of_more_than_eight_bits_are_refused():
    message = "^rate coding: peak is 1023; it must be a whole number, 1 to 255$"
    with pytest.raises(UsageError, match=message):
        made(fed=InputCoding((4,), 10, 1023))


def test_another_neuron_is_refused():
    class Other(LifNeuron):
        name = "other"

    message = (
        "network 'diehl-cook' runs neuron 'diehl-cook' only, and was given 'other'; set neuron.name to 'diehl-cook',"
        " or choose another network"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        made(lambda: Other(8))


def test_its_neuron_stands_in_no_other_network(usnn):
    recipe = usnn.recipe().table()
    recipe["network"] = {"name": "mlp"}
    message = "neuron 'diehl-cook' cannot stand in a chain of layers; choose another neuron, or the network it is for"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        build_model(parse_recipe(recipe, "test"))


def test_the_neuron_is_as_wide_as_its_potential():
    assert DiehlCookNeuron(V="Q11.8").bits == 20
    assert DiehlCookNeuron().bits == 32
    assert isinstance(DiehlCookNeuron(), Neuron)
    assert DiehlCookNeuron.options_beside(Qif("Q1.6")) == {}


def test_formats_are_those_of_its_options():
    neuron = DiehlCookNeuron(V="Q11.8", Vth="UQ9.2", g="FP32", rounding="SR", overflow="wrap")
    assert (neuron.V, neuron.Vth, neuron.g) == (QFormat(11, 8), QFormat(9, 2, signed=False), None)
    assert (neuron.rounding, neuron.overflow) == (Rounding.SR, Overflow.WRAP)


@pytest.mark.parametrize("name", ["V", "Vth", "g"])
@pytest.mark.parametrize("fmt", [QFormat(9, 4), QFormat(9, 4, signed=False), FP32])
def test_a_format_becomes_an_option_that_gives_it(name, fmt):
    options = DiehlCookNeuron.format_options(name, fmt, Rounding.TR)
    assert options == {name: str(fmt), "rounding": "TR"}
    assert getattr(DiehlCookNeuron(**options), name) == (None if fmt == FP32 else fmt)


@pytest.mark.parametrize(
    ("name", "fmt", "message"),
    [
        ("V", IntFormat(4), "neuron 'diehl-cook' cannot give 'V' the format INT4; it takes Qi.f or FP32 for V, Vth, g"),
        (
            "w",
            QFormat(1, 6),
            "neuron 'diehl-cook' cannot give 'w' the format Q1.6; it takes Qi.f or FP32 for V, Vth, g",
        ),
    ],
)
def test_formats_that_it_does_not_have_are_refused(name, fmt, message):
    with pytest.raises(PluginError, match=f"^{re.escape(message)}$"):
        DiehlCookNeuron.format_options(name, fmt, Rounding.RN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"V": "INT4"}, "neuron 'diehl-cook': V is INT4; it must be Qi.f, UQi.f or FP32"),
        ({"Vth": "Q31.8"}, "neuron 'diehl-cook': Vth is Q31.8, 40 bits; 32 is the most"),
    ],
)
def test_formats_that_it_cannot_have_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        DiehlCookNeuron(**options)


def test_a_format_that_is_none_is_refused_with_its_variable():
    with pytest.raises(ValueError, match=r"^neuron 'diehl-cook': g: .*'Q3'.*$"):
        DiehlCookNeuron(g="Q3")


USNN_RECIPES = [offer.name for offer in registry().of("recipe") if "usnn" in offer.name]


@pytest.mark.parametrize("name", USNN_RECIPES)
def test_the_shipped_recipes_can_be_built_and_quantized(name):
    from spikequant.runs.build import check_parts

    recipe = read_recipe(registry().get("recipe", name))
    table = recipe.table()
    table["network"]["engine"] = "torch"
    check_parts(parse_recipe(table, name))
    assert recipe.network.name == DiehlCookNetwork.name


def test_there_are_shipped_recipes():
    assert "mnist-usnn" in USNN_RECIPES
