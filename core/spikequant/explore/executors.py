"""Where evaluations are computed: in this process, in local processes, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Protocol, cast

from spikequant.errors import UsageError, WorkerError, one_line
from spikequant.explore.evaluation import Evaluation, Evaluator
from spikequant.explore.setting import Setting

Group = tuple[Setting, ...]


class Place(Protocol):
    """Opens executors of one kind, one after another: a pool of processes ends when one of them dies.

    Attributes:
        slots: How many groups it computes at a time.
        died: What a lost worker raises.
        gone: What a place raises that is lost for good.
    """

    slots: int
    died: tuple[type[BaseException], ...]
    gone: tuple[type[BaseException], ...]

    def open(self) -> Executor:
        """Return an executor; an earlier one is closed first."""

    def close(self) -> None:
        """Stop whatever still runs; unfinished work is lost."""


class InProcess:
    """Computes at once, in this process."""

    slots = 1
    died: tuple[type[BaseException], ...] = ()
    gone: tuple[type[BaseException], ...] = ()

    def open(self) -> Executor:
        """Return an executor whose futures are finished when submit() returns."""
        return _Immediate()

    def close(self) -> None:
        """Do nothing."""


class _Immediate(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LocalProcesses:
    """Fresh Python processes on this machine.

    They end with this process, however that ends: each waits on a pipe whose other end only this one holds.

    Args:
        jobs: Number of processes.
    """

    died: tuple[type[BaseException], ...] = (BrokenExecutor,)
    gone: tuple[type[BaseException], ...] = ()

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._held: Connection | None = None

    def open(self) -> Executor:
        """Return a pool of new processes."""
        self.close()
        context = multiprocessing.get_context("spawn")
        watched, self._held = context.Pipe(duplex=False)
        self._pool = _Pool(self.slots, context, initializer=_start_worker, initargs=(watched,))
        return self._pool

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        if self._held is not None:
            self._held.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._held = None


class _Pool(ProcessPoolExecutor):
    """Starts its processes so that Ctrl-C does not reach them, not even while they still import."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _without_interrupts():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Put Ctrl-C off for a moment, where the system can; processes started in it put it off for good."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(watched: Connection) -> None:
    """Leave Ctrl-C to the first process, and end when it lets go of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()


def _end_with(watched: Connection) -> None:
    with suppress(EOFError, OSError):
        watched.recv_bytes()
    os._exit(1)


class DaskCluster:
    """Workers of an existing Dask cluster; they read the run folder and the data under the same paths.

    Args:
        address: Of the scheduler, such as ``tcp://host:8786``.
        timeout_s: How long to wait for it.

    Raises:
        UsageError: ``distributed`` is not installed, or nobody answers at the address.
    """

    def __init__(self, address: str, timeout_s: float = 10.0) -> None:
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise UsageError("--dask needs the package 'distributed'; pip install 'spikequant[dask]'") from error
        self.died: tuple[type[BaseException], ...] = (distributed.KilledWorker,)
        self.gone: tuple[type[BaseException], ...] = (CancelledError, distributed.comm.CommClosedError)
        try:
            if not address.startswith("inproc://"):  # an address of another form would leave a client half made
                distributed.comm.get_address_host_port(address)
            self._client: Any = distributed.Client(address, timeout=timeout_s, set_as_default=False)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise UsageError(f"no Dask scheduler answers at {address!r}: {one_line(error)}; check --dask") from error
        self.slots = sum(self._client.nthreads().values())
        if not self.slots:
            self._client.close()
            raise UsageError(f"the Dask cluster at {address!r} has no workers; start some")

    def open(self) -> Executor:
        """Return the cluster's executor."""
        return cast("Executor", self._client.get_executor(pure=False))

    def close(self) -> None:
        """Leave the cluster; tasks that nobody waits for any more end."""
        self._client.close()


class Workers:
    """Sends groups of settings to a place, and gets over workers that die.

    Args:
        evaluator: What is computed.
        place: Where.
    """

    def __init__(self, evaluator: Evaluator, place: Place) -> None:
        self._evaluator, self._place = evaluator, place
        self._executor: Executor | None = None
        self._running: dict[Future[list[Evaluation]], Group] = {}

    @property
    def free(self) -> int:
        """How many more groups can start at once."""
        return self._place.slots - len(self._running)

    @property
    def slots(self) -> int:
        """How many groups can run at once."""
        return self._place.slots

    @property
    def running(self) -> set[str]:
        """Keys of the settings being evaluated."""
        return {setting.key for group in self._running.values() for setting in group}

    def submit(self, group: Sequence[Setting]) -> None:
        """Start evaluating a group."""
        settings = tuple(group)
        if self._executor is None:
            self._executor = self._place.open()
        try:
            self._running[self._executor.submit(self._evaluator, settings)] = settings
        except self._place.died as error:  # the pool is broken, and the lost groups have not been asked for yet
            lost: Future[list[Evaluation]] = Future()
            lost.set_exception(error)
            self._running[lost] = settings

    def finished(self) -> Iterator[list[Evaluation]]:
        """Wait until one group at least has finished, and yield what has.

        Raises:
            WorkerError: A worker died over a candidate, and died again when it was tried alone.
        """
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        lost: list[Group] = []
        for future in done:
            yield from self._take(future, lost)
        if lost:
            yield from self._recover(lost)

    def close(self) -> None:
        """Give up what still runs."""
        self._running.clear()
        self._place.close()

    def _take(self, future: Future[list[Evaluation]], lost: list[Group]) -> Iterator[list[Evaluation]]:
        group = self._running.pop(future)
        try:
            found = future.result()
        except self._place.died:
            lost.append(group)
        except self._place.gone as error:
            raise WorkerError(
                f"the workers are gone: {one_line(error) or type(error).__name__}; every finished evaluation is kept,"
                " so run the same command again"
            ) from error
        else:
            yield found

    def _recover(self, lost: list[Group]) -> Iterator[list[Evaluation]]:
        """Try every setting that was lost once more, each alone; what else was running is waited for first."""
        for future in list(self._running):
            yield from self._take(future, lost)
        alone = self._executor = self._place.open()
        for setting in (setting for group in lost for setting in group):
            try:
                found = alone.submit(self._evaluator, (setting,)).result()
            except self._place.died as error:
                raise WorkerError(
                    f"a worker died twice over candidate '{setting.key}' ({one_line(error) or 'no word from it'});"
                    " it may have run out of memory: give fewer --jobs; every finished evaluation is kept"
                ) from error
            yield found
