"""Where data sets are looked for, and what is said when one is missing or damaged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path

from spikequant.dataset import Dataset
from spikequant.errors import DataError

VARIABLE = "SPIKEQUANT_DATA"


def data_folders(explicit: Path | None) -> tuple[Path, ...]:
    """Return the folders to search, in order: the given one, that of ``SPIKEQUANT_DATA``, the user's cache.

    The first one is also where ``spikequant fetch`` saves.

    Args:
        explicit: What the user gave as ``--data-dir``; ``None`` if nothing.
    """
    variable = os.environ.get(VARIABLE, "")
    given = [explicit] if explicit is not None else []
    given += [Path(variable)] if variable else []
    cache = user_cache_path("spikequant", appauthor=False) / "data"
    return tuple(dict.fromkeys(folder.expanduser() for folder in (*given, cache)))


def places(name: str, folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return the places that may hold data set ``name``: of each folder its sub-folder ``name``, then itself."""
    return tuple(place for folder in folders for place in (folder / name, folder))


def held(place: Path, wanted: Sequence[Sequence[str]]) -> tuple[Path, ...] | None:
    """Return one file of ``place`` for each of ``wanted``, or ``None`` if any is not there.

    Args:
        place: A folder, which need not exist.
        wanted: For each file the names it may have, the preferred one first.
    """
    found = [next((place / name for name in names if (place / name).is_file()), None) for names in wanted]
    files = tuple(path for path in found if path is not None)
    return files if len(files) == len(wanted) else None


def missing(dataset: Dataset, wanted: str, folders: Sequence[Path]) -> DataError:
    """Return the error for a data set of which no place holds ``wanted`` (file names, in words)."""
    looked = ", ".join(map(str, places(dataset.name, folders))) or "no folder"
    return DataError(
        f"data set '{dataset.name}' is missing: looked for {wanted} in {looked}; "
        f"{_remedy(dataset)}, or name its folder by --data-dir or {VARIABLE}"
    )


def damaged(dataset: Dataset, path: Path, fault: str) -> DataError:
    """Return the error for a file that is there and cannot be used, ``fault`` saying why."""
    example = (
        f"for example by `spikequant fetch {dataset.name}`"
        if dataset.files or not dataset.source
        else f"from {dataset.source}"
    )
    return DataError(f"data set '{dataset.name}': file {path} cannot be used: {fault}; replace it, {example}")


def _remedy(dataset: Dataset) -> str:
    """Say how to get a data set, and how large it is."""
    if not dataset.files and dataset.source:
        return f"get it from {dataset.source}"
    known = all(file.size for file in dataset.files)
    size = f"{sum(file.size for file in dataset.files) / 1e6:.1f} MB" if known else "its publisher states no size"
    return f"get it with `spikequant fetch {dataset.name}` ({size})"
