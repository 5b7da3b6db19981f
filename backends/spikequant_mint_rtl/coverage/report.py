"""Run the programs on cores built for coverage, check them against the oracle, and say what was covered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from spikequant.errors import BackendError
from spikequant.oracle import run_oracle
from spikequant.verify import compare
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.config import CoreConfig, core_configs
from spikequant_mint_rtl.coverage.covered import CoveredExecutable, CoveredSimulator, covered_cores
from spikequant_mint_rtl.coverage.points import FileCoverage, Point, merged, share
from spikequant_mint_rtl.coverage.programs import BITS, Case
from spikequant_mint_rtl.simulator import Memory
from spikequant_mint_rtl.wiring import layers_of

LEAST_LINES = 0.95
NO_REGISTER = 255
ACC_BITS = 32


def measure(cases: Iterable[Case], cache: Path | None = None, say: Callable[[str], None] = print) -> dict[Point, int]:
    """Run every case and return the counts of all points.

    Raises:
        BackendError: A build failed, or a program gave other integers than the oracle.
    """
    buffers, cases = Buffers(), list(cases)
    cores = [CoreConfig.of(BITS, BITS, ACC_BITS, buffers, uq) for uq in (False, True)]
    libraries = dict(zip(cores, covered_cores(cores, cache), strict=True))
    parts: list[Mapping[Point, int]] = [host_accesses(library) for library in libraries.values()]
    for number, case in enumerate(cases, 1):
        configs = core_configs(case.program, layers_of(case.program), buffers, uq=case.uq)
        used = {name: cores[config.uq] for name, config in configs.items()}
        chosen = {config: libraries[config] for config in dict.fromkeys(used.values())}
        executable = CoveredExecutable(case.program, used, chosen, buffers, zero_skip=case.zero_skip)
        with executable:
            verdict = compare(run_oracle(case.program, case.inputs), executable.run(case.inputs))
            if not verdict.identical:
                raise BackendError(f"{case.name} (zero_skip={case.zero_skip}, uq={case.uq}): {verdict}")
            parts.append(executable.coverage())
        say(progress(number, len(cases), case))
    return merged(parts)


def progress(number: int, total: int, case: Case) -> str:
    """Say that a case gave the oracle's integers.

    A program may run on both kinds of lanes and with both ways of reading its inputs, so both are named.
    """
    lanes, inputs = "uq" if case.uq else "mint", "zero skipping" if case.zero_skip else "every input"
    return f"{number} of {total}: {case.name}, {lanes} lanes, {inputs}: identical"


def host_accesses(library: Path) -> dict[Point, int]:
    """Read every register address of a fresh core, and write to one that is none; return the counts.

    Raises:
        BackendError: Some address did not read as 0.
    """
    core = CoveredSimulator(library)
    try:
        core.write(Memory.REGISTER, NO_REGISTER, np.array([1]))
        core.clear_counters()
        words = core.read(Memory.REGISTER, 0, NO_REGISTER + 1)
        if words.any():
            raise BackendError(f"registers {np.flatnonzero(words).tolist()} of an idle core do not read as 0")
        return core.coverage()
    finally:
        core.close()


def table(files: Sequence[FileCoverage]) -> list[str]:
    """Return the lines of a table: shares and counts of lines, branches and toggles by file."""
    rows: list[tuple[str, ...]] = [("file", "lines", "branches", "toggles")]
    for one in files:
        rows.append((one.file, _shown(one.lines), _shown(one.points), _shown(one.toggles)))
    sums = [
        (sum(pair[0] for pair in column), sum(pair[1] for pair in column))
        for column in ([f.lines for f in files], [f.points for f in files], [f.toggles for f in files])
    ]
    rows.append(("all", *(_shown(pair) for pair in sums)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def missed(files: Sequence[FileCoverage], folder: Path) -> list[str]:
    """Return what no program passed, as file:line with the line's text."""
    found = []
    for one in files:
        path = next(folder.rglob(one.file), None)
        text = path.read_text(encoding="utf-8").splitlines() if path else []
        for point in one.missed:
            shown = text[point.line - 1].strip() if point.line <= len(text) else ""
            found.append(f"{one.file}:{point.line}: {point.comment}: {shown}")
    return found


def too_low(files: Sequence[FileCoverage], least: float = LEAST_LINES) -> list[str]:
    """Return a sentence for each file whose lines were covered too little."""
    return [
        f"{one.file}: {100 * one.line_share:.1f} % of the lines covered; at least {100 * least:g} % are needed"
        for one in files
        if one.line_share < least
    ]


def _shown(pair: tuple[int, int]) -> str:
    return f"{100 * share(pair):5.1f} % ({pair[0]} of {pair[1]})"
