"""Record chosen lanes, layers and timesteps of a run as a waveform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from spikequant_mint_rtl.builder import RTL
from spikequant_mint_rtl.inspection.driver import InspectedSimulator
from spikequant_mint_rtl.inspection.names import state_names
from spikequant_mint_rtl.inspection.selection import Selection
from spikequant_mint_rtl.inspection.vcd import Variable, VcdWriter
from spikequant_mint_rtl.simulator import COUNTERS

CYCLE_NS = 10
LINGER = 2  # the result of a LIF step is in the registers one cycle later, on the row port two
RUN = ("sample", "pass", "first_tile", "origin_y", "origin_x")
CONTROL = ("busy", "state", "tile", "oy", "ox", "t")
STATE, TIMESTEP = CONTROL.index("state"), CONTROL.index("t")
SCANNER = ("scan_valid", "scan_rest", "beat_valid", "beat_spike", "beat_double", "row_valid")
LANE = ("acc", "potential", "fired", "saturated", "theta", "bias", "weight")


class Recorder:
    """Watches cores and writes a dump; one cycle is 10 ns, with the clock's edge at its begin.

    Cores of different widths appear one after the other in the same variables, which are as wide as the
    widest. Time runs on where nothing was chosen; the variables are unknown there.

    Args:
        file: Where the dump goes.
        selection: What to show.
        cores: All cores of the executable.
        comment: Goes into the header.
    """

    def __init__(self, file: TextIO, selection: Selection, cores: Sequence[InspectedSimulator], comment: str) -> None:
        self._selection, self._states = selection, state_names(RTL)
        self._steps, self._linger, self._time = set(selection.steps), 0, 0
        self.recorded = 0
        self._layers = {name: _text(name) for name in selection.layers}
        keys: list[tuple[str, str, int | None]] = [("control", name, None) for name in CONTROL]
        keys += [("scan", name, None) for name in SCANNER]
        keys += [("counters", name, None) for name in COUNTERS]
        keys += [(f"lane{lane}", name, lane) for lane in selection.lanes for name in LANE]
        fields = {core: [core.names.field(name, lane) for _, name, lane in keys] for core in cores}
        self._read = {core: [field.reader(core.model) for field in found] for core, found in fields.items()}
        widths = [max(found[index].width for found in fields.values()) for index in range(len(keys))]
        named = [Variable(scope, name, width) for (scope, name, _), width in zip(keys, widths, strict=True)]
        own = [
            Variable("run", "clk", 1),
            *(Variable("run", name, 16) for name in RUN),
            Variable("run", "layer_ascii", 8 * max(map(len, selection.layers))),
            Variable("run", "state_ascii", 8 * max(map(len, self._states))),
        ]
        self._vcd = VcdWriter(file, [*own, *named], comment, "mint_core")

    def __call__(self, core: InspectedSimulator) -> None:
        """Record the cycle that just ended, if it was chosen."""
        self._time += CYCLE_NS
        read = self._read[core]
        running = core.running
        chosen = running.layer in self._layers and read[STATE]() != 0 and read[TIMESTEP]() in self._steps
        self._linger = LINGER + 1 if chosen else self._linger - 1
        if self._linger < 0:
            return
        if self._linger == 0:
            self._vcd.gap(self._time)
            return
        values = [get() for get in read]
        state = self._states[values[STATE]]
        where = (running.sample + core.sample, running.number, running.tile, *running.origin)
        marks = [*where, self._layers.get(running.layer, 0), _text(state)]
        self._vcd.at(self._time, [1, *marks, *values])
        self._vcd.at(self._time + CYCLE_NS // 2, [0, *marks, *values])
        self.recorded += 1


def _text(name: str) -> int:
    """Return a name as the bits that a viewer shows as ASCII."""
    return int.from_bytes(name.encode("ascii", "replace"), "big")
