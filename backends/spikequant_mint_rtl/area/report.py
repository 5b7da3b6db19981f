"""The areas as values and as JSON; no figure goes without its technology and assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikequant_mint_rtl.area.designs import Design
from spikequant_mint_rtl.area.technology import Technology
from spikequant_mint_rtl.area.words import DESIGN_NOTES, LETTERS, PAPER, PAPER_AVERAGE, PAPER_SAVED, TITLES, letters


@dataclass(frozen=True)
class Row:
    """Area of one part of one design.

    Attributes:
        part: ``paper``, ``low``, ``unshifted``, ``wired``, ``pe``, ``array`` or ``core``.
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
        return dict(zip(LETTERS, words, strict=True))

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
                    "words": TITLES[row.part],
                    "design": row.design.key,
                    "weight_bits": row.design.weight_bits,
                    "potential_bits": row.design.potential_bits,
                    "acc_bits": row.design.acc_bits,
                    "logic": row.logic,
                    "memory_bits": row.memory_bits,
                    "memory": self.technology.memory(row.memory_bits),
                    "with_memory": self.total(row),
                    **measured,
                    "assumptions": list(letters(row.part)),
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
                    "assumptions": list(letters(part)),
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
