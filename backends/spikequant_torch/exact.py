"""Which number type computes a node exactly: decided from worst-case bounds, never from the data.

A sum of integers in floating point is exact, in any order of additions, while no partial sum can reach
2**24 (float32) or 2**53 (float64). The bound on every partial sum is sum |code| * max |x| + |bias|.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from spikequant.program import Add, IntArray, Lateral, Leak, Lif, Node, PoolSum, Program, Weighted

FLOAT32, FLOAT64 = 1 << 24, 1 << 53
INT32, INT64 = (1 << 31) - 1, (1 << 63) - 1


def float_bound(program: Program, node: Node) -> int:
    """Return what no magnitude inside ``node``, partial sums included, exceeds."""
    reach = [magnitude(program, edge.source) for edge in program.inputs_of(node.name)]
    if isinstance(node, Weighted):
        sums = np.abs(node.codes).reshape(node.out_channels, -1).sum(axis=1)
        bias = np.zeros_like(sums) if node.bias is None else np.abs(node.bias)
        return max(int(s) * reach[0] + int(b) for s, b in zip(sums, bias, strict=True))
    if isinstance(node, Lateral):
        size = math.prod(program.shapes[node.name])
        return max(abs(node.code) * (size - 1), size) * reach[0]
    if isinstance(node, Add):
        return sum(reach)
    if isinstance(node, PoolSum):
        return reach[0] * node.kernel[0] * node.kernel[1]
    return magnitude(program, node.name)


def magnitude(program: Program, name: str) -> int:
    """Return the largest absolute value that node ``name`` can put out."""
    source = program.ranges[name]
    return max(abs(source[0]), abs(source[1]))


def float_dtype(bound: int) -> torch.dtype | None:
    """Return the smallest float type exact below ``bound``, or ``None`` when there is none.

    >>> float_dtype(127 * 784), float_dtype(1 << 24), float_dtype(1 << 53)
    (torch.float32, torch.float64, None)
    """
    if bound < FLOAT32:
        return torch.float32
    return torch.float64 if bound < FLOAT64 else None


def lif_bound(program: Program, node: Lif) -> int:
    """Return what no magnitude inside one step of ``node`` exceeds."""
    low, high = program.ranges[program.source_of(node.name).name]
    seen = node.pre_reset_limits(min(low, 0), max(high, 0))
    h = max(*(abs(v) for v in seen), _largest(node.theta))
    kept = max(h + _largest(node.theta), abs(node.reset.value))
    stored = max(abs(v) for v in node.potential_limits)
    leaking = stored if node.order == "leak_on_read" else kept
    return max(_leak_bound(leaking, node.leak), kept + (1 << node.u_bits))


def int_dtype(bound: int) -> torch.dtype | None:
    """Return the smallest integer type that holds ``bound``, or ``None``.

    >>> int_dtype(2**31 - 1), int_dtype(2**31), int_dtype(2**63)
    (torch.int32, torch.int64, None)
    """
    if bound <= INT32:
        return torch.int32
    return torch.int64 if bound <= INT64 else None


def _leak_bound(value: int, leak: Leak) -> int:
    product = value * leak.multiplier if leak.kind == "multiply" else value
    return product + (1 << leak.shift)


def _largest(values: IntArray) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))
