"""Neuron kinds of plugins: the file that runs such a kind on Lava, and the fields that the file is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import BackendError
from spikequant.files import reason
from spikequant.nir_profile import NodeMapping
from spikequant.program import SpikingNode

BACKEND = "lava"
Kinds = Mapping[str, NodeMapping]


@dataclass(frozen=True, eq=False)
class Implementation:
    """What the runner needs to run a plugin's node.

    Attributes:
        path: The plugin's file, for messages.
        text: What is in it.
        scalars: Fields that JSON can hold.
        arrays: Fields that are arrays.
    """

    path: str
    text: str
    scalars: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def implementation_of(node: SpikingNode, kinds: Kinds) -> Implementation:
    """Return the implementation that the kind of ``node`` names for this backend.

    Args:
        node: A node of a plugin's kind.
        kinds: The kinds' mappings, whose ``fields`` the implementation is given.

    Raises:
        BackendError: The kind names none of its own, its file cannot be read, or its fields are not known.
    """
    path = _path(node)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise BackendError(f"the implementation {path} of kind {node.kind} cannot be read: {reason(error)}") from error
    if node.kind not in kinds:
        raise BackendError(
            f"no installed neuron offers a mapping for kind {node.kind}, and its implementation needs the fields;"
            " return one from the neuron's node_mappings()"
        )
    scalars: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for key, value in kinds[node.kind].fields(node).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, np.ndarray) and plain.dtype.kind in "biuf":
            arrays[key] = plain
        elif plain is None or isinstance(plain, (bool, int, float, str)):
            scalars[key] = plain
        else:
            raise BackendError(
                f"field '{key}' of kind {node.kind} is a {type(value).__name__}; an implementation for Lava is given"
                " bools, numbers, texts, numeric arrays and None"
            )
    return Implementation(str(path), text, scalars, arrays)


def is_implemented(node: SpikingNode) -> bool:
    """Return whether the class of ``node``, or one it derives from, names an implementation for this backend."""
    return BACKEND in node.implementations


def _path(node: SpikingNode) -> Path:
    """The file that the class itself names: one inherited would run the parent's arithmetic."""
    kind = type(node)
    if not is_implemented(node):
        raise BackendError(
            f"kind {node.kind} has no implementation for Lava; its class names one in implementations['{BACKEND}']"
        )
    if "implementations" not in vars(kind):
        owner = next(base for base in kind.__mro__ if "implementations" in vars(base))
        raise BackendError(
            f"{kind.__name__} inherits the implementation of {owner.__name__}, which does not know what"
            f" {kind.__name__} changes; give {kind.__name__} its own implementations"
        )
    return Path(kind.implementations[BACKEND])
