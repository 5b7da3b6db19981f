"""Output shape of each node kind."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikequant.errors import ProgramError
from spikequant.program.nodes import Add, Concat, Conv2d, Dense, Flatten, Input, Node, Pair, Pool, Shape


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Number of windows along one axis.

    >>> window_count(32, 3, 1, 1), window_count(8, 3, 2, 1)
    (32, 4)
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def node_shape(node: Node, sources: Sequence[Shape | None]) -> Shape:
    """Return the shape of ``node``'s output; ``None`` among ``sources`` means not known yet (recurrence)."""
    known = [shape for shape in sources if shape is not None]
    if isinstance(node, Input):
        return node.shape
    if not known:
        if isinstance(node, Dense):
            return (node.out_channels,)
        raise ProgramError(
            f"node '{node.name}' ({node.kind}): its shape depends on itself through delayed edges;"
            " give the cycle one input that does not"
        )
    if isinstance(node, Concat):
        return _concat_shape(node, sources)
    if isinstance(node, Add):
        if len(set(known)) > 1:
            raise ProgramError(f"node '{node.name}': add joins {known[0]} and {known[1]}; shapes must be equal")
        return known[0]
    return _single_shape(node, known[0])


def _single_shape(node: Node, source: Shape) -> Shape:
    if isinstance(node, Dense):
        if source != (node.codes.shape[1],):
            raise ProgramError(
                f"node '{node.name}': dense has codes {node.codes.shape} and is fed {source};"
                f" it needs ({node.codes.shape[1]},), so put a flatten before it or mend the codes"
            )
        return (node.out_channels,)
    if isinstance(node, Conv2d):
        channels = node.codes.shape[1] * node.groups
        if len(source) != 3 or source[0] != channels:
            raise ProgramError(
                f"node '{node.name}': conv2d has codes {node.codes.shape} in {node.groups} groups and is fed {source};"
                f" it needs ({channels}, height, width)"
            )
        kernel = (node.codes.shape[2], node.codes.shape[3])
        return (node.out_channels, *_windows(node, source, kernel, node.stride, node.padding, node.dilation))
    if isinstance(node, Pool):
        if len(source) != 3:
            raise ProgramError(f"node '{node.name}' ({node.kind}) is fed {source}; it needs (channels, height, width)")
        return (source[0], *_windows(node, source, node.kernel, node.stride, node.padding, (1, 1)))
    if isinstance(node, Flatten):
        return (math.prod(source),)
    return source


def _windows(node: Node, source: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    counts = [window_count(source[i + 1], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1)]
    if min(counts) < 1:
        raise ProgramError(f"node '{node.name}' ({node.kind}): kernel {kernel} does not fit into {source[1:]}")
    return counts[0], counts[1]


def _concat_shape(node: Node, sources: Sequence[Shape | None]) -> Shape:
    shapes = [shape for shape in sources if shape is not None]
    if len(shapes) != len(sources) or len({shape[1:] for shape in shapes}) > 1:
        raise ProgramError(
            f"node '{node.name}': concat joins {', '.join(map(str, shapes))}; all but the first axis must agree"
        )
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])
