"""Import PyVerilator 0.7.0 on a Python on which it does not import by itself."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any, NoReturn

from spikequant.errors import BackendError

REMEDY = "pip install 'spikequant[inspect]'"


@lru_cache(maxsize=1)
def pyverilator() -> ModuleType:
    """Return the package's module ``pyverilator.pyverilator``.

    Its import of ``tclwrapper`` fails on Python 3.11 and newer, where Tk's ``split`` is gone. Only its
    remote control of GTKWave uses it, so an empty module stands in its place during the import.

    Raises:
        BackendError: The package is not installed.
    """
    if importlib.util.find_spec("pyverilator") is None:
        raise BackendError(f"driver 'pyverilator' needs the package pyverilator, which is not installed; {REMEDY}")
    known = sys.modules.get("tclwrapper")
    sys.modules["tclwrapper"] = _Stub("tclwrapper")
    try:
        return importlib.import_module("pyverilator.pyverilator")
    finally:
        if known is None:
            del sys.modules["tclwrapper"]
        else:
            sys.modules["tclwrapper"] = known


class _Stub(ModuleType):
    """Stands for ``tclwrapper``; says what is missing when something asks for it."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise BackendError("PyVerilator cannot steer GTKWave here; open the .vcd file in GTKWave yourself")


def wrapper_text(top: str, inputs: Any, outputs: Any, internals: Any) -> str:
    """Return PyVerilator's C++ around a model: a getter for each signal, a setter for each input."""
    text: str = pyverilator().template_cpp.template_cpp(top, inputs, outputs, internals, '"{}"')
    return text
