"""The text of an activity report."""

from __future__ import annotations

from spikequant_mint_rtl.activity.report import TITLES, ActivityReport, Row

_HEAD = ("nets", "internal", "clock", "leakage", "total", "saved")


def report_text(report: ActivityReport) -> str:
    """Return a table per width, each headed by unit, library and assumptions, then the assumptions."""
    widths = list(dict.fromkeys(row.bits for row in report.rows))
    notes = [f"[{letter}] {words}" for letter, words in report.assumptions.items()]
    return "\n\n".join([*(_table(report, bits) for bits in widths), "\n".join(notes)])


def _table(report: ActivityReport, bits: int) -> str:
    rows = [row for row in report.rows if row.bits == bits]
    width = max(len(words) for words in TITLES.values())
    mint = report.row(bits, "mint")
    title = (
        f"{bits} bits: pJ per cycle of one processing element, library '{report.library}', pyosys {report.synthesis} "
        f"[a b c e]; {mint.accumulates:.1f} additions per LIF step"
    )
    lines = [f"  {'':{width}}" + "".join(f"{word:>10}" for word in _HEAD)]
    lines += [f"  {TITLES[row.design]:{width}}" + _figures(report, row) for row in rows]
    for name, shares in report.tables.items():
        told = ", ".join(f"{share:.0%} of {TITLES[against]}" for against, share in shares[bits].items())
        lines.append(f"  by table {name} MINT saves {told} [b d]")
    return "\n".join([title, *lines])


def _figures(report: ActivityReport, row: Row) -> str:
    energy = row.energy
    parts = (energy.switching, energy.internal, energy.clock, energy.leakage, energy.total)
    words = [
        *(f"{part:.4g}" for part in parts),
        *([] if row.design == "mint" else [f"{report.saved(row.bits, row.design):.1%}"]),
    ]
    return "".join(f"{word:>10}" for word in words)
