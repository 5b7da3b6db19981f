"""Read any ``.nir`` file safely: with one clear line for everything that can be wrong with it."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from spikequant.errors import NirError
from spikequant.nir_profile.hdf5 import inspect

FILE_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}")
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RuntimeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
)
"""What h5py and nir raise on files that are damaged or do not hold what NIR asks for."""

CLASSES = {
    node.__name__: node
    for node in (
        *(nir.Affine, nir.AvgPool2d, nir.Conv1d, nir.Conv2d, nir.CubaLI, nir.CubaLIF, nir.Delay, nir.Flatten, nir.I),
        *(nir.IF, nir.Input, nir.LI, nir.LIF, nir.Linear, nir.NIRGraph, nir.Output, nir.Scale, nir.SumPool2d),
        nir.Threshold,
    )
}


def read_graph(path: str | os.PathLike[str], type_check: bool = False) -> Any:
    """Read a ``.nir`` file, with or without quantization profile.

    Args:
        path: The file.
        type_check: Let nir infer and compare shapes; it rejects grouped and non-square convolutions.

    Returns:
        The ``nir.NIRGraph``.

    Raises:
        NirError: The file is missing, damaged, no HDF5, too large, holds a node class or a field that NIR does
            not know, lacks a field, or has a name that cannot stand in paths and generated code.
    """
    target = Path(path)
    try:
        inspect(target)
        with h5py.File(target, "r") as file:
            kind = _check_node(file.get("node"), "graph", target)
        if kind != "NIRGraph":
            raise NirError(f"{target}: it holds a single {kind} and no graph; export the whole network")
        with np.errstate(all="ignore"):
            graph = nir.read(target, type_check=type_check)
    except NirError:
        raise
    except DAMAGE as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise NirError(f"{target}: it cannot be read as NIR ({reason}); export the network again") from error
    return graph


def _check_node(group: Any, name: str, path: Path) -> str:
    """Return a node's class; raise :class:`NirError` unless it, its fields and a graph's parts are known."""
    if not isinstance(group, h5py.Group) or not isinstance(group.get("type"), h5py.Dataset):
        raise NirError(f"{path}: node '{name}' has no type, so this is no NIR graph; export the network again")
    kind = group["type"][()]
    kind = kind.decode("utf8", "replace") if isinstance(kind, bytes) else str(kind)
    if kind not in CLASSES:
        raise NirError(
            f"{path}: node '{name}' is a {kind[:80]!r}, which nir {nir.version} does not know;"
            f" known are {', '.join(sorted(CLASSES))}"
        )
    present, allowed = set(group) - {"type"}, _fields(kind)
    needed = {field for field, required in allowed.items() if required}
    if present - set(allowed):
        extra = min(present - set(allowed))
        raise NirError(f"{path}: node '{name}' ({kind}) has a field {extra[:80]!r}, which NIR does not know")
    if needed - present:
        raise NirError(f"{path}: node '{name}' ({kind}) lacks the field '{min(needed - present)}'; export it again")
    if kind == "NIRGraph":
        for child, part in _children(group, name, path):
            _check_node(part, child, path)
    return kind


def _children(group: Any, name: str, path: Path) -> Iterator[tuple[str, Any]]:
    nodes = group["nodes"]
    if not isinstance(nodes, h5py.Group) or not isinstance(group["edges"], h5py.Dataset):
        raise NirError(f"{path}: graph '{name}' has no nodes or no edges; export the network again")
    for child in nodes:
        if not FILE_NAME.fullmatch(child):
            raise NirError(
                f"{path}: node name {child[:80]!r} is not usable; names are letters, digits, '_', '-' and single dots,"
                " at most 128"
            )
        yield child, nodes[child]


def _fields(kind: str) -> dict[str, bool]:
    """Return the names of a class's fields in a file, and whether each is required."""
    if kind in ("Input", "Output"):
        return {"shape": True, "metadata": False}
    fields = {
        field.name: field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        for field in dataclasses.fields(CLASSES[kind])
        if field.name not in ("input_type", "output_type")
    }
    optional = {"Conv1d": ["input_shape"], "Conv2d": ["input_shape"], "Flatten": ["input_type"]}
    return fields | dict.fromkeys(optional.get(kind, []), False)
