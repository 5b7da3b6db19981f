"""What of the S-SNN can have a number format: Q-SpiNN's list, w, alpha, beta, gamma, P, Q, R and V."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikequant import Quantity
from spikequant_decolle.layer import DecolleLayer
from spikequant_decolle.parameters import Constants


def ssnn_quantities(layers: Sequence[DecolleLayer], constants: Constants) -> tuple[Quantity, ...]:
    """Return the quantities of a network for one sample in flight, weights first.

    P and Q count once per input of a layer, as all its neurons share them; R and V once per neuron, before
    pooling, and V also once per channel for the threshold, which has V's format. The constants count once per
    layer. Of the fixed random readouts the last layer's counts, as 8-bit constants: the others serve training only.

    Source: Q-SpiNN, Section II-A (what is quantized) and Eq. 7. The paper does not say what it counts.
    """
    inputs = sum(math.prod(layer.in_shape) for layer in layers)
    neurons = sum(math.prod(layer.out_shape) for layer in layers)
    channels = sum(layer.plan.features for layer in layers)
    weights = sum(layer.w.numel() for layer in layers)
    last = layers[-1]
    decays = (
        ("alpha", constants.alpha, "decay of P"),
        ("beta", constants.beta, "decay of Q"),
        ("gamma", constants.gamma, "decay of R"),
        ("rho", constants.rho, "what R takes from V"),
    )
    return (
        Quantity("w", "variable", weights, "quantizer", None, None, "weights"),
        Quantity("P", "variable", inputs, "neuron", None, None, "membrane trace of the inputs"),
        Quantity("Q", "variable", inputs, "neuron", None, None, "synaptic trace of the inputs"),
        Quantity("R", "variable", neurons, "neuron", None, None, "refractory state"),
        Quantity("V", "variable", neurons + channels, "neuron", None, None, "potential, and a threshold per channel"),
        *(Quantity(name, "constant", len(layers), "", value, None, what) for name, value, what in decays),
        Quantity("G", "constant", last.G.numel(), "", 127 * last.readout_lsb, None, "random readout, largest weight"),
    )
