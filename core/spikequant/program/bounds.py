"""Worst-case ranges of every value: what an accumulator must hold, derived from the real weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from spikequant.errors import ProgramError
from spikequant.program.lif import Lif
from spikequant.program.nodes import Add, Concat, Input, Lateral, Node, PoolOr, PoolSum, Readout, Shape, Weighted
from spikequant.program.spiking import SpikingNode

Range = tuple[int, int]
INT64 = (1 << 62) - 1


def node_range(node: Node, sources: Sequence[Range], timesteps: int, shape: Shape) -> Range:
    """Return the lowest and highest value that ``node`` can put out, its output having ``shape``.

    For weights each output's extremes are reached by the input that is largest where the code is
    positive and smallest where it is negative; zero padding counts as one more possible value.
    """
    if isinstance(node, Input):
        return node.limits
    if isinstance(node, Weighted):
        low, high = _weighted(node, sources[0])
    elif isinstance(node, SpikingNode):
        low, high = node.pre_reset_limits(*sources[0])
        if isinstance(node, Lif):
            kept = max(-low, high, -node.potential_limits[0], abs(node.reset.value)) + int(abs(node.theta).max())
            _check_fits(node, (-kept * node.leak.multiplier, kept * node.leak.multiplier))
        _check_fits(node, (low, high))
        return node.emitted_limits
    elif isinstance(node, Add):
        low, high = sum(s[0] for s in sources), sum(s[1] for s in sources)
    elif isinstance(node, Lateral):
        low, high = _lateral(node, sources[0], math.prod(shape))
    elif isinstance(node, Concat):
        low, high = min(s[0] for s in sources), max(s[1] for s in sources)
    elif isinstance(node, PoolSum):
        taps = node.kernel[0] * node.kernel[1]
        low, high = min(sources[0][0], 0) * taps, max(sources[0][1], 0) * taps
    elif isinstance(node, PoolOr):
        low, high = sources[0]
        if low < 0 or high > 1:
            raise ProgramError(
                f"node '{node.name}': pool_or takes spikes in {{0, 1}}, and its input ranges {low}..{high};"
                " put it after a spiking node or use pool_sum"
            )
    elif isinstance(node, Readout):
        low, high = min(sources[0][0], 0) * timesteps, max(sources[0][1], 0) * timesteps
    else:
        low, high = sources[0]
    _check_fits(node, (low, high))
    return low, high


def _weighted(node: Weighted, source: Range) -> Range:
    codes = node.codes.reshape(node.out_channels, -1)
    low, high = min(source[0], 0), max(source[1], 0)
    positive, negative = np.maximum(codes, 0).sum(axis=1), np.minimum(codes, 0).sum(axis=1)
    bias = np.zeros(node.out_channels, np.int64) if node.bias is None else node.bias
    lows = [int(p) * low + int(n) * high + int(b) for p, n, b in zip(positive, negative, bias, strict=True)]
    highs = [int(p) * high + int(n) * low + int(b) for p, n, b in zip(positive, negative, bias, strict=True)]
    return min(lows), max(highs)


def _lateral(node: Lateral, source: Range, size: int) -> Range:
    """Bounds of ``code`` times the sum of the ``size - 1`` other elements."""
    _check_fits(node, (min(source[0], 0) * size, max(source[1], 0) * size))
    ends = [node.code * value * (size - 1) for value in source]
    return min(ends), max(ends)


def _check_fits(node: Node, bounds: Range) -> None:
    if bounds[0] < -INT64 or bounds[1] > INT64:
        raise ProgramError(
            f"node '{node.name}' ({node.kind}): values reach {bounds[0]}..{bounds[1]}, beyond 63 bits;"
            " use fewer bits or smaller constants"
        )
