"""Watch the client and Lava's processes, and end the whole process group when either is lost.

Lava hangs for ever when one of its processes raises or dies, and leaves processes and shared memory
behind when the main one is killed. SIGTERM to the *group* is clean: Python's resource tracker ignores
it, outlives the others and removes the shared memory.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

POLL_SECONDS = 0.2
GRACE_SECONDS = 3.0
JOB_FOLDER = "spikequant-lava-"


class Supervision(threading.Thread):
    """A thread that reads standard input, which the client keeps open as long as it lives.

    Args:
        folder: The job's folder, removed when the client is gone.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(name="supervision", daemon=True)
        self._folder = folder
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
            sys.stderr.writelines(self._tracebacks())

    def run(self) -> None:
        """Poll until the process ends."""
        while True:
            # os.read, not sys.stdin: a buffer lock held while Lava forks would block every child.
            readable, _, _ = select.select([0], [], [], POLL_SECONDS)
            if (readable and not os.read(0, 1)) or os.getppid() != self._client:
                if self._folder.name.startswith(JOB_FOLDER):
                    shutil.rmtree(self._folder, ignore_errors=True)  # nobody else is left to do it
                end_group("the client is gone")
            with self._lock:
                codes = [self._exit_code(actor) for actor in self._actors]
                ended = [code for code in codes if code is not None]
                if ended or self._tracebacks():
                    end_group(self._story(max(ended, key=abs, default=0)))

    @staticmethod
    def _exit_code(actor: Any) -> int | None:
        """Exit code of a process that has ended; none of one that Lava has joined and closed."""
        try:
            code: int | None = actor.exitcode
        except ValueError:
            return None
        return code

    def _tracebacks(self) -> list[str]:
        """What Lava's processes raised."""
        found = []
        for actor in self._actors:
            try:
                raised = actor.exception
            except (OSError, EOFError):  # Lava is joining it in this moment, and reads the pipe itself
                continue
            if raised is not None:
                found.append(str(raised[1]))
        return found

    def _story(self, code: int) -> str:
        """What is known: a traceback that some process sent, or the exit code of the one that ended.

        A process that raises tells Lava's own service first, which then ends quietly and may be found before it.
        """
        deadline = time.monotonic() + GRACE_SECONDS
        while True:
            tracebacks = self._tracebacks()
            if tracebacks:
                return tracebacks[0]
            if code or time.monotonic() > deadline:
                return f"a process of Lava ended with exit code {code} in the middle of the run"
            time.sleep(POLL_SECONDS / 10)


def end_group(reason: str) -> NoReturn:
    """Print ``reason`` and send SIGTERM to every process of the job, this one included."""
    sys.stderr.write(reason.rstrip() + "\n")
    sys.stderr.flush()
    os.killpg(os.getpgrp(), signal.SIGTERM)
    os._exit(1)
