"""Decide for each dense and conv2d whether Lava's own process computes it exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikequant.program import Conv2d, Lif, Program, Readout, Weighted

STOCK_CODES = (-128, 127)
"""Signed codes that survive Lava's Dense as twice their value in 8 + 1 bits."""
MESSAGE_LIMIT = 1 << 23
"""Graded spikes of Lava are signed 24 bit."""
DENSE_LIMIT = 1 << 30
"""Twice the sum must fit the 32 bits of Dense."""
CONV_LIMIT = 1 << 23
"""Conv wraps its sums at signed 24 bits."""
FIELD_LIMIT = 127
"""Conv keeps kernel, stride, padding, dilation and groups in int8."""
PAIR_LIMIT = 1024
"""Conv calls scipy once per pair of channels and step; above this our own is the practical one."""
FLOAT_LIMIT = 1 << 53
"""float64 holds every integer below this, so a BLAS product is exact."""


@dataclass(frozen=True)
class Placement:
    """The process that carries a weighted node.

    Attributes:
        process: ``stock_dense``, ``stock_conv``, ``integer_dense`` or ``integer_conv``.
        reason: Why it is not Lava's own; empty if it is.
        graded: Whether the input is more than spikes in {0, 1}.
        dtype: What our own process multiplies in: ``float64`` where exact, else ``int64``.
        own_bias: Whether the process adds the bias itself, because what follows cannot.
        immediate: Whether it sends in the step in which it receives, as Lava's own cannot.
    """

    process: str
    reason: str
    graded: bool
    dtype: str
    own_bias: bool
    immediate: bool

    def __str__(self) -> str:
        stock = {"stock_dense": "Lava's Dense", "stock_conv": "Lava's Conv"}
        return stock.get(self.process) or f"own {self.process.replace('_', ' ')} ({self.reason})"


def placed(program: Program, node: Weighted, *, immediate: bool = False) -> Placement:
    """Return the placement of ``node``: Lava's own process if it is exact over the whole input range.

    Args:
        program: The program.
        node: One of its nodes.
        immediate: Whether its loop leaves no step for Lava's own process.
    """
    low, high = program.ranges[program.source_of(node.name).name]
    largest = int(np.abs(node.codes).reshape(node.out_channels, -1).sum(axis=1).max()) * max(-low, high)
    own_bias = node.bias is not None and not _takes_bias(program, node.name)
    reason = _reason(node, (low, high), largest, own_bias, immediate)
    kind = "conv" if isinstance(node, Conv2d) else "dense"
    return Placement(
        process=f"{'integer' if reason else 'stock'}_{kind}",
        reason=reason,
        graded=(low, high) != (0, 1),
        dtype="float64" if largest < FLOAT_LIMIT else "int64",
        own_bias=own_bias,
        immediate=immediate,
    )


def _reason(node: Weighted, source: tuple[int, int], largest: int, own_bias: bool, immediate: bool) -> str:
    """Say why Lava's own process will not do; empty if it will."""
    limits = [
        (immediate, "its loop has no delayed edge for the step that Lava's process takes"),
        (
            source[0] < -MESSAGE_LIMIT or source[1] >= MESSAGE_LIMIT,
            f"inputs {source[0]}..{source[1]} exceed signed 24 bits",
        ),
        (own_bias, "its bias is followed by neither lif nor readout"),
        *(_conv_limits(node, largest) if isinstance(node, Conv2d) else _dense_limits(node, largest)),
    ]
    return next((reason for exceeded, reason in limits if exceeded), "")


def _dense_limits(node: Weighted, largest: int) -> list[tuple[bool, str]]:
    low, high = int(node.codes.min()), int(node.codes.max())
    return [
        (
            low < STOCK_CODES[0] or high > STOCK_CODES[1],
            f"codes {low}..{high} exceed the signed 8 bits of Lava's Dense",
        ),
        (largest >= DENSE_LIMIT, f"sums up to {largest}, twice that exceeds the 32 bits of Lava's Dense"),
    ]


def _conv_limits(node: Conv2d, largest: int) -> list[tuple[bool, str]]:
    widest = max(*node.codes.shape[2:], *node.stride, *node.padding, *node.dilation, node.groups)
    pairs = node.out_channels * node.codes.shape[1]
    return [
        (largest >= CONV_LIMIT, f"sums up to {largest} exceed the signed 24 bits of Lava's Conv"),
        (widest > FIELD_LIMIT, f"a size of {widest} exceeds the int8 fields of Lava's Conv"),
        (pairs > PAIR_LIMIT, f"{pairs} pairs of channels, each a scipy call per step in Lava's Conv"),
    ]


def _takes_bias(program: Program, name: str) -> bool:
    """Whether every node after ``name`` can add its bias; a delayed edge carries none at the first timestep."""
    edges = [edge for edge in program.edges if edge.source == name]
    kinds = [type(program.by_name[edge.target]) for edge in edges if not edge.delayed]
    return len(kinds) == len(edges) > 0 and all(kind in (Lif, Readout) for kind in kinds)
