"""Watch the client and Lava's processes, and end the whole process group when either is lost.

Lava hangs for ever when one of its processes raises or dies, and leaves processes and shared memory
behind when the main one is killed. SIGTERM to the *group* is clean: Python's resource tracker ignores
it, outlives the others and removes the shared memory.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from typing import Any, NoReturn

POLL_SECONDS = 0.2


class Supervision(threading.Thread):
    """A thread that reads standard input, which the client keeps open as long as it lives."""

    def __init__(self) -> None:
        super().__init__(name="supervision", daemon=True)
        self._actors: list[Any] = []
        self._lock = threading.Lock()
        self._client = os.getppid()

    def guard(self, actors: list[Any]) -> None:
        """From now on treat the end of any of Lava's processes as a failure."""
        with self._lock:
            self._actors = actors

    def release(self) -> None:
        """From now on Lava's processes may end."""
        with self._lock:
            self._actors = []

    def report(self) -> None:
        """Print the tracebacks that Lava's processes sent home: Lava itself only counts them."""
        with self._lock:
            for actor in self._actors:
                if actor.exception is not None:
                    sys.stderr.write(actor.exception[1])

    def run(self) -> None:
        """Poll until the process ends."""
        while True:
            # os.read, not sys.stdin: a buffer lock held while Lava forks would block every child.
            readable, _, _ = select.select([0], [], [], POLL_SECONDS)
            if (readable and not os.read(0, 1)) or os.getppid() != self._client:
                end_group("the client is gone")
            with self._lock:
                for actor in self._actors:
                    if not actor.is_alive():
                        end_group(self._story(actor))

    @staticmethod
    def _story(actor: Any) -> str:
        """What is known of a process that ended: the traceback it sent, or its exit code."""
        if actor.exception is not None:
            return str(actor.exception[1])
        return f"a process of Lava ended with exit code {actor.exitcode} in the middle of the run"


def end_group(reason: str) -> NoReturn:
    """Print ``reason`` and send SIGTERM to every process of the job, this one included."""
    sys.stderr.write(reason.rstrip() + "\n")
    sys.stderr.flush()
    os.killpg(os.getpgrp(), signal.SIGTERM)
    os._exit(1)
