"""What a Diehl-Cook neuron computes in one timestep, as operations with widths, for counts and energy.

V's expression is counted as it is written: ``V - rest``, times m, plus rest, plus I, then one rounding (``TR`` a
shift, ``RN`` an add more, ``SR`` an add and a compare more, its random number not counted), compares with the
threshold and the refractory count, whose decrement is an add, and one write for each variable. The
conductance synapse adds g's decay, sum and rounding, ``E - V``, a product, a shift and the inhibitors'
subtraction. As for ``lif``, clipping and resetting are not counted, nor is the choice of one spike.
"""

from __future__ import annotations

from spikequant.fixed_point import rounding_operations
from spikequant.program import Operation
from spikequant_stdp.node_rules import Conductance, DiehlCookRules

DECAY_BITS = 17
"""Width of a decay multiplier, 0 to 2**16 both included."""


def node_operations(node: DiehlCookRules, x_bits: int) -> tuple[Operation, ...]:
    """Return the operations of one neuron and timestep, its input being ``x_bits`` wide."""
    v_bits, refractory_bits = node.fmt.width, node.state_bits[1]
    h_bits = _sum_bits(node, x_bits)
    finer = max(node.vth_frac_bits - node.fmt.frac_bits, 0)
    return (
        Operation("add", v_bits + 1),
        Operation("multiply", max(v_bits + 1, DECAY_BITS)),
        Operation("add", h_bits, 2),
        *rounding_operations(node.rounding, h_bits),
        Operation("compare", v_bits + finer),
        Operation("compare", refractory_bits),
        Operation("add", refractory_bits),
        *(Operation("register", bits) for bits in node.state_bits),
        *(_conductance(node, node.synapse, x_bits, h_bits) if node.synapse else ()),
    )


def _conductance(node: DiehlCookRules, synapse: Conductance, x_bits: int, h_bits: int) -> tuple[Operation, ...]:
    g_bits, v_bits = synapse.fmt.width, node.fmt.width + 1
    excitation = min(x_bits, synapse.count_bit) - node.x_frac_bits
    sum_bits = node.fine_bits_g + max(excitation, g_bits - synapse.fmt.frac_bits) + 1
    return (
        Operation("multiply", max(g_bits, DECAY_BITS)),
        Operation("add", sum_bits),
        *rounding_operations(node.rounding, sum_bits),
        Operation("add", v_bits),
        Operation("multiply", max(g_bits, v_bits)),
        Operation("shift", g_bits + v_bits),
        Operation("add", h_bits),
    )


def _sum_bits(node: DiehlCookRules, x_bits: int) -> int:
    """Width of H: its widest term and one bit more."""
    scaled = node.fmt.width + node.fine_bits - node.fmt.frac_bits
    if node.synapse is None:
        return max(x_bits + node.fine_bits - node.x_frac_bits, scaled + 1) + 1
    return max(node.synapse.fmt.width + scaled + 1 - node.synapse.fmt.frac_bits - node.synapse.shift, scaled + 1) + 1
