"""The driver ``pyverilator``: the contract of :class:`~spikequant_mint_rtl.simulator.Simulator`, cycle by cycle.

Everything that the fast driver does in C is done here by setting and reading ports, so that whoever
watches sees every cycle. It is slow, and meant to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import BackendError
from spikequant_mint_rtl.buffers import LANES, WORD
from spikequant_mint_rtl.inspection.model import Model, open_model
from spikequant_mint_rtl.inspection.names import Names
from spikequant_mint_rtl.packing import Words
from spikequant_mint_rtl.simulator import Memory, Output, Register, Simulator

START = 1
REPORT_S = 2.0
HUNG = "this is a defect of mint_rtl, please report it"


class InspectedSimulator(Simulator):
    """A core whose every cycle is a Python call.

    Args:
        library: What :func:`~spikequant_mint_rtl.inspection.build.inspected_core` built.

    Attributes:
        watch: Called after every cycle of a run, not of host accesses.
        on_progress: Called every two seconds of a run with a line that says where it is.
        sample: The sample that runs, of those given to :meth:`run_samples`.
        cycle: Cycles since the core was made.
    """

    def __init__(self, library: Path) -> None:
        self.watch: Callable[[InspectedSimulator], None] | None = None
        self.on_progress: Callable[[str], None] | None = None
        self.sample, self.cycle = 0, 0
        self._reported = time.monotonic()
        self._model: Model | None = open_model(library)
        self.names = Names(self._model)
        self._reset()

    @property
    def model(self) -> Model:
        """PyVerilator's object.

        Raises:
            BackendError: The simulator is closed.
        """
        if self._model is None:
            raise BackendError("the executable is closed; compile the program again")
        return self._model

    def close(self) -> None:
        """Free the model."""
        if self._model is not None:
            self._model.close()
            self._model = None

    def tick(self) -> None:
        """Advance the core by one clock cycle."""
        model = self.model
        model.write("clk_i", 0)
        model.eval()
        model.write("clk_i", 1)
        model.eval()
        self.cycle += 1

    def write(self, memory: Memory, address: int, data: NDArray[Any]) -> None:
        """Write 32-bit words from ``address`` on, one per cycle; signed values keep their low bits."""
        model = self.model
        model.write("host_sel_i", int(memory))
        model.write("host_we_i", 1)
        for offset, word in enumerate(data.reshape(-1).tolist()):
            model.write("host_addr_i", address + offset)
            model.write("host_wdata_i", word)
            self.tick()
        model.write("host_we_i", 0)

    def read(self, memory: Memory, address: int, count: int) -> Words:
        """Read ``count`` words, one per cycle."""
        model = self.model
        words = np.empty(count, np.uint32)
        model.write("host_sel_i", int(memory))
        model.write("host_re_i", 1)
        for offset in range(count):
            model.write("host_addr_i", address + offset)
            self.tick()
            words[offset] = model.read("host_rdata_o")
        model.write("host_re_i", 0)
        return words

    def run_samples(
        self,
        source: Words,
        destination: tuple[int, int],
        rows: int,
        *,
        keep_rows: bool,
        cycle_limit: int,
        sum_stride: int = 0,
    ) -> Output:
        """Run the configured pass for each sample; see :meth:`Simulator.run_samples`."""
        samples = len(source)
        words = np.empty((samples, destination[1]), np.uint32)
        kept = np.empty((samples, rows, LANES), np.int32) if keep_rows else None
        fired = np.empty((samples, rows, LANES // WORD), np.uint32) if keep_rows else None
        for index in range(samples):
            self.sample = index
            self.configure({Register.SUM_BASE: index * sum_stride})
            self.write(Memory.SPIKE, 0, source[index])
            seen = self._run_until_done(rows, cycle_limit)
            if len(seen) != rows:
                raise BackendError(f"the simulated core put out {len(seen)} rows instead of {rows}; {HUNG}")
            if kept is not None and fired is not None:
                kept[index] = np.array([values for values, _ in seen], np.uint32).reshape(rows, LANES).view(np.int32)
                fired[index] = np.array([spikes for _, spikes in seen], np.uint32).reshape(rows, LANES // WORD)
            words[index] = self.read(Memory.SPIKE, *destination)
        return Output(words, kept, fired)

    def _run_until_done(self, most: int, limit: int) -> list[tuple[list[int], list[int]]]:
        """Start the core and wait until it is idle; returns each row it put out, and who fired."""
        model = self.model
        rows: list[tuple[list[int], list[int]]] = []
        self.write(Memory.REGISTER, Register.COMMAND, np.array([START]))
        model.eval()
        begun = self.cycle
        while model.read("busy_o"):
            if self.cycle - begun >= limit:
                raise BackendError(f"the simulated core did not end within {limit} cycles; {HUNG}")
            self.tick()
            if model.read("row_valid_o"):
                values = [model.word("row_o", lane) for lane in range(LANES)] if len(rows) < most else []
                rows.append((values, [model.word("row_fired_o", index) for index in range(LANES // WORD)]))
            if self.watch is not None:
                self.watch(self)
            if self.on_progress is not None and not self.cycle & 1023:
                self._report(self.on_progress)
        return rows

    def _report(self, say: Callable[[str], None]) -> None:
        if time.monotonic() - self._reported > REPORT_S:
            self._reported = time.monotonic()
            sample = self.running.sample + self.sample + 1
            say(f"{self.running.layer}, sample {sample} of the batch, cycle {self.cycle:,} of its core")

    def _reset(self) -> None:
        model = self.model
        model.auto_eval = False
        model.write("rst_ni", 1)
        model.eval()
        model.write("rst_ni", 0)
        for _ in range(2):
            self.tick()
        model.write("rst_ni", 1)
        model.eval()
        self.cycle = 0
