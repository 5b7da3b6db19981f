"""Step through a program on the simulated core, and look at and change its registers on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import cast

from spikequant.backend import Inputs
from spikequant.errors import UsageError
from spikequant.program import Program
from spikequant.trace import Trace
from spikequant_mint_rtl.inspection.driver import InspectedSimulator
from spikequant_mint_rtl.inspection.executable import InspectedExecutable


def inspect(program: Program, *, zero_skip: bool = True, cache: Path | None = None) -> Inspection:
    """Compile a program for the driver ``pyverilator`` and return it for stepping.

    Args:
        program: What ``mint_rtl`` accepts.
        zero_skip: Skip inputs without a spike.
        cache: Folder of built simulators; default: the user's cache directory.

    Raises:
        RefusedError: Some node cannot run on the core.
        BackendError: PyVerilator or a tool is missing, or failed.
    """
    from spikequant_mint_rtl.backend import MintRtlBackend

    backend = MintRtlBackend(zero_skip=zero_skip, driver="pyverilator", cache=cache)
    return Inspection(cast("InspectedExecutable", backend.compile(program)))


class _Abandoned(BaseException):
    """Ends a run that nobody steps on."""


class Inspection:
    """A program that runs only while it is stepped; use it as a context manager, or call :meth:`close`.

    The run is the backend's own, in a thread that waits after every cycle of the core. Host accesses
    between the runs of the core (loading weights, reading spikes) are not stepped through.
    """

    def __init__(self, executable: InspectedExecutable) -> None:
        self._executable = executable
        self._core = executable.cores[0]
        self._go, self._parked = threading.Semaphore(0), threading.Semaphore(0)
        self._until: Callable[[], bool] = lambda: True
        self._thread: threading.Thread | None = None
        self._trace: Trace | None = None
        self._error: BaseException | None = None
        self._abandoned = False
        for core in executable.cores:
            core.watch = self._pause

    @property
    def core(self) -> InspectedSimulator:
        """The core that runs: ``core.model`` is PyVerilator's object, ``core.cycle`` its clock."""
        return self._core

    @property
    def layer(self) -> str:
        """Name of the layer that runs; empty before the start."""
        return self._core.running.layer

    @property
    def running(self) -> bool:
        """Whether there are cycles left to step through."""
        return self._thread is not None

    @property
    def layers(self) -> tuple[str, ...]:
        """The program's layers, in the order in which they run."""
        return self._executable.layer_names

    def signals(self) -> list[str]:
        """Return every name that :meth:`peek` takes: short ones first, then paths in the RTL."""
        return self._core.names.known()

    def peek(self, name: str, lane: int | None = None) -> int:
        """Return the value of a signal, after the cycle that was stepped last.

        Args:
            name: A short name or a path; see :meth:`signals`.
            lane: 0..127, for the values that each lane has.

        Raises:
            UsageError: There is no such signal or lane.
        """
        return self._core.names.field(name, lane).read(self._core.model)

    def poke(self, name: str, value: int, lane: int | None = None) -> None:
        """Change a register or an input, and let the core settle.

        Raises:
            UsageError: There is no such signal or lane, it is an output or a memory's, or the value is too wide.
        """
        field = self._core.names.field(name, lane)
        if not self._core.names.writable(field):
            raise UsageError(f"'{name}' can be seen only; registers (paths that end in _q) and inputs can be changed")
        field.write(self._core.model, value)
        self._core.model.eval()

    def start(self, inputs: Inputs) -> None:
        """Begin a run and stop after the first cycle of the first layer.

        Raises:
            UsageError: A run is under way, or the inputs do not fit the program.
        """
        if self.running:
            raise UsageError("a run is under way; finish() it first")
        self._trace, self._error = None, None
        self._until = lambda: True
        self._thread = threading.Thread(target=self._work, args=(inputs,), daemon=True)
        self._thread.start()
        self._wait()

    def step(self, cycles: int = 1) -> bool:
        """Let the core run for some cycles; returns False when the run has ended before."""
        left = iter(range(cycles - 1))
        return self.run_until(lambda: next(left, None) is None)

    def run_until(self, reached: Callable[[], bool]) -> bool:
        """Let the core run until ``reached``, asked after every cycle, is true; returns False if the run ends first.

        Raises:
            UsageError: No run was started.
        """
        if self._trace is not None:
            return False
        if not self.running:
            raise UsageError("there is no run to step through; begin one with start(inputs)")
        self._until = reached
        self._go.release()
        self._wait()
        return self.running

    def finish(self) -> Trace:
        """Let the run go to its end and return its trace.

        Raises:
            UsageError: No run was started.
        """
        self.run_until(lambda: False)
        if self._trace is None:
            raise UsageError("the run was given up; begin one with start(inputs)")
        return self._trace

    def close(self) -> None:
        """Give up the run, if there is one, and free the cores."""
        if self._thread is not None:
            self._abandoned = True
            self._go.release()
            self._thread.join()
            self._thread = None
        self._executable.close()

    def __enter__(self) -> Inspection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self, inputs: Inputs) -> None:
        try:
            self._trace = self._executable.run(inputs)
        except BaseException as error:
            self._error = error
        self._thread_done()

    def _thread_done(self) -> None:
        self._thread = None
        self._parked.release()

    def _pause(self, core: InspectedSimulator) -> None:
        self._core = core
        if not self._abandoned and self._until():
            self._parked.release()
            self._go.acquire()
        if self._abandoned:
            raise _Abandoned

    def _wait(self) -> None:
        self._parked.acquire()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
