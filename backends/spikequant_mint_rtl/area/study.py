"""Measure all designs and parts, several synthesis processes at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spikequant_mint_rtl.area.circuit import circuit_area
from spikequant_mint_rtl.area.designs import PARTS, STEPS, designs
from spikequant_mint_rtl.area.report import AreaReport, Row
from spikequant_mint_rtl.area.technology import Technology
from spikequant_mint_rtl.area.yosys import yosys_version

HEADROOM = 13


def part_names(parts: Sequence[str]) -> list[str]:
    """Return the parts that are measured, in the order of the tables.

    >>> part_names(["pe", "paper", "steps"])
    ['paper', 'low', 'unshifted', 'wired', 'pe']
    """
    order = ("paper", "steps", *PARTS[1:])
    return [name for part in order if part in parts for name in (STEPS if part == "steps" else (part,))]


def area_study(
    bits: Sequence[int] = (8, 4, 2),
    parts: Sequence[str] = PARTS,
    technology: Technology | None = None,
    *,
    headroom: int = HEADROOM,
    cache: Path | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> AreaReport:
    """Return the areas of MINT and the baselines.

    Args:
        bits: Widths n of weights; MINT's U has n bits too.
        parts: Some of ``paper`` (the processing element as the paper draws it), ``pe`` (as in ``rtl/``), ``steps``
            (what lies between these two), ``array``, ``core``.
        technology: What to map to; default the transistor estimate.
        headroom: The accumulator has n + headroom bits; 13 adds 2**13 inputs without loss.
        cache: Where results are kept; default the user's cache.
        advance: Told the number of circuits done and the number of all, after each.

    Raises:
        BackendError: pyosys is missing, synthesis failed, or the library lacks a cell.
    """
    chosen = Technology() if technology is None else technology
    version = yosys_version()
    wanted = [(part, design) for part in part_names(parts) for n in bits for design in designs(n, headroom)]
    circuits = list(dict.fromkeys(circuit for part, design in wanted for circuit, _ in design.circuits(part)))
    circuits.sort(key=lambda circuit: circuit.top != "mint_core")  # the longest first
    areas: dict[object, float] = {}
    with ThreadPoolExecutor(max(1, min(len(circuits), os.cpu_count() or 1))) as pool:
        try:
            for circuit, area in zip(
                circuits, pool.map(lambda one: circuit_area(one, chosen, cache), circuits), strict=True
            ):
                areas[circuit] = area
                advance(len(areas), len(circuits))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    rows = [
        Row(
            part,
            design,
            sum(number * areas[circuit] for circuit, number in design.circuits(part)),
            design.memory_bits(part),
        )
        for part, design in wanted
    ]
    return AreaReport(chosen, version, headroom, tuple(rows))
