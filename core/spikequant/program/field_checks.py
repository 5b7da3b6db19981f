"""Checks of a node's fields that nodes of plugins share: the type, the domain, and one wording of the error."""

from __future__ import annotations

import numpy as np

from spikequant.errors import ProgramError
from spikequant.formats import QFormat
from spikequant.program.nodes import Node

MOST_REGISTER = 32


def field_error(node: Node, field: str, got: object, needed: str) -> ProgramError:
    """Return the error that names a node, its field, what that is and what it must be.

    >>> print(field_error(Node("n"), "seed", 1.5, "an integer"))
    node 'n' (node): seed is 1.5; it must be an integer
    """
    return ProgramError(f"node '{node.name}' ({node.kind}): {field} is {got}; it must be {needed}")


def check_integer(node: Node, field: str, value: object, low: int, high: int) -> None:
    """Raise :class:`ProgramError` unless ``value`` is an int from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise field_error(node, field, repr(value), f"an integer from {low} to {high}")


def check_type(node: Node, field: str, value: object, kind: type) -> None:
    """Raise :class:`ProgramError` unless ``value`` is of ``kind``."""
    if not isinstance(value, kind):
        raise field_error(node, field, repr(value), f"of type {kind.__name__}")


def check_register(node: Node, field: str, fmt: object, least: int = 1) -> None:
    """Raise :class:`ProgramError` unless ``fmt`` is a ``Qi.f`` of ``least`` to 32 bits, 31 without sign."""
    check_type(node, field, fmt, QFormat)
    if isinstance(fmt, QFormat) and not least <= fmt.width <= MOST_REGISTER - 1 + fmt.signed:
        bounds = f"{least} to {MOST_REGISTER} bits wide, {MOST_REGISTER - 1} without sign"
        raise field_error(node, field, f"{fmt}, {fmt.width} bits", bounds)


def check_int64(node: Node, field: str, value: object) -> None:
    """Raise :class:`ProgramError` unless ``value`` is a non-empty int64 array."""
    if not isinstance(value, np.ndarray) or value.dtype != np.int64 or value.size == 0:
        got = f"a {value.dtype} array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
        raise field_error(node, field, got, "a non-empty int64 array; use spikequant.program.integers()")
