"""The layers of a lava-dl file, in order, as fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikequant.errors import NirError, UsageError
from spikequant.nir_profile import read_fields
from spikequant_lava_dl.values import Fields, plain

MOST_LAYERS = 1000
STEPS = 1_000_000


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        index: Its number in the file.
        kind: ``input``, ``dense``, ``conv``, ``pool``, ``flatten`` or what else the file says.
        fields: Its fields.
    """

    index: int
    kind: str
    fields: Fields


@dataclass(frozen=True, eq=False)
class LavaDlFile:
    """What a file holds.

    Attributes:
        path: The file.
        layers: In order.
        timesteps: Length of a sample where the file says it.
    """

    path: Path
    layers: tuple[Layer, ...]
    timesteps: int | None


def read_file(path: Path) -> LavaDlFile:
    """Return the layers of a file.

    Raises:
        UsageError: The file is missing, damaged, too large, no HDF5, or holds no layers from 0 on.
    """
    try:
        content = read_fields(path)
    except NirError as error:
        raise UsageError(str(error)) from error
    group = content.get("layer")
    if not isinstance(group, dict) or not group:
        raise UsageError(f"{path}: it has no group 'layer', so no layers; export the network with export_hdf5()")
    if len(group) > MOST_LAYERS or sorted(group, key=_order) != [str(index) for index in range(len(group))]:
        names = plain(", ".join(sorted(group, key=_order)[:6])[:80])
        raise UsageError(f"{path}: its layers are {names}; they must be 0, 1, 2 and so on, at most {MOST_LAYERS}")
    layers = tuple(_layer(path, index, group[str(index)]) for index in range(len(group)))
    return LavaDlFile(path, layers, _timesteps(path, content.get("simulation")))


def _order(name: str) -> tuple[int, str]:
    return (int(name), name) if name.isascii() and name.isdigit() and len(name) < 6 else (1 << 30, name)


def _layer(path: Path, index: int, values: Any) -> Layer:
    owner = f"{path}: layer {index}"
    if not isinstance(values, dict):
        raise UsageError(f"{owner}: it is no group of fields; export the network again")
    kind = Fields(owner, values).text("type")
    return Layer(index, kind, Fields(f"{owner} ({kind[:40]})", values))


def _timesteps(path: Path, simulation: Mapping[str, Any] | Any) -> int | None:
    """Return ``simulation/tSample / Ts``, where they are whole."""
    if not isinstance(simulation, dict) or "tSample" not in simulation:
        return None
    fields = Fields(f"{path}: simulation", simulation)
    length = fields.integer("tSample", 1, STEPS)
    step = fields.integer("Ts", 1, STEPS) if "Ts" in fields else 1
    return length // step if length % step == 0 else None
