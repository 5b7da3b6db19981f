"""The neuron plugin cuba: its options, the formats it takes, what it refuses."""

import pytest

from spikequant.errors import PluginError
from spikequant.formats import IntFormat, QFormat, parse_format
from spikequant.registry import registry
from spikequant.rounding import Rounding
from spikequant_cuba import CubaNeuron


def test_it_is_offered_with_its_mappings():
    found = registry().get("neuron", "cuba")
    assert found is CubaNeuron
    assert sorted(found.node_mappings()) == ["cuba_li", "cuba_lif", "fixed_li", "fixed_lif"]


def test_defaults_leave_widths_to_the_network():
    neuron = CubaNeuron()
    assert (neuron.V, neuron.I, neuron.bits, neuron.rule, neuron.leak) == (None, None, 24, "nearest", "multiply")


def test_formats_become_registers():
    neuron = CubaNeuron(V="Q3.8", I="INT16", rounding="TZ", decay_bits=8)
    assert (neuron.V, neuron.I, neuron.bits, neuron.rule) == (QFormat(3, 8), IntFormat(16), 12, "toward_zero")


def test_an_exploration_gives_formats_as_options():
    options = CubaNeuron.format_options("V", parse_format("Q3.8"), Rounding.TR)
    assert options == {"V": "Q3.8", "rounding": "TR"}
    assert CubaNeuron(**options).rule == "floor"
    with pytest.raises(PluginError, match=r"^neuron 'cuba' cannot give 'w' the format Q3\.8;"):
        CubaNeuron.format_options("w", parse_format("Q3.8"), Rounding.TR)
    with pytest.raises(PluginError, match=r"^neuron 'cuba' cannot give 'V' the format UQ3\.8;"):
        CubaNeuron.format_options("V", parse_format("UQ3.8"), Rounding.TR)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"V": "UQ3.8"}, "V is UQ3.8; it must be a signed Qi.f, INTn or FP32, or empty"),
        ({"I": "Q20.20"}, "I is Q20.20, 41 bits; it must be 2 to 32"),
        ({"V": "eight"}, "V: .*"),
        ({"rounding": "up"}, "rounding is 'up'; it must be one of TR, RN, SR, TZ"),
        ({"overflow": "clip"}, "overflow is 'clip'; it must be one of symmetric, saturate, wrap"),
        ({"leak": "none"}, "leak is 'none'; it must be one of multiply, shift"),
        ({"decay_bits": 25}, "decay_bits is 25; it must be an integer from 0 to 24"),
        ({"seed": True}, "seed is True; it must be an integer from .*"),
    ],
)
def test_options_out_of_their_domain_are_refused(options, text):
    with pytest.raises(ValueError, match=f"^neuron 'cuba': {text}$"):
        CubaNeuron(**options)
