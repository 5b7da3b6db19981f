"""What the spiking kinds ask of the stock neuron of Lava and Loihi, for backends that map them to it."""

from __future__ import annotations

from typing import Any

from spikequant_cuba.firing import Firing
from spikequant_cuba.synapse import Synapse


def stock_lif(node: Firing) -> dict[str, Any] | str:
    """Return the node in the words of docs/lava.md, or the rule that the stock neuron does not have.

    Bounds of registers are not among them: whether one acts is for the data to say.
    """
    reasons = [
        (node.reset == "subtract" or node.reset_value.any(), "its reset is to something else than zero"),
        (node.reset_delay, "its reset acts one timestep later, and stock LIF resets at once"),
        (node.v_min is not None, "its potential has a smallest value v_min, and stock LIF's has none"),
        (node.rounding == "stochastic", "its rounding is stochastic, and stock LIF rounds toward zero"),
    ]
    current: dict[str, Any] = {}
    if isinstance(node, Synapse):
        current = {"i_keep": node.i_decay}
        reasons += [
            (node.order != "current_first", "its potential takes the current of before, and stock LIF's the new one"),
            (node.i_shift, "its current and its potential have different grids, and stock LIF has one"),
        ]
    for refused, reason in reasons:
        if refused:
            return reason
    return {
        "keep": node.decay,
        "decay_bits": node.decay_bits,
        "rounding": node.rounding,
        "theta": node.theta,
        "input_shift": node.input_shift,
        "bias": node.bias,
        **current,
    }
