"""The areas as values, as JSON and as tables; no figure goes without its technology and assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikequant_mint_rtl.area.designs import Design
from spikequant_mint_rtl.area.technology import Technology

TITLES = {
    "pe": "PE: one processing element, rules set by registers",
    "fixed": "PE with the papers' rules wired: leak 1/2 on read, rounded down, reset to zero",
    "array": "array: 128 PEs, their adder inputs and the port through which rows are read",
    "core": "core: array, controller, address generator, registers and counters",
}
MEMORIES = {
    "pe": "1 KB scratchpad",
    "fixed": "1 KB scratchpad",
    "array": "1 KB scratchpad per PE",
    "core": "scratchpads, 144 KB of weights, 64 KB of spikes, constants of 64 tiles",
}
PAPER = "MINT, Fig. 6: PE-array area saved against U in fp32"
PAPER_SAVED = {"SpinalFlow": {8: 76, 4: 86, 2: 93}, "PTB": {8: 93, 4: 95, 2: 96}}
PAPER_AVERAGE = "MINT, Section I: 85 % of PE-array area saved on average"
DESIGN_NOTES = (
    "accumulators have n + {headroom} bits in every design.",
    "UQ multiplies the accumulator by a 32-bit scale and keeps the low 32 bits of the product; its LIF unit has "
    "32 bits. U of 32 bits stands for the paper's admm-Ufp, U of n bits for its admm-Uq. Outside the array its core is "
    "billed as MINT's, without the address decoder of the scales.",
)


@dataclass(frozen=True)
class Row:
    """Area of one part of one design.

    Attributes:
        part: ``pe``, ``fixed``, ``array`` or ``core``.
        design: Which accelerator.
        logic: Area without any memory, in the report's unit.
        memory_bits: Size of the memories that belong to the part.
    """

    part: str
    design: Design
    logic: float
    memory_bits: int


@dataclass(frozen=True)
class AreaReport:
    """Areas of MINT and vanilla UQ in one technology.

    Attributes:
        technology: Gives the unit and the assumptions.
        synthesis: Version of pyosys.
        headroom: Accumulator bits beyond the weight's.
        rows: One per part, width and design.
    """

    technology: Technology
    synthesis: str
    headroom: int
    rows: tuple[Row, ...]

    @property
    def assumptions(self) -> dict[str, str]:
        """What the figures rest on, in words, by the letter used beside them."""
        words = (*self.technology.assumptions.values(), *(n.format(headroom=self.headroom) for n in DESIGN_NOTES))
        return dict(zip("abcd", words, strict=True))

    def row(self, part: str, bits: int, key: str) -> Row:
        """Return one area; raises ``KeyError`` if it was not measured."""
        for row in self.rows:
            if (row.part, row.design.weight_bits, row.design.key) == (part, bits, key):
                return row
        raise KeyError((part, bits, key))

    def total(self, row: Row) -> float | None:
        """Return logic and memory together; ``None`` where the memory's area is not known."""
        memory = self.technology.memory(row.memory_bits)
        return None if memory is None else row.logic + memory

    def saved(self, part: str, bits: int, against: str = "uq_fp", *, memory: bool = False) -> float | None:
        """Return the share of a baseline's area that MINT saves, 0 to 1; ``None`` where it is not known."""
        ours, theirs = self.row(part, bits, "mint"), self.row(part, bits, against)
        if not memory:
            return 1 - ours.logic / theirs.logic
        small, large = self.total(ours), self.total(theirs)
        return None if small is None or large is None else 1 - small / large

    def to_json(self) -> dict[str, Any]:
        """Return everything, each figure with unit, technology and the letters of its assumptions."""
        measured = {"unit": self.technology.unit, "technology": self.technology.name}
        return {
            **measured,
            "node_nm": self.technology.node_nm,
            "synthesis": f"pyosys {self.synthesis}",
            "assumptions": self.assumptions,
            "areas": [
                {
                    "part": row.part,
                    "design": row.design.key,
                    "weight_bits": row.design.weight_bits,
                    "potential_bits": row.design.potential_bits,
                    "acc_bits": row.design.acc_bits,
                    "logic": row.logic,
                    "memory_bits": row.memory_bits,
                    "memory": self.technology.memory(row.memory_bits),
                    "with_memory": self.total(row),
                    **measured,
                    "assumptions": list("abcd"),
                }
                for row in self.rows
            ],
            "saved": [
                {
                    "part": part,
                    "weight_bits": bits,
                    "against": against,
                    "logic": self.saved(part, bits, against),
                    "with_memory": self.saved(part, bits, against, memory=True),
                    "technology": self.technology.name,
                    "assumptions": list("abcd"),
                }
                for part, bits in self.measured
                for against in ("uq_fp", "uq_q")
            ],
            "paper": {"figure": PAPER, "saved_percent": PAPER_SAVED, "average": PAPER_AVERAGE},
        }

    @property
    def measured(self) -> list[tuple[str, int]]:
        """Parts and widths, in the order of the rows."""
        return list(dict.fromkeys((row.part, row.design.weight_bits) for row in self.rows))

    def __str__(self) -> str:
        """Return tables, each headed by unit, technology and assumptions, beside the paper's figures."""
        from spikequant_mint_rtl.area.tables import report_text

        return report_text(self)
