"""Worst-case bounds of what the Diehl-Cook node computes, and the refusal of formats that are too wide together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from spikequant.errors import ProgramError
from spikequant_stdp.node_rules import Conductance, DiehlCookRules

LARGEST = (1 << 62) - 1
Limits = tuple[int, int]


def current_limits(node: DiehlCookRules, low: int, high: int) -> Limits:
    """Return the bounds of H for an input in ``[low, high]``, in units of ``2**-fine_bits``."""
    scale = node.fine_bits - node.x_frac_bits
    return _checked(node, _sum(_leak(node), (min(low, 0) << scale, max(high, 0) << scale)), _parts(node))


def conductance_limits(node: DiehlCookRules, synapse: Conductance, low: int, high: int) -> Limits:
    """Return the same for a conductance synapse; the sum behind g is checked on the way.

    Raises:
        ProgramError: The input exceeds what the excitation may reach, or a value needs more than 63 bits.
    """
    half = 1 << (synapse.count_bit - 1)
    if high >= half:
        raise ProgramError(
            f"node '{node.name}' ({node.kind}): its input reaches {high}, and excitation must stay below 2**"
            f"{synapse.count_bit - 1}, where the inhibitors' count begins; raise count_bit to"
            f" {high.bit_length() + 1} and the lateral code with it"
        )
    shift = node.fine_bits_g - synapse.fmt.frac_bits - node.decay_shift
    sums = _ends(code * synapse.decay << shift for code in synapse.fmt.code_range)
    excitation = (-half << (node.fine_bits_g - node.x_frac_bits), half << (node.fine_bits_g - node.x_frac_bits))
    parts = _parts(node)
    _checked(node, _sum(sums, excitation), parts)
    forces = [(synapse.e_exc << node.fmt.frac_bits) - code for code in node.fmt.code_range]
    scale = node.fine_bits - node.fmt.frac_bits - synapse.fmt.frac_bits - synapse.shift
    pull = _ends(g * force << scale for g, force in product(synapse.fmt.code_range, forces))
    most = -((low + half) >> synapse.count_bit)
    inhibited = -(max(most, 0) * synapse.inhibition << node.fine_bits)
    return _checked(node, _sum(_leak(node), pull, (min(inhibited, 0), max(inhibited, 0))), parts)


def _leak(node: DiehlCookRules) -> Limits:
    rest = node.rest << node.fmt.frac_bits
    scale = node.fine_bits - node.fmt.frac_bits - node.decay_shift
    return _ends(((code - rest) * node.decay << scale) + (node.rest << node.fine_bits) for code in node.fmt.code_range)


def _parts(node: DiehlCookRules) -> str:
    g = f", g {node.synapse.fmt}" if node.synapse else ""
    return f"V {node.fmt}{g} and an input of {node.x_frac_bits} fraction bits"


def _checked(node: DiehlCookRules, limits: Limits, parts: str) -> Limits:
    if limits[0] < -LARGEST or limits[1] > LARGEST:
        raise ProgramError(
            f"node '{node.name}' ({node.kind}): with {parts}, values reach {limits[0]}..{limits[1]} in units of their"
            " finest step, beyond 63 bits; use fewer fraction bits"
        )
    return limits


def _sum(*terms: Limits) -> Limits:
    return sum(min(term[0], 0) for term in terms), sum(max(term[1], 0) for term in terms)


def _ends(values: Iterable[int]) -> Limits:
    found = list(values)
    return min(found), max(found)
