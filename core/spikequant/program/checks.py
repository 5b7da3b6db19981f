"""Field checks of single nodes: types, widths, positive sizes, codes within their stated bits."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np

from spikequant.errors import ProgramError
from spikequant.program.lif import Lif
from spikequant.program.nodes import (
    Coding,
    Conv2d,
    Dense,
    Input,
    Lateral,
    LeakOrder,
    LeakRounding,
    Node,
    OverflowRule,
    Pool,
    Shape,
    Weighted,
    code_limits,
)
from spikequant.program.spiking import SpikingNode

CONSTANT_BITS = 48
MOST_SPIKES = 255
"""A trace holds the spikes of a neuron and timestep as uint8."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def check_node(node: Node) -> None:
    """Raise :class:`ProgramError` when a field of ``node`` is out of its domain."""
    if isinstance(node, Input):
        _one_of(node, "coding", node.coding, get_args(Coding))
        _between(node, "bits", node.bits, 1, 32)
        if not node.shape or min(node.shape) < 1:
            raise _wrong(node, "shape", node.shape, "one or more positive sizes")
    if isinstance(node, Weighted):
        _check_weighted(node)
    if isinstance(node, Conv2d):
        _check_conv(node)
    if isinstance(node, Pool):
        _pairs(node, kernel=(node.kernel, 1), stride=(node.stride, 1), padding=(node.padding, 0))
        if node.padding[0] * 2 > node.kernel[0] or node.padding[1] * 2 > node.kernel[1]:
            raise _wrong(node, "padding", node.padding, f"at most half the kernel {node.kernel}")
    if isinstance(node, Lateral):
        _check_lateral(node)
    if isinstance(node, SpikingNode):
        _between(node, "u_bits", node.u_bits, 2, 32)
        _check_state(node)
    if isinstance(node, Lif):
        _check_lif(node)


def check_constants(node: Node, shape: Shape) -> None:
    """Raise :class:`ProgramError` when a neuron constant fits neither the layer, its channels nor its neurons."""
    if isinstance(node, Lif):
        for field, value in (("theta", node.theta), ("bias", node.bias)):
            if value is not None and value.shape not in ((), (shape[0],), shape):
                allowed = f"(), ({shape[0]},) or {shape}"
                raise _wrong(node, field, f"an array of shape {value.shape}", f"of shape {allowed}")


def _check_weighted(node: Weighted) -> None:
    wanted = 2 if isinstance(node, Dense) else 4
    _integer_array(node, "codes", node.codes)
    if node.codes.ndim != wanted or 0 in node.codes.shape:
        raise _wrong(node, "codes", f"an array of shape {node.codes.shape}", f"a non-empty array of {wanted} axes")
    _between(node, "bits", node.bits, 1, 32)
    if type(node.signed) is not bool:
        raise _wrong(node, "signed", repr(node.signed), "True or False")
    low, high = code_limits(node.bits, node.signed)
    if node.codes.min() < low or node.codes.max() > high:
        reach = f"{node.codes.min()}..{node.codes.max()}"
        coding = "two's complement" if node.signed else f"unsigned, {low}..{high}"
        raise _wrong(node, "codes", reach, f"within {node.bits} bits ({coding})")
    if node.bias is not None:
        _integer_array(node, "bias", node.bias)
        if node.bias.shape != (node.out_channels,):
            raise _wrong(node, "bias", f"an array of shape {node.bias.shape}", f"shape ({node.out_channels},)")


def _check_conv(node: Conv2d) -> None:
    _pairs(node, stride=(node.stride, 1), padding=(node.padding, 0), dilation=(node.dilation, 1))
    if node.groups < 1 or node.out_channels % node.groups:
        raise _wrong(node, "groups", node.groups, f"a divisor of the {node.out_channels} output channels")


def _check_lateral(node: Lateral) -> None:
    if type(node.code) is not int:
        raise _wrong(node, "code", f"of type {type(node.code).__name__}", "an int; use int()")
    _between(node, "code", node.code, -(1 << 31) + 1, (1 << 31) - 1)


def _check_state(node: SpikingNode) -> None:
    """The state variables have names, widths and limits, something advances them, and what is put out is known."""
    kind, variables = type(node), node.variables
    own_advance = kind.advance is not SpikingNode.advance
    if not own_advance and (kind.step is SpikingNode.step or len(variables) != 1):
        needed = "step() or advance()" if len(variables) == 1 else "advance(), since step() knows the potential only"
        raise ProgramError(
            f"node '{node.name}' ({node.kind}): {kind.__name__} has the state variables {variables}; define {needed}"
        )
    if type(node.graded) is not bool:
        raise _wrong(node, "graded", repr(node.graded), "True or False")
    if not node.graded and not (node.emitted_limits[0] == 0 < node.emitted_limits[1] <= MOST_SPIKES):
        raise _wrong(node, "emitted_limits", node.emitted_limits, f"(0, n) with n from 1 to {MOST_SPIKES}")
    if not variables or len(set(variables)) < len(variables) or not all(VARIABLE.fullmatch(v) for v in variables):
        raise _wrong(node, "variables", variables, "different words of letters, digits and '_', the potential first")
    for field, values in (("state_bits", node.state_bits), ("state_limits", node.state_limits)):
        if len(values) != len(variables):
            raise _wrong(node, field, values, f"one for each of {', '.join(variables)}")
    for name, bits, (low, high) in zip(variables, node.state_bits, node.state_limits, strict=True):
        _between(node, f"state_bits of {name}", bits, 1, 32)
        if low > high or low < -(1 << 31) or high >= 1 << 31 or high - low >= 1 << bits:
            raise _wrong(node, f"state_limits of {name}", (low, high), f"within {bits} bits and 32 bit integers")


def _check_lif(node: Lif) -> None:
    _integer_array(node, "theta", node.theta)
    if node.bias is not None:
        _integer_array(node, "bias", node.bias)
    _one_of(node, "order", node.order, get_args(LeakOrder))
    _one_of(node, "overflow", node.overflow, get_args(OverflowRule))
    _one_of(node, "leak.kind", node.leak.kind, ("none", "shift", "multiply"))
    _one_of(node, "leak.rounding", node.leak.rounding, get_args(LeakRounding))
    _one_of(node, "reset.kind", node.reset.kind, ("zero", "subtract", "value"))
    _between(node, "leak.shift", node.leak.shift, 0, 31)
    _between(node, "leak.multiplier", node.leak.multiplier, 0, 1 << node.leak.shift)
    _between(node, "reset.value", node.reset.value, -(1 << 31), (1 << 31) - 1)


def _integer_array(node: Node, field: str, value: object) -> None:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        got = f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
        raise _wrong(node, field, f"of type {got}", "an integer array; use spikequant.program.integers()")
    if value.size and max(-int(value.min()), int(value.max())) >= 1 << CONSTANT_BITS:
        raise _wrong(node, field, f"{value.min()}..{value.max()}", f"within {CONSTANT_BITS} bits")


def _one_of(node: Node, field: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise _wrong(node, field, repr(value), f"one of {', '.join(allowed)}")


def _between(node: Node, field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise _wrong(node, field, value, f"between {low} and {high}")


def _pairs(node: Node, **fields: tuple[tuple[int, int], int]) -> None:
    for field, (value, least) in fields.items():
        if len(value) != 2 or min(value) < least:
            raise _wrong(node, field, value, f"two integers of at least {least}")


def _wrong(node: Node, field: str, got: object, needed: str) -> ProgramError:
    return ProgramError(f"node '{node.name}' ({node.kind}): {field} is {got}; it must be {needed}")
