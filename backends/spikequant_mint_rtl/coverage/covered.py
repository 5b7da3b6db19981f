"""The fast driver on a core that counts what of its RTL runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from spikequant_mint_rtl.builder import HARNESS
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.coverage.points import Point, merged, read_points
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.inspection.library import Variant, built_variant
from spikequant_mint_rtl.simulator import Simulator

ENTRY = """#include "{harness}"
extern "C" void mint_coverage(void* simulation, const char* path) {{
    static_cast<Simulation*>(simulation)->context.coveragep()->write(path);
}}
"""
VERILATE = ("--coverage-line", "--coverage-toggle", "--coverage-max-width", "64")
FLAGS = ("-DVM_COVERAGE=1", "-DVM_TRACE=0")


class CoveredSimulator(Simulator):
    """A core built for coverage."""

    def coverage(self) -> dict[Point, int]:
        """Return how often each point was passed so far."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "coverage.dat"
            self._lib.mint_coverage(self._handle, str(path).encode())
            return read_points(path)


class CoveredExecutable(MintRtlExecutable):
    """A program on cores built for coverage."""

    simulator = CoveredSimulator

    def coverage(self) -> dict[Point, int]:
        """Return the counts of all cores together."""
        return merged(cast("CoveredSimulator", core).coverage() for core in self._cores.values())


def covered_core(config: CoreConfig, cache: Path | None = None) -> Path:
    """Return the library of a core that counts, building it when needed.

    Raises:
        BackendError: A tool is missing or failed, or the cache cannot be written.
    """
    variant = Variant("coverage", VERILATE, FLAGS, _entry, (HARNESS.read_bytes(), ENTRY))
    return built_variant(variant, config, cache)


def covered_cores(configs: Sequence[CoreConfig], cache: Path | None = None) -> list[Path]:
    """Return the library of each core; those to be built are built side by side."""
    with ThreadPoolExecutor(max(1, min(len(configs), os.cpu_count() or 1))) as pool:
        return list(pool.map(lambda config: covered_core(config, cache), configs))


def _entry(folder: Path) -> Path:
    path = folder / "entry.cpp"
    path.write_text(ENTRY.format(harness=HARNESS), encoding="utf-8")
    return path
