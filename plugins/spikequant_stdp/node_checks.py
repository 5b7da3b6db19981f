"""Field checks of the Diehl-Cook node, so that its arithmetic need not check."""

from __future__ import annotations

from spikequant.program import Shape
from spikequant.program.field_checks import check_int64, check_integer, check_register, check_type, field_error
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.node_rules import Conductance, DiehlCookRules

MOST_FRACTION = 32
MOST_STEPS = (1 << 16) - 1
WHOLE = 1 << 31
LARGEST = 1 << 62


def check_fields(node: DiehlCookRules) -> None:
    """Raise :class:`ProgramError` when a field is out of its domain."""
    check_register(node, "fmt", node.fmt, least=2)
    check_type(node, "rounding", node.rounding, Rounding)
    check_type(node, "overflow", node.overflow, Overflow)
    check_type(node, "one_spike", node.one_spike, bool)
    check_integer(node, "x_frac_bits", node.x_frac_bits, 0, MOST_FRACTION)
    check_integer(node, "vth_frac_bits", node.vth_frac_bits, 0, MOST_FRACTION)
    check_integer(node, "refractory", node.refractory, 0, MOST_STEPS)
    check_integer(node, "decay_shift", node.decay_shift, 1, 16)
    check_integer(node, "decay", node.decay, 0, 1 << node.decay_shift)
    check_integer(node, "seed", node.seed, -(1 << 63), (1 << 63) - 1)
    _on_grid(node, "rest", node.rest)
    _on_grid(node, "reset", node.reset)
    _check_integers(node)
    if node.synapse is not None:
        _check_synapse(node, node.synapse)


def check_thresholds(node: DiehlCookRules, shape: Shape) -> None:
    """Raise :class:`ProgramError` unless ``vth`` is one for all neurons or one for each."""
    if node.vth.shape not in ((), shape):
        raise field_error(node, "vth", f"an array of shape {node.vth.shape}", f"of shape () or {shape}")


def _check_integers(node: DiehlCookRules) -> None:
    check_int64(node, "vth", node.vth)
    vth = node.vth
    reach, finer = max(-int(vth.min()), int(vth.max())), max(node.fmt.frac_bits, node.vth_frac_bits)
    if max(reach << (finer - node.vth_frac_bits), 1 << (node.fmt.width + finer - node.fmt.frac_bits)) >= LARGEST:
        raise field_error(
            node,
            "vth",
            f"{vth.min()}..{vth.max()} with {node.vth_frac_bits} fraction bits",
            f"comparable with V {node.fmt} in 63 bits; use fewer fraction bits",
        )


def _check_synapse(node: DiehlCookRules, synapse: Conductance) -> None:
    check_register(node, "synapse.fmt", synapse.fmt)
    check_integer(node, "synapse.decay", synapse.decay, 0, 1 << node.decay_shift)
    check_integer(node, "synapse.e_exc", synapse.e_exc, -WHOLE, WHOLE - 1)
    check_integer(node, "synapse.shift", synapse.shift, 0, 16)
    check_integer(node, "synapse.inhibition", synapse.inhibition, 0, WHOLE - 1)
    check_integer(node, "synapse.count_bit", synapse.count_bit, 1, 40)


def _on_grid(node: DiehlCookRules, field: str, value: int) -> None:
    check_integer(node, field, value, -WHOLE, WHOLE - 1)
    low, high = node.fmt.range
    if not low <= value <= high:
        raise field_error(
            node, field, value, f"a value of V's format {node.fmt}, {low:g} to {high:g}; give V more bits"
        )
