"""What a node alone tells about the shapes of what enters and leaves it."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikequant_nir.raw import RawNode

Shape = tuple[int, ...]
CONSTANTS: dict[str, tuple[str, ...]] = {
    "I": ("r",),
    "IF": ("r", "v_threshold", "v_reset"),
    "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    "Scale": ("scale",),
    "Threshold": ("threshold",),
    "Delay": ("delay",),
}
"""Fields with one value per neuron; each may also be one value for all, or one per channel."""
MOST = 2.0**53
"""Whole numbers beyond it are not exact in a float, and no shape has them."""
AXES = {"Affine": 1, "Linear": 1, "Conv1d": 2, "Conv2d": 3, "SumPool2d": 3, "AvgPool2d": 3}


def shape_of(value: Any) -> Shape:
    """Return an array's shape; a number's is ``()``."""
    return tuple(int(size) for size in np.shape(value))


def sizes_in(value: Any) -> Shape | None:
    """Return the shape that a field like ``shape`` or ``input_shape`` holds, or ``None`` where it holds none."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or array.size > 16 or not (array >= 1).all():
        return None
    if array.dtype.kind == "f" and not ((array == np.round(array)) & (array < MOST)).all():
        return None
    return tuple(int(size) for size in array.reshape(-1))


def known_input(node: RawNode) -> Shape | None:
    """Return the shape that a node takes, as far as it is sure of it alone."""
    fields = node.fields
    if node.kind in ("Input", "Output"):
        return sizes_in(fields.get("shape"))
    if node.kind in ("Affine", "Linear"):
        shape = shape_of(fields["weight"])
        return shape[1:] if len(shape) == 2 else None
    if node.kind == "Flatten":
        return sizes_in(fields["input_type"]) or None if "input_type" in fields else None
    if node.kind in ("Conv1d", "Conv2d"):
        inner, groups = sizes_in(fields.get("input_shape")), np.asarray(fields["groups"])
        if inner is None or groups.size != 1 or groups.dtype.kind not in "iu":
            return None
        return (shape_of(fields["weight"])[1] * int(groups.reshape(-1)[0]), *inner)
    return known_constants(node)


def known_output(node: RawNode) -> Shape | None:
    """Return the shape that a node puts out, as far as it is sure of it alone."""
    if node.kind in ("Affine", "Linear"):
        shape = shape_of(node.fields["weight"])
        return shape[:1] if len(shape) == 2 else None
    return known_input(node) if node.kind in CONSTANTS or node.kind in ("Input", "Output") else None


def known_constants(node: RawNode) -> Shape | None:
    """Return the shape of a neuron's constants, or ``None`` where they are one value for all neurons."""
    shapes = [shape_of(node.fields[key]) for key in CONSTANTS.get(node.kind, ()) if key in node.fields]
    largest = max(shapes, key=np.prod, default=())
    return largest if np.prod(largest) > 1 else None


def only_shape(node: RawNode) -> Shape:
    """Return the shape of a neuron's constants although it is that of one value; ``()`` where they have none."""
    return max((shape_of(node.fields[key]) for key in CONSTANTS.get(node.kind, ()) if key in node.fields), default=())


def takes(node: RawNode, shape: Shape) -> bool | None:
    """Return whether a node takes a shape; ``None`` where it takes any."""
    if node.kind in ("Conv1d", "Conv2d"):
        return len(shape) == AXES[node.kind]
    if node.kind in ("SumPool2d", "AvgPool2d"):
        return len(shape) == 3
    known = known_input(node)
    if known is None or node.kind == "Flatten":
        return None
    if known == shape or (node.kind in CONSTANTS and known[:1] == (1,) and known[1:] == shape):
        return True
    return node.kind in CONSTANTS and len(shape) > 1 and (known == shape[:1] or _broadcasts(known, shape))


def _broadcasts(small: Shape, large: Shape) -> bool:
    pairs = zip(reversed(small), reversed(large), strict=False)
    return len(small) <= len(large) and all(a in (1, b) for a, b in pairs)
