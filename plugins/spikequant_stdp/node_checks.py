"""Field checks of the Diehl-Cook node, so that its arithmetic need not check."""

from __future__ import annotations

import numpy as np

from spikequant.errors import ProgramError
from spikequant.formats import QFormat
from spikequant.program import Shape
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.node_rules import Conductance, DiehlCookRules

MOST_FRACTION = 32
MOST_STEPS = (1 << 16) - 1
WHOLE = 1 << 31
LARGEST = 1 << 62


def check_fields(node: DiehlCookRules) -> None:
    """Raise :class:`ProgramError` when a field is out of its domain."""
    _of_type(node, "fmt", node.fmt, QFormat)
    _of_type(node, "rounding", node.rounding, Rounding)
    _of_type(node, "overflow", node.overflow, Overflow)
    _of_type(node, "one_spike", node.one_spike, bool)
    if not 2 <= node.fmt.width <= 31 + node.fmt.signed:
        raise _wrong(node, "fmt", f"{node.fmt}, {node.fmt.width} bits", "2 to 32 bits wide, 31 without sign")
    _between(node, "x_frac_bits", node.x_frac_bits, 0, MOST_FRACTION)
    _between(node, "vth_frac_bits", node.vth_frac_bits, 0, MOST_FRACTION)
    _between(node, "refractory", node.refractory, 0, MOST_STEPS)
    _between(node, "decay_shift", node.decay_shift, 1, 16)
    _between(node, "decay", node.decay, 0, 1 << node.decay_shift)
    _between(node, "seed", node.seed, -(1 << 63), (1 << 63) - 1)
    _on_grid(node, "rest", node.rest)
    _on_grid(node, "reset", node.reset)
    _check_integers(node)
    if node.synapse is not None:
        _check_synapse(node, node.synapse)


def check_thresholds(node: DiehlCookRules, shape: Shape) -> None:
    """Raise :class:`ProgramError` unless ``vth`` is one for all neurons or one for each."""
    if node.vth.shape not in ((), shape):
        raise _wrong(node, "vth", f"an array of shape {node.vth.shape}", f"of shape () or {shape}")


def _check_integers(node: DiehlCookRules) -> None:
    vth: object = node.vth
    if not isinstance(vth, np.ndarray) or vth.dtype != np.int64 or vth.size == 0:
        got = f"a {vth.dtype} array of shape {vth.shape}" if isinstance(vth, np.ndarray) else repr(vth)
        raise _wrong(node, "vth", got, "a non-empty int64 array; use spikequant.program.integers()")
    reach, finer = max(-int(vth.min()), int(vth.max())), max(node.fmt.frac_bits, node.vth_frac_bits)
    if max(reach << (finer - node.vth_frac_bits), 1 << (node.fmt.width + finer - node.fmt.frac_bits)) >= LARGEST:
        raise _wrong(
            node,
            "vth",
            f"{vth.min()}..{vth.max()} with {node.vth_frac_bits} fraction bits",
            f"comparable with V {node.fmt} in 63 bits; use fewer fraction bits",
        )


def _check_synapse(node: DiehlCookRules, synapse: Conductance) -> None:
    _of_type(node, "synapse.fmt", synapse.fmt, QFormat)
    if synapse.fmt.width > 31 + synapse.fmt.signed:
        raise _wrong(node, "synapse.fmt", synapse.fmt, "at most 32 bits wide, 31 without sign")
    _between(node, "synapse.decay", synapse.decay, 0, 1 << node.decay_shift)
    _between(node, "synapse.e_exc", synapse.e_exc, -WHOLE, WHOLE - 1)
    _between(node, "synapse.shift", synapse.shift, 0, 16)
    _between(node, "synapse.inhibition", synapse.inhibition, 0, WHOLE - 1)
    _between(node, "synapse.count_bit", synapse.count_bit, 1, 40)


def _on_grid(node: DiehlCookRules, field: str, value: int) -> None:
    _between(node, field, value, -WHOLE, WHOLE - 1)
    low, high = node.fmt.range
    if not low <= value <= high:
        raise _wrong(node, field, value, f"a value of V's format {node.fmt}, {low:g} to {high:g}; give V more bits")


def _between(node: DiehlCookRules, field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(node, field, repr(value), f"an integer from {low} to {high}")


def _of_type(node: DiehlCookRules, field: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise _wrong(node, field, repr(value), f"of type {kind.__name__}")


def _wrong(node: DiehlCookRules, field: str, got: object, needed: str) -> ProgramError:
    return ProgramError(f"node '{node.name}' ({node.kind}): {field} is {got}; it must be {needed}")
