"""What the tests of the engines share, loaded from beside them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def random_cases() -> Callable[..., Any]:
    """Return ``random_cases(seed, count)`` of engine_cases.py."""
    return _beside("engine_cases").random_cases


@pytest.fixture(scope="session")
def oracle() -> type[Any]:
    """Return the class ``Oracle`` of engine_oracle.py."""
    return _beside("engine_oracle").Oracle


@pytest.fixture(scope="session")
def usnn() -> ModuleType:
    """Return usnn_models.py: small networks on digits."""
    return _beside("usnn_models")
