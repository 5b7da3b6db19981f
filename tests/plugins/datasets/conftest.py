"""Where the real data sets are: the folder of SPIKEQUANT_DATA, or the one beside this checkout."""

import os
from pathlib import Path

import pytest

from spikequant.data_folders import places


@pytest.fixture
def real_folder():
    """Return a function that gives the folders for a set, or skips if they lack one of its files."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    folders = (Path(os.environ.get("SPIKEQUANT_DATA") or beside),)

    def of(name, *files):
        if not any(all((place / file).is_file() for file in files) for place in places(name, folders)):
            pytest.skip(f"needs {', '.join(files)} of {name} in SPIKEQUANT_DATA")
        return folders

    return of
