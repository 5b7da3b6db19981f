"""Sums of values with unlike units, such as pixels beside spikes, under weights whose clip decides the unit."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from nir_model_graphs import DT, Drawn, model, quantizer, recurrent, samples

from spikequant.errors import UsageError
from spikequant.model import as_input
from spikequant.oracle import run_oracle
from spikequant.program_inputs import program_inputs
from spikequant_cuba import CubaNeuron
from spikequant_nir.rules import Rules


@pytest.mark.parametrize("peak", [1, 15, 255])
@pytest.mark.parametrize("formats", [{}, {"V": "INT12"}], ids=["24 bits", "12 bits"])
def test_pixels_beside_recurrent_spikes_keep_their_weights(peak, formats):
    """One unit of a pixel is 1/255 of a spike's; its weights need codes that count as much less."""
    made = model(recurrent(1, "IF"), bits=8, peak=peak, neuron=CubaNeuron(**formats), clip="max", timesteps=12)
    x = as_input(np.minimum(samples(made, count=20), peak))
    floats = made.states(x)
    made.quantize(quantizer("uq", bits=8))
    whole = made.states(x)
    _, scales = made._lowered()
    assert {key: int(scales.codes(key).weight.abs().max()) > 20 for key in ("fc1", "rec")} == {"fc1": True, "rec": True}
    spikes, same = floats.spikes["hidden"], floats.spikes["hidden"] == whole.spikes["hidden"]
    assert spikes.any()
    assert float(same.double().mean()) > 0.9  # 8 bits move some spikes; without the input's weights there are none
    program = made.lower()
    trace = run_oracle(program, program_inputs(program, np.asarray(x, np.int64)))
    assert np.array_equal(trace.spikes["hidden"], whole.spikes["hidden"].numpy())


def test_numbers_beyond_the_node_are_refused_by_name():
    made = model(recurrent(1, "IF"))
    with torch.no_grad():
        made.nodes["node_fc1"].tensors()["bias"].mul_(1e30)
    made.quantize(quantizer("qif", format="Q2.5"))
    with pytest.raises(UsageError, match=r"^node 'fc1': its weights or biases are beyond 62 bits in units of the "):
        made.lower()

    g = Drawn(1)
    g.output(g.neurons("b", "IF", g.affine("fc", g.input((3,)), 2)))
    graph = g.graph()
    far = graph.with_arrays({**graph.arrays_by_key(), "b.v_threshold": np.array(1e20)})
    wide = model(far, rules=Rules(dt=DT), neuron=CubaNeuron(V="Q3.8"))
    wide.quantize(quantizer("qif", format="Q2.5"))
    with pytest.raises(UsageError, match=r"^node 'b': a constant is beyond 62 bits in units of its grid; give w and V"):
        wide.lower()
    coarse = model(far)
    coarse.quantize(quantizer("qif", format="Q2.5"))
    with pytest.raises(UsageError, match=r"^node 'b': one unit of its state is 2\*\*5\d units of what enters it, and "):
        coarse.lower()


def test_still_lines_of_another_layout_are_refused_by_both_shapes():
    g = Drawn(1)
    g.output(g.neurons("b", "IF", g.affine("fc", g.flatten("flat", g.conv("c", g.input((2, 5)), 2)), 2)))
    made = model(g.graph(), frames=False)
    made.quantize(quantizer("qif", format="Q2.5"))
    with pytest.raises(UsageError, match=r"^input 'input' takes \(2, 1, 5\), and the samples are \(2, 5\); give them "):
        made.lower()
