"""The text of an area report."""

from __future__ import annotations

from spikequant_mint_rtl.area.designs import STEPS
from spikequant_mint_rtl.area.report import AreaReport
from spikequant_mint_rtl.area.words import MEMORIES, PAPER, PAPER_AVERAGE, PAPER_SAVED, SCRATCHPAD, TITLES, letters

_KEYS = ("mint", "uq_fp", "uq_q")
_HEAD = ("weights", "MINT", "UQ U=32", "UQ U=n", "saved", "saved U=n")


def report_text(report: AreaReport) -> str:
    """Return tables of logic alone and with memories, then the assumptions and the paper's figures."""
    parts = list(dict.fromkeys(part for part, _ in report.measured))
    shown = [(part, memory) for part in parts for memory in ((False,) if part in STEPS else (False, True))]
    blocks = [_table(report, part, memory=memory) for part, memory in shown]
    notes = [f"[{letter}] {words}" for letter, words in report.assumptions.items()]
    paper = [
        f"SpinalFlow, PTB: {PAPER} on these two accelerators, 32 nm, logic; {PAPER_AVERAGE}.",
        "The PEs of those accelerators are not published: the columns stand beside ours and are not reproduced by it.",
    ]
    return "\n\n".join([*blocks, "\n".join([*notes, *paper])])


def _table(report: AreaReport, part: str, *, memory: bool) -> str:
    unit = f"{report.technology.unit}, {report.technology.name}, pyosys {report.synthesis}"
    what = f"with memory ({MEMORIES.get(part, SCRATCHPAD)})" if memory else "logic alone"
    title = f"{TITLES[part]}; {what}; {unit} [{' '.join(letters(part, memory=memory))}]"
    if memory and report.technology.memory(1) is None:
        return f"{title}\n  not comparable, see [b]"
    head = _HEAD if memory else (*_HEAD, *PAPER_SAVED)
    lines = ["  " + "".join(f"{word:>12}" for word in head)]
    for bits in (bits for name, bits in report.measured if name == part):
        rows = [report.row(part, bits, key) for key in _KEYS]
        areas = [report.total(row) if memory else row.logic for row in rows]
        shares = [report.saved(part, bits, against, memory=memory) for against in _KEYS[1:]]
        words = [
            f"{bits} bits",
            *(f"{area or 0:,.0f}" for area in areas),
            *(f"{100 * (share or 0):.1f} %" for share in shares),
            *(f"{saved[bits]} %" for saved in PAPER_SAVED.values() if not memory),
        ]
        lines.append("  " + "".join(f"{word:>12}" for word in words))
    return "\n".join([title, *lines])
