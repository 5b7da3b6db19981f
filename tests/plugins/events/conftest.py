"""What the tests of the event sets share: where the real sets are, and files in the formats of the others."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from spikequant.data_folders import places


@pytest.fixture(scope="session")
def files():
    """Return recording_files.py: writers of every original format, and the binning that counts by hand."""
    spec = importlib.util.spec_from_file_location("recording_files", Path(__file__).with_name("recording_files.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def real_events():
    """Return a function that gives the folders of a set with real recordings, or skips."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    folders = (Path(os.environ.get("SPIKEQUANT_DATA") or beside),)

    def of(name, file):
        if not any((place / file).is_file() for place in places(name, folders)):
            pytest.skip(f"needs {file} of {name} in SPIKEQUANT_DATA")
        return folders

    return of
