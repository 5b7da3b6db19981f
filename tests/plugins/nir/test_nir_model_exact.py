"""The quantized model in torch is the integer program in every spike, state and output: kinds, formats, rules."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nir_model_graphs import DT, GRAPHS, chain, images, model, quantizer, recurrent, samples

from spikequant.model import as_input
from spikequant.oracle import run_oracle
from spikequant.program_inputs import program_inputs
from spikequant.runs.export import model_trace
from spikequant.verify import compare
from spikequant_cuba import CubaNeuron
from spikequant_nir.rules import Rules

QIF = {"w": quantizer("qif", format="Q2.5"), "options": {}}
FORMATS = {
    "Q wide": QIF,
    "Q narrow": {"w": quantizer("qif", format="Q1.3"), "options": {"V": "Q1.4", "I": "Q2.2", "overflow": "wrap"}},
    "Q finer": {"w": quantizer("qif", format="Q2.4"), "options": {"V": "Q3.12", "I": "Q3.14", "rounding": "TZ"}},
    "Q unsigned": {"w": quantizer("qif", format="UQ1.5"), "options": {"V": "Q4.6", "I": "INT12", "rounding": "TR"}},
    "Q stochastic": {"w": quantizer("qif", format="Q2.5", rounding="SR"), "options": {"V": "Q2.5", "rounding": "SR"}},
    "INT wide": {"w": quantizer("uq", bits=8), "options": {}},
    "INT narrow": {"w": quantizer("mint", bits=4), "options": {"V": "INT8", "I": "INT6", "overflow": "symmetric"}},
    "INT stochastic": {"w": quantizer("mint", bits=5, init="max"), "options": {"I": "INT8", "rounding": "SR"}},
    "64 bits": {"w": quantizer("qif", format="Q2.12"), "options": {"V": "Q4.26", "I": "Q4.26", "decay_bits": 24}},
}
RULES = {
    "to value": {},
    "zero": {"reset": "zero", "fire": ">="},
    "subtract": {"reset": "subtract", "v_min": -0.5},
    "delayed": {"reset": "subtract", "reset_delay": 1},
    "delayed zero": {"reset": "zero", "reset_delay": 1, "current": "old"},
    "several spikes": {"reset": "subtract", "most_spikes": 3, "v_min": -1.0, "integrate": "exponential"},
}


def check(made, x=None):
    """Record ``made`` and compare it with the oracle; return the oracle's trace."""
    program = made.lower()
    x = samples(made) if x is None else x
    expected = run_oracle(program, program_inputs(program, x))
    verdict = compare(expected, model_trace(made, x), [node.name for node in program.order])
    assert verdict.identical, str(verdict)
    assert np.array_equal(made.predict(as_input(x)), expected.predictions("readout"))
    return expected


def quantized(graph, formats, rules, **fields):
    made = model(graph, neuron=CubaNeuron(**formats["options"]), rules=Rules(dt=DT, **rules), **fields)
    made.quantize(formats["w"])
    return made


CASES = [
    (name, formats, rules)
    for i, name in enumerate(GRAPHS)
    for j, formats in enumerate(FORMATS)
    for k, rules in enumerate(RULES)
    if (i + j + k) % 2 == 0  # every pair of the three meets somewhere
]


@pytest.mark.parametrize(("name", "formats", "rules"), CASES)
def test_every_graph_format_and_rule_is_its_program(name, formats, rules):
    seed = sum(map(ord, name + formats + rules))
    check(quantized(GRAPHS[name](seed, uneven=seed % 2 == 1), FORMATS[formats], RULES[rules]))


@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF", "Threshold"])
@pytest.mark.parametrize("last", ["I", "LI", "CubaLI", "LIF"])
def test_every_kind_of_neuron_is_its_program(kind, last):
    trace = check(quantized(chain(3, kind, last, uneven=True), QIF, {}))
    assert trace.spikes["a"].any()
    assert trace.potentials["b"].any()


@pytest.mark.parametrize("peak", [1, 3, 255])
@pytest.mark.parametrize("formats", [FORMATS["Q narrow"], FORMATS["INT wide"]], ids=["Q", "INT"])
def test_still_images_of_any_peak_are_their_program(formats, peak):
    check(quantized(images(4), formats, {}, frames=False, bits=8, peak=peak))


def test_leaks_as_shifts_are_nodes_of_the_core():
    for rules in ({}, {"reset": "zero"}, {"reset": "subtract", "fire": ">="}):
        for formats in ({"V": "INT8"}, {}):
            made = model(images(5, "LIF"), neuron=CubaNeuron(leak="shift", **formats), rules=Rules(dt=DT, **rules))
            made.quantize(quantizer("mint", bits=4))
            check(made)
            assert {node.kind for node in made.lower().spiking} == {"lif"}
            assert all("(leak=shift)" in note for note in made.notes)
            assert len(made.notes) == 2


def test_batches_change_nothing():
    made = quantized(recurrent(1), FORMATS["Q stochastic"], {})
    x = as_input(samples(made, count=6))
    whole, single = made.record(x), [made.record(x[i : i + 1]) for i in range(6)]
    for name, spikes in whole.spikes.items():
        assert all(spikes[:, i].equal(part.spikes[name][:, 0]) for i, part in enumerate(single))
