"""Energies of netlists as values and as JSON; no figure goes without its library and assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spikequant_mint_rtl.activity.load import Load
from spikequant_mint_rtl.activity.power import Energy

TITLES = {
    "mint": "MINT",
    "uq_isolated": "UQ, multiplier isolated outside LIF steps",
    "uq": "UQ, multiplier not isolated",
}


@dataclass(frozen=True)
class Row:
    """Energy of one processing element.

    Attributes:
        bits: n, width of weights.
        design: ``mint``, ``uq_isolated`` or ``uq``.
        energy: Mean per cycle and element.
        cells: Cells of the netlist.
        without_internal: Cells for which the library has no internal power.
        without_leakage: Cells for which it has no leakage.
        accumulates: Additions per LIF step.
        cycles: Of each element.
        firing_rate: Share of LIF steps that fire.
    """

    bits: int
    design: str
    energy: Energy
    cells: int
    without_internal: int
    without_leakage: int
    accumulates: float
    cycles: int
    firing_rate: float


@dataclass(frozen=True)
class ActivityReport:
    """Energies of MINT and vanilla UQ with one library.

    Attributes:
        library: Its name.
        synthesis: Version of pyosys.
        load: What the elements were given.
        rows: One per width and design.
        tables: Shares saved by the method of tables, by table, width and baseline.
    """

    library: str
    synthesis: str
    load: Load
    rows: tuple[Row, ...]
    tables: Mapping[str, Mapping[int, Mapping[str, float]]]

    def row(self, bits: int, design: str) -> Row:
        """Return one row; raises ``KeyError`` if it was not measured."""
        for row in self.rows:
            if (row.bits, row.design) == (bits, design):
                return row
        raise KeyError((bits, design))

    def saved(self, bits: int, against: str) -> float:
        """Return the share of a baseline's energy that MINT saves."""
        return 1 - self.row(bits, "mint").energy.total / self.row(bits, against).energy.total

    @property
    def assumptions(self) -> dict[str, str]:
        """What the figures rest on, in words, by the letter used beside them."""
        load = self.load
        cycles = "each spike" if load.zero_skip else "each input"
        lacking = "; ".join(
            f"{TITLES[row.design]} at {row.bits} bits: {row.without_internal} of {row.cells} cells without internal "
            f"power, {row.without_leakage} without leakage"
            for row in self.rows
            if row.without_internal or row.without_leakage
        )
        return {
            "a": f"Liberty library '{self.library}', its nominal voltage, cells after Yosys {self.synthesis} dfflibmap "
            f"and abc; tables read at an input transition of {load.transition_ns:g} ns; zero delay: no glitches (which "
            "understates multipliers); no wires, no clock tree, no clock gating; leakage at "
            f"{load.clock_mhz:g} MHz, a frequency that is not checked.",
            "b": f"{load.neurons} elements of one row, {load.inputs} inputs, {load.timesteps} timesteps, "
            f"{load.rate:.0%} random spikes, a cycle for {cycles} and one for the LIF step; random normal weights; "
            "theta is the root mean square of the sums. The baseline scales by a multiplier of 31 bits.",
            "c": "elements in the paper's form, as in 'spikequant area --parts paper'; U of 32 bits in the baseline. "
            "Every net has its wave, and every register equals the integer model in every cycle.",
            "d": "by table: additions, LIF steps and cycles of the same run x energy per operation, computation alone.",
            "e": f"lacking in the library: {lacking or 'nothing'}.",
        }

    def to_json(self) -> dict[str, Any]:
        """Return everything, each figure with its library and the letters of its assumptions."""
        stated = {"library": self.library, "assumptions": list("abce")}
        return {
            "library": self.library,
            "synthesis": f"pyosys {self.synthesis}",
            "load": asdict(self.load),
            "assumptions": self.assumptions,
            "energies": [
                {
                    **{key: value for key, value in asdict(row).items() if key != "energy"},
                    "unit": "pJ per cycle",
                    **asdict(row.energy),
                    "total": row.energy.total,
                    **stated,
                }
                for row in self.rows
            ],
            "saved": [
                {"bits": row.bits, "against": row.design, "share": self.saved(row.bits, row.design), **stated}
                for row in self.rows
                if row.design != "mint"
            ],
            "by_table": [
                {"table": name, "bits": bits, "against": against, "share": share, "assumptions": list("bd")}
                for name, widths in self.tables.items()
                for bits, shares in widths.items()
                for against, share in shares.items()
            ],
        }
