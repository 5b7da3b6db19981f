"""The unsupervised network says how many weights and thresholds lie beyond their formats."""

import numpy as np
import pytest

from spikequant import InputCoding
from spikequant.formats import QFormat
from spikequant.rounding import Rounding
from spikequant_qif.quantizer import Qif
from spikequant_stdp.engine import Formats, Parameters, State, TorchEngine
from spikequant_stdp.engine.quantize import overflows
from spikequant_stdp.model import Start, UsnnModel
from spikequant_stdp.neuron import DiehlCookNeuron

PARAMETERS = Parameters(inputs=2, neurons=3, timesteps=5)
STATE = State(
    np.array([[0.0, 0.5, 1.0], [0.99, 0.25, 0.9]], np.float32), np.array([0.0, 20.0, 120.0], np.float32), images=4
)


def model(**formats):
    made = UsnnModel(
        PARAMETERS, DiehlCookNeuron(**formats), InputCoding((2,), 8, 255), Start(2, 0.3, 0, "label"), TorchEngine()
    )
    made.state = STATE
    return made


@pytest.mark.parametrize(
    ("w", "vth", "rounding", "expected"),
    [
        (QFormat(1, 4), QFormat(7, 0), Rounding.RN, {"w": 0, "Vth": 0}),
        (QFormat(0, 2, signed=False), QFormat(6, 2), Rounding.RN, {"w": 3, "Vth": 1}),
        (QFormat(0, 2, signed=False), QFormat(5, 2), Rounding.TR, {"w": 1, "Vth": 2}),
        (QFormat(1, 4), None, Rounding.RN, {"w": 0}),
        (None, QFormat(4, 0), Rounding.TR, {"Vth": 3}),
        (None, None, Rounding.RN, {}),
    ],
)
def test_values_beyond_their_format_are_counted(w, vth, rounding, expected):
    """Thresholds are -52, -32 and 68: Q6.2 holds the first two, Q5.2 the second, Q4.0 none."""
    assert overflows(PARAMETERS, Formats(w=w, Vth=vth, rounding=rounding), STATE) == expected


def test_the_model_counts_them_once_it_is_quantized():
    made = model(V="Q11.4", Vth="Q6.2")
    assert made.overflows == {}
    made.quantize(lambda: Qif("UQ0.2"))
    assert made.overflows == {"w": 3, "Vth": 1}
    assert made.overflows == {"w": 3, "Vth": 1}


def test_stochastic_rounding_counts_what_its_own_draws_make_of_them():
    w = np.full((1, 1000), 0.875, np.float32)
    formats = Formats(w=QFormat(0, 2, signed=False), rounding=Rounding.SR, seed=3)
    found = overflows(Parameters(1, 1000), formats, State(w, np.zeros(1000, np.float32)))["w"]
    assert 400 < found < 600
    assert found == overflows(Parameters(1, 1000), formats, State(w, np.zeros(1000, np.float32)))["w"]
