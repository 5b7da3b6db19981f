"""Formats as options of plugins: what each quantizer and neuron takes, and what it refuses, by name."""

import re

import pytest

from spikequant import LifNeuron, Neuron
from spikequant.errors import PluginError
from spikequant.formats import parse_format
from spikequant.rounding import Rounding
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_mint.uq_lif import UqLif


def test_a_quantizer_takes_integers_rounded_to_nearest():
    options = Mint.format_options("w", parse_format("INT4"), Rounding.RN)
    assert options == {"bits": 4}
    assert Mint(**options).fmt == parse_format("INT4")


@pytest.mark.parametrize(
    ("text", "rounding"), [("INT4", "TR"), ("INT4", "SR"), ("Q1.6", "RN"), ("UQ0.6", "RN"), ("FP32", "RN")]
)
def test_a_quantizer_refuses_what_it_has_no_option_for(text, rounding):
    message = (
        f"quantizer 'mint' cannot give 'w' the format {text} with {rounding}; it takes INT2, INT3 and so on, with RN"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(message)}$"):
        Mint.format_options("w", parse_format(text), Rounding(rounding))


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("neuron", [MintLif, UqLif])
def test_a_lif_neuron_takes_the_width_of_its_potential(neuron, rounding):
    assert neuron.format_options("U", parse_format("INT6"), rounding) == {"bits": 6}
    assert neuron.format_options("U", parse_format("Q1.6"), rounding) == {"bits": 8}
    assert neuron(**neuron.format_options("U", parse_format("Q2.9"), rounding)).bits == 12


@pytest.mark.parametrize("text", ["UQ1.6", "FP32"])
def test_a_lif_neuron_refuses_a_potential_without_sign_or_codes(text):
    message = f"neuron 'mint-lif' cannot give 'U' the format {text}; it takes INTn, or a signed format like Q1.6"
    with pytest.raises(PluginError, match=f"^{re.escape(message)}$"):
        MintLif.format_options("U", parse_format(text), Rounding.RN)


class Own(Neuron):
    name = "own"


@pytest.mark.parametrize("text", ["Q1.6", "FP32"])
def test_another_neuron_takes_integers_only(text):
    assert Own.format_options("V", parse_format("INT9"), Rounding.SR) == {"bits": 9}
    message = f"neuron 'own' cannot give 'V' the format {text}; it takes INT2, INT3 and so on"
    with pytest.raises(PluginError, match=f"^{re.escape(message)}$"):
        Own.format_options("V", parse_format(text), Rounding.RN)


def test_the_base_of_lif_plugins_has_the_options_too():
    assert LifNeuron.format_options.__func__ is MintLif.format_options.__func__
