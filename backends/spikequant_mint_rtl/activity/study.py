"""Synthesize the processing elements in the paper's form, run a row of neurons on the netlists, and bill them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spikequant.counts import Counts, NodeCounts
from spikequant.energy import built_in_tables, energy_of, load_table, uq_counterpart
from spikequant.errors import UsageError
from spikequant.program import Operation
from spikequant_mint_rtl.activity.cells import Library
from spikequant_mint_rtl.activity.functions import Wave
from spikequant_mint_rtl.activity.load import Load
from spikequant_mint_rtl.activity.netlist import Netlist, net_waves, read_netlist
from spikequant_mint_rtl.activity.neuron import Stimulus, mint_waves, random_stimulus, uq_waves
from spikequant_mint_rtl.activity.power import netlist_energy
from spikequant_mint_rtl.activity.report import ActivityReport, Row
from spikequant_mint_rtl.area.circuit import Circuit, synthesized
from spikequant_mint_rtl.area.study import HEADROOM
from spikequant_mint_rtl.area.technology import Technology
from spikequant_mint_rtl.area.yosys import yosys_version

UQ_POTENTIAL_BITS = 32


@dataclass(frozen=True)
class Design:
    """A netlist to be billed: its circuit at n-bit weights, and the model of its registers."""

    key: str
    top: str
    potential_bits: int | None
    waves: Callable[[Stimulus], dict[str, Wave]]
    parameters: tuple[tuple[str, int], ...] = ()

    def circuit(self, bits: int) -> Circuit:
        """Return the circuit at ``bits``-bit weights."""
        potential = ("PotentialBits", self.potential_bits or bits)
        return Circuit(self.top, (("WeightBits", bits), potential, ("AccBits", bits + HEADROOM), *self.parameters))


DESIGNS = (
    Design("mint", "paper_mint_pe", None, mint_waves),
    Design("uq_isolated", "paper_uq_pe", UQ_POTENTIAL_BITS, uq_waves, (("Isolated", 1),)),
    Design("uq", "paper_uq_pe", UQ_POTENTIAL_BITS, uq_waves, (("Isolated", 0),)),
)


def activity_study(
    technology: Technology,
    bits: Sequence[int] = (8, 4, 2),
    load: Load | None = None,
    *,
    cache: Path | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> ActivityReport:
    """Return the energy per cycle of MINT's processing element and of the baseline's, with a library's figures.

    Args:
        technology: A Liberty library.
        bits: Widths n of weights; MINT's U has n bits too, the baseline's 32.
        load: What the elements are given.
        cache: Where netlists are kept; default the user's cache.
        advance: Told the number of netlists done and the number of all, after each.

    Raises:
        UsageError: The technology has no library, or the sums do not fit the accumulators.
        BackendError: pyosys is missing, synthesis failed, or the library lacks something.
    """
    if technology.liberty is None:
        raise UsageError("activity needs the energies of a cell library; give --liberty FILE")
    chosen = Load() if load is None else load
    version = yosys_version()
    if chosen.inputs > 2**HEADROOM:
        raise UsageError(
            f"--inputs {chosen.inputs}: accumulators of n + {HEADROOM} bits add up to {2**HEADROOM} inputs"
        )
    library = Library(technology.liberty.decode(errors="replace"))
    wanted = [(n, design) for n in bits for design in DESIGNS]
    rows: list[Row] = []
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(
            lambda one: synthesized(one[1].circuit(one[0]), technology, "netlist", "write_json out.json", cache), wanted
        )
        for (n, design), written in zip(wanted, found, strict=True):
            rows.append(measured(n, design, read_netlist(written, library), library, chosen))
            advance(len(rows), len(wanted))
    tables = {name: _by_table(name, bits, chosen) for name in built_in_tables()}
    return ActivityReport(library.name, version, chosen, tuple(rows), tables)


def measured(bits: int, design: Design, netlist: Netlist, library: Library, load: Load) -> Row:
    """Run a load on a netlist and bill it."""
    stimulus = random_stimulus(bits, bits + HEADROOM, load)
    waves = net_waves(netlist, design.waves(stimulus))
    transition_s, period_s = load.transition_ns * 1e-9, 1e-6 / load.clock_mhz
    energy = netlist_energy(netlist, library, waves, transition_s=transition_s, period_s=period_s)
    cells = [instance.cell for instance in netlist.instances]
    return Row(
        bits,
        design.key,
        energy,
        len(cells),
        sum(not any(pin.powers for pin in cell.pins.values()) for cell in cells),
        sum(not cell.leakage and not cell.other_leakage for cell in cells),
        float(stimulus.accumulates),
        len(stimulus.spike) - 1,
        float(waves[netlist.signals["fired_q"][0]][:, 1:][:, stimulus.fire[:-1]].mean()),
    )


def _by_table(name: str, widths: Sequence[int], load: Load) -> dict[int, dict[str, float]]:
    """Return the shares that a table of operations says MINT saves, for the same additions, steps and cycles."""
    table = load_table(name)
    saved = {}
    for bits in widths:
        stimulus = random_stimulus(bits, bits + HEADROOM, load)
        steps, acc = int(stimulus.fire.sum()), bits + HEADROOM
        operations = (
            Operation("accumulate", acc, int(stimulus.spike.sum())),
            Operation("shift", bits, steps),
            Operation("add", acc, steps),
            Operation("compare", acc, steps),
            Operation("register", bits, steps),
        )
        node = NodeCounts("lif", operations, steps=steps)
        counts = Counts("one processing element", 1, {"neuron": node}, cycles=len(stimulus.spike) - 1)
        own = energy_of(counts, table, accounting="compute")
        saved[bits] = {
            "uq_isolated": own.saving_over(uq_counterpart(counts, "once_per_step").energy(table)),
            "uq": own.saving_over(uq_counterpart(counts, "every_cycle", lanes=1).energy(table)),
        }
    return saved
