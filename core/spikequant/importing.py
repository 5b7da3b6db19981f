"""Networks of other people's tools: which importer takes a file, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import h5py

from spikequant.errors import ContractError, NirError, PluginError, SpikequantError, UsageError, one_line
from spikequant.importer import Imported, ImportedModel, ImportedProgram, Importer, Inspection
from spikequant.nir_profile.hdf5 import inspect as check_hdf5
from spikequant.nir_profile.profile import KEY
from spikequant.nir_profile.read_graph import DAMAGE
from spikequant.registry import Registry, registry

Result = TypeVar("Result")


def has_profile(path: Path) -> bool:
    """Return whether a file is a program of our own; false for one that cannot be looked into."""
    try:
        check_hdf5(path)
        with h5py.File(path, "r") as file:
            return file.get(f"node/metadata/{KEY}") is not None
    except (NirError, *DAMAGE):
        return False


def is_claimed(path: Path, found: Registry | None = None) -> bool:
    """Return whether some importer takes a file, as it is there."""
    found = found or registry()
    return path.is_file() and any(_claims(found, offer.name, path) for offer in found.of("importer"))


def find_importer(
    path: Path, options: Mapping[str, Any], name: str | None = None, found: Registry | None = None
) -> Importer:
    """Return the importer that claims a file, made with ``options``.

    Args:
        path: The file.
        options: Of the constructor.
        name: Take this one, whatever claims the file.
        found: Where to look; what is installed by default.

    Raises:
        UsageError: The file is missing, nobody claims it, or several do.
        PluginError: The importer refuses the options.
    """
    found = found or registry()
    if not path.is_file():
        raise UsageError(f"{path}: it is a folder, not a file" if path.is_dir() else f"{path}: there is no such file")
    if name is None:
        claiming = [offer for offer in found.of("importer") if _claims(found, offer.name, path)]
        if not claiming:
            raise UsageError(_nobody(path, found))
        if len(claiming) > 1:
            who = " and by ".join(f"'{offer.name}' ({offer.provider})" for offer in claiming)
            raise UsageError(f"{path} is claimed by importer {who}; choose one with --importer")
        name = claiming[0].name
    return cast("Importer", found.make("importer", name, options))


def inspect_file(importer: Importer, path: Path) -> Inspection:
    """Return what a file holds.

    Raises:
        SpikequantError: It cannot be read.
        PluginError: The importer failed on it.
        ContractError: It returned something else.
    """
    return _asked(importer, importer.inspect, path, Inspection)


def read_file(importer: Importer, path: Path) -> ImportedProgram | ImportedModel:
    """Return the network in a file.

    Raises:
        SpikequantError: It cannot be read.
        PluginError: The importer failed on it.
        ContractError: It returned something else.
    """
    read = _asked(importer, importer.read, path, Imported)
    if not isinstance(read, (ImportedProgram, ImportedModel)):
        raise ContractError(
            f"importer '{importer.name}' returned a {type(read).__name__}; return an ImportedProgram or ImportedModel"
        )
    return read


def _claims(found: Registry, name: str, path: Path) -> bool:
    """Return whether an importer claims a file; one that fails here claims nothing."""
    try:
        return bool(cast("Importer", found.make("importer", name, {})).claims(path))
    except Exception:
        return False


def _nobody(path: Path, found: Registry) -> str:
    suffix = f"'{path.suffix}'" if path.suffix else "without a suffix"
    known = (
        ", ".join(f"{offer.name} ({' '.join(getattr(offer.value, 'suffixes', ()))})" for offer in found.of("importer"))
        or "none"
    )
    broken = f"; {len(found.failures)} plugins did not load, see 'spikequant plugins'" if found.failures else ""
    return (
        f"{path}: no importer takes files {suffix}; installed: {known}{broken}; rename it, or choose one with"
        " --importer"
    )


def _asked(importer: Importer, method: Callable[[Path], Any], path: Path, wanted: type[Result]) -> Result:
    """Return what a method makes of a file; whatever else it raises is the importer's fault."""
    try:
        answer = method(path)
    except SpikequantError:
        raise
    except Exception as error:
        raise PluginError(
            f"importer '{importer.name}' failed on {path} ({type(error).__name__}: {one_line(error)}); the file may be"
            " damaged; if it is not, report this to who made the importer"
        ) from error
    if not isinstance(answer, wanted):
        raise ContractError(
            f"importer '{importer.name}' returned a {type(answer).__name__} for {path}; it must be {wanted.__name__}"
        )
    return answer
