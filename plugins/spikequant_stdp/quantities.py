"""What of the U-SNN can have a number format: Q-SpiNN's Table I."""

from __future__ import annotations

from spikequant import Quantity
from spikequant_stdp.engine.parameters import Parameters


def usnn_quantities(p: Parameters) -> tuple[Quantity, ...]:
    """Return the quantities of a network, weights first; constants count once per neuron, as the paper has it.

    Source: Q-SpiNN, Table I and Section V (memory).

    >>> [(q.name, q.role, q.count) for q in usnn_quantities(Parameters(inputs=784, neurons=400))]
    [('w', 'variable', 313600), ('V', 'variable', 400), ('Vth', 'variable', 400), ('Vreset', 'constant', 400), \
('theta', 'constant', 400)]
    """
    n = p.neurons
    variables = [
        Quantity("w", "variable", p.inputs * n, "quantizer", None, (0.0, p.w_max), "weights"),
        Quantity("V", "variable", n, "neuron", None, None, "membrane potential, mV"),
        Quantity("Vth", "variable", n, "neuron", None, None, "threshold with its adaptation, mV"),
    ]
    if p.synapse == "conductance":
        variables.append(Quantity("g", "variable", n, "neuron", None, None, "conductance"))
    constants = [
        Quantity("Vreset", "constant", n, "", p.reset, None, "potential after a spike, mV"),
        Quantity("theta", "constant", n, "", p.theta_plus, None, "what a spike adds to the threshold, mV"),
    ]
    return (*variables, *constants)
