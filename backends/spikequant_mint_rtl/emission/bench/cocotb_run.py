"""Runs cocotb_bench.py on what the Makefile built; exit code 1 if anything differs, 2 if the folder is damaged."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from .commands import read_commands
from .program import BadFile, read_program

FOLDER = Path(__file__).resolve().parents[1]


def main() -> int:
    """Read and check the whole folder, then run the test; return the exit code."""
    try:
        program = read_program(FOLDER)
        for index in range(len(program.layers)):
            read_commands(program, index)
    except BadFile as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    wanted = os.environ.get("MINT_LAYERS", "1")
    if wanted != "all" and not (wanted.isascii() and wanted.isdigit() and int(wanted)):
        print(f'error: MINT_LAYERS is "{wanted}"; it must be a whole number from 1, or all', file=sys.stderr)
        return 2
    build = FOLDER / "build_cocotb"
    runner = get_runner("verilator")
    results = runner.test(
        test_module="bench.cocotb_bench",
        hdl_toplevel="bench",
        hdl_toplevel_lang="verilog",
        build_dir=build,
        test_dir=FOLDER,
        results_xml=str(build / "results.xml"),
    )
    tests, failures = get_results(results)
    return 0 if tests and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
