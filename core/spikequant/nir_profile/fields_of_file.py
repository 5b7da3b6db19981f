"""Read any HDF5 file of groups, numbers and text safely as plain data, whether or not NIR can make sense of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikequant.errors import NirError, one_line
from spikequant.nir_profile.hdf5 import inspect
from spikequant.nir_profile.read_graph import DAMAGE


def read_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a ``.nir`` file holds: a dict for each group, an array, number or ``str`` for each data set.

    For importers that must look into files which nir itself refuses; :func:`read_graph` is for the others.
    Arrays of text hold ``str``. Attributes, which NIR does not use, are left out.

    Raises:
        NirError: The file is missing, damaged, no HDF5, or too large; see :func:`~spikequant.nir_profile.read_graph`.
    """
    target = Path(path)
    try:
        inspect(target)
        with h5py.File(target, "r") as file:
            return _plain(file)
    except NirError:
        raise
    except DAMAGE as error:
        reason = one_line(error) or type(error).__name__
        raise NirError(f"{target}: it cannot be read ({reason}); export the network again") from error


def _plain(group: Any) -> dict[str, Any]:
    return {
        str(key): _plain(item) if isinstance(item, h5py.Group) else _value(item[()])
        for key, item in ((key, group[key]) for key in group)
    }


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf8", "backslashreplace")
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return np.array([_value(item) for item in value.reshape(-1).tolist()], dtype=object).reshape(value.shape)
    return value
