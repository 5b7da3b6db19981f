"""Nodes without a potential, from NIR back to the program: integers re-derived and held against the metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import nir
import numpy as np

from spikequant.errors import NirError
from spikequant.nir_profile.fields import Fields, array_digest
from spikequant.nir_profile.layers import lateral_matrix
from spikequant.nir_profile.profile import EXACT, MOST_LATERAL
from spikequant.program import Add, Conv2d, Dense, Flatten, Input, IntArray, Lateral, Node, PoolOr, PoolSum, Readout
from spikequant.program.nodes import code_limits


def layer_from_nir(kind: str, name: str, node: nir.NIRNode, fields: Fields) -> Node | None:
    """Return the node, or ``None`` if the kind is not one of the profile's own.

    Raises:
        NirError: The NIR node is of another class, or its numbers are not those of the metadata.
    """
    if kind not in _READERS:
        return None
    classes, reader = _READERS[kind]
    if not isinstance(node, classes):
        wanted = " or ".join(c.__name__ for c in classes)
        raise NirError(f"node '{name}': it is a {type(node).__name__}, and a {kind} must be a {wanted}")
    return reader(name, node, fields)


def _input(name: str, node: nir.Input, fields: Fields) -> Node:
    shape = np.asarray(node.input_type["input"])
    if shape.dtype.kind not in "iu" or shape.ndim != 1:
        raise NirError(f"node '{name}': shape {shape} is no shape; it must be a row of positive sizes")
    if not np.array_equal(shape, fields.integers("shape")):
        raise NirError(f"node '{name}': the graph says shape {shape}, and its metadata {fields.integers('shape')}")
    coding = cast("Any", fields.text("coding"))
    return Input(name, tuple(int(n) for n in shape), fields.integer("bits"), fields.flag("signed"), coding)


def _dense(name: str, node: nir.Linear, fields: Fields) -> Node:
    codes, bias, bits = _codes(name, node, fields), fields.optional_integers("bias"), fields.integer("bits")
    return Dense(name, codes, bias, bits, fields.floats("lsb"), signed=_is_signed(fields))


def _conv2d(name: str, node: nir.Conv2d, fields: Fields) -> Node:
    return Conv2d(
        name,
        _codes(name, node, fields),
        fields.optional_integers("bias"),
        fields.integer("bits"),
        fields.floats("lsb"),
        signed=_is_signed(fields),
        stride=_pair(fields, "stride"),
        padding=_pair(fields, "padding"),
        dilation=_pair(fields, "dilation"),
        groups=fields.integer("groups"),
    )


def _lateral(name: str, node: nir.Linear, fields: Fields) -> Node:
    """Return the node after holding each weight against the one code of the metadata."""
    weight, code = np.asarray(node.weight), fields.integer("code")
    if weight.dtype.kind not in "fiu" or weight.ndim != 2 or not 0 < weight.shape[0] == weight.shape[1] <= MOST_LATERAL:
        raise NirError(
            f"node '{name}': weight is of type {weight.dtype} and shape {weight.shape}, and a lateral's is a square"
            f" matrix of numbers, of at most {MOST_LATERAL} rows"
        )
    if abs(code) >= EXACT:
        raise NirError(f"node '{name}': 'code' in the metadata is {code}; it must lie within +-(2**24 - 1)")
    wanted = lateral_matrix(code, len(weight))
    if not np.array_equal(weight, wanted):
        row, column = (int(i) for i in np.argwhere(weight != wanted)[0])
        raise NirError(
            f"node '{name}': weight[{row}, {column}] is {weight[row, column]:g}, and the metadata's code {code} makes"
            f" it {wanted[row, column]}; the halves of the file disagree, so write it again from the program"
        )
    return Lateral(name, code)


def _codes(name: str, node: Any, fields: Fields) -> IntArray:
    """Return the integer weights after checking that they are integers, fit their bits and are those written."""
    weight = np.asarray(node.weight)
    if weight.dtype.kind not in "fiu" or not np.isfinite(weight).all() or not np.array_equal(weight, np.rint(weight)):
        raise NirError(f"node '{name}': weight is not integer-valued; a quantized file holds integer codes")
    if weight.size == 0 or np.abs(weight).max() >= EXACT:
        raise NirError(f"node '{name}': weight of shape {weight.shape} is empty or reaches 2**24; neither can be codes")
    codes = weight.astype(np.int64)
    bits, low, high = fields.integer("bits"), int(codes.min()), int(codes.max())
    signed = _is_signed(fields)
    least, most = code_limits(min(max(bits, 1), 32), signed)
    if low < least or high > most:
        said = f"bits = {bits}" + ("" if signed else ", unsigned")
        raise NirError(f"node '{name}': weight holds codes {low}..{high}, and the metadata says {said}")
    if array_digest(codes) != fields.text("codes_sha256"):
        raise NirError(
            f"node '{name}': weight differs from the codes that the metadata was written with (codes_sha256);"
            " the halves of the file disagree, so write it again from the program"
        )
    return codes


def _is_signed(fields: Fields) -> bool:
    """Return false where the metadata says so; signed codes have no key, as in files of version 1 and 2."""
    return fields.flag("signed") if "signed" in fields.packed else True


def _pair(fields: Fields, key: str) -> tuple[int, int]:
    values = fields.integers(key)
    if values.shape != (2,):
        raise NirError(f"{fields.owner}: '{key}' in the metadata has shape {values.shape}; it must hold two integers")
    return int(values[0]), int(values[1])


def _pool(kind: type[PoolOr] | type[PoolSum], name: str, fields: Fields) -> Node:
    return kind(name, *(_pair(fields, key) for key in ("kernel", "stride", "padding")))


_READERS: Mapping[str, tuple[tuple[type, ...], Callable[[str, Any, Fields], Node]]] = {
    "input": ((nir.Input,), _input),
    "dense": ((nir.Linear, nir.Affine), _dense),
    "conv2d": ((nir.Conv2d,), _conv2d),
    "lateral": ((nir.Linear,), _lateral),
    "pool_or": ((nir.SumPool2d,), lambda name, node, fields: _pool(PoolOr, name, fields)),
    "pool_sum": ((nir.SumPool2d,), lambda name, node, fields: _pool(PoolSum, name, fields)),
    "flatten": ((nir.Flatten,), lambda name, node, fields: Flatten(name)),
    "add": ((nir.Scale,), lambda name, node, fields: Add(name)),
    "readout": ((nir.Output,), lambda name, node, fields: Readout(name)),
}
