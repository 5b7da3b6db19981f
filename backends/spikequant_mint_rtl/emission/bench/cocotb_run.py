"""Runs cocotb_bench.py on what the Makefile built; exit code 1 if anything differs."""

from __future__ import annotations

import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

FOLDER = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run the test; return the exit code."""
    build = FOLDER / "build_cocotb"
    runner = get_runner("verilator")
    results = runner.test(
        test_module="cocotb_bench",
        hdl_toplevel="bench",
        hdl_toplevel_lang="verilog",
        build_dir=build,
        test_dir=FOLDER / "bench",
        results_xml=str(build / "results.xml"),
    )
    tests, failures = get_results(results)
    return 0 if tests and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
