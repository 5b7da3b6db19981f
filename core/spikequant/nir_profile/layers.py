"""Nodes without a potential, from the program to NIR: integers as float32, rules as metadata fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError
from spikequant.nir_profile.fields import array_digest
from spikequant.nir_profile.profile import EXACT, MOST_LATERAL
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Input,
    IntArray,
    Lateral,
    Node,
    Pool,
    PoolOr,
    PoolSum,
    Readout,
    Shape,
    Weighted,
)

DECODE = "sum over time, argmax, lowest index wins a tie"


def layer_to_nir(node: Node, shape: Shape, source: Shape) -> nir.NIRNode:
    """Return the NIR node of a node without a potential.

    Args:
        node: An input, weighted, lateral, pooling, add, flatten or readout node.
        shape: Shape of its output.
        source: Shape of its first input; empty for an input node.

    Raises:
        NirError: A code or bias is not exact in float32, or NIR cannot say what the node does.
    """
    writer = _WRITERS.get(type(node))
    if writer is None:
        why = "NIR has no node that concatenates; split the layer after it into one per branch and add them"
        if not isinstance(node, Concat):
            why = f"the NIR profile has no mapping for {type(node).__name__}; use the nodes of the integer semantics"
        raise NirError(f"node '{node.name}' ({node.kind}): {why}")
    return writer(node, shape, source)


def layer_fields(node: Node) -> Mapping[str, Any]:
    """Return the metadata fields of a node without a potential, ``kind`` not among them."""
    if isinstance(node, Input):
        shape = np.asarray(node.shape, np.int64)
        return {"shape": shape, "bits": node.bits, "signed": node.signed, "coding": node.coding}
    if isinstance(node, Pool):
        return {"kernel": _pair(node.kernel), "stride": _pair(node.stride), "padding": _pair(node.padding)}
    if isinstance(node, Readout):
        return {"decode": DECODE}
    if isinstance(node, Lateral):
        return {"code": node.code}
    if not isinstance(node, Weighted):
        return {}
    fields = {
        "bits": node.bits,
        "signed": None if node.signed else False,
        "codes_sha256": array_digest(node.codes),
        "bias": node.bias,
        "lsb": node.lsb,
    }
    if isinstance(node, Conv2d):
        fields |= {name: _pair(getattr(node, name)) for name in ("stride", "padding", "dilation")}
        fields["groups"] = node.groups
    return fields


def or_threshold(shape: Shape) -> nir.Threshold:
    """Return the second half of a ``pool_or``: one where the window's sum is above one half."""
    return nir.Threshold(threshold=np.full(shape, 0.5, np.float32))


def sizes(shape: Shape) -> IntArray:
    """Return a shape as the array that NIR's Input and Output take."""
    return np.array(shape, np.int64)


def _dense(node: Dense, shape: Shape, source: Shape) -> nir.NIRNode:
    weight = _exact(node, "codes", node.codes)
    if node.bias is None:
        return nir.Linear(weight=weight)
    return nir.Affine(weight=weight, bias=_exact(node, "bias", node.bias))


def lateral_matrix(code: int, size: int) -> IntArray:
    """Return what a ``lateral`` stands for: ``code`` everywhere but on the diagonal.

    >>> lateral_matrix(-5, 3)
    array([[ 0, -5, -5],
           [-5,  0, -5],
           [-5, -5,  0]])
    """
    matrix = np.full((size, size), code, np.int64)
    np.fill_diagonal(matrix, 0)
    return matrix


def _lateral(node: Lateral, shape: Shape, source: Shape) -> nir.NIRNode:
    if len(shape) != 1:
        raise NirError(
            f"node '{node.name}' (lateral): it joins values of shape {shape}, and NIR's Linear takes flat ones;"
            " put a flatten before it"
        )
    if shape[0] > MOST_LATERAL:
        raise NirError(
            f"node '{node.name}' (lateral): it joins {shape[0]} neurons, and NIR holds the whole matrix of"
            f" {shape[0]}**2 weights; at most {MOST_LATERAL} neurons can be written"
        )
    if abs(node.code) >= EXACT:
        raise NirError(
            f"node '{node.name}' (lateral): code is {node.code}, and float32 is exact only below 2**24;"
            " use fewer weight bits"
        )
    return nir.Linear(weight=lateral_matrix(node.code, shape[0]).astype(np.float32))


def _conv2d(node: Conv2d, shape: Shape, source: Shape) -> nir.NIRNode:
    bias = np.zeros(node.out_channels, np.int64) if node.bias is None else node.bias
    return nir.Conv2d(
        input_shape=source[1:],
        weight=_exact(node, "codes", node.codes),
        stride=node.stride,
        padding=node.padding,
        dilation=node.dilation,
        groups=node.groups,
        bias=_exact(node, "bias", bias),
    )


def _pool(node: Pool, shape: Shape, source: Shape) -> nir.NIRNode:
    return nir.SumPool2d(kernel_size=_pair(node.kernel), stride=_pair(node.stride), padding=_pair(node.padding))


def _flatten(node: Flatten, shape: Shape, source: Shape) -> nir.NIRNode:
    return nir.Flatten(input_type={"input": sizes(source)}, start_dim=0, end_dim=-1)


def _pair(pair: tuple[int, int]) -> IntArray:
    return np.array(pair, np.int64)


def _exact(node: Node, field: str, values: IntArray) -> NDArray[np.float32]:
    reach = int(np.abs(values).max())
    if reach >= EXACT:
        raise NirError(
            f"node '{node.name}' ({node.kind}): {field} reach {reach}, and float32 is exact only below 2**24;"
            " use fewer weight bits"
        )
    return values.astype(np.float32)


_WRITERS: Mapping[type[Node], Callable[[Any, Shape, Shape], nir.NIRNode]] = {
    Input: lambda node, shape, source: nir.Input(input_type={"input": sizes(shape)}),
    Dense: _dense,
    Conv2d: _conv2d,
    Lateral: _lateral,
    PoolSum: _pool,
    PoolOr: _pool,
    Flatten: _flatten,
    Add: lambda node, shape, source: nir.Scale(scale=np.ones(shape, np.float32)),
    Readout: lambda node, shape, source: nir.Output(output_type={"output": sizes(shape)}),
}
