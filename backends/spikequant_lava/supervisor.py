"""Run the runner as one supervised process group that never hangs and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from spikequant.errors import BackendError

RUNNER = Path(__file__).with_name("runner")
GRACE_SECONDS = 5.0
LOG_LINES = 15
SHORT = "/tmp"
LONGEST = 60
"""Python puts a socket into its temporary folder, and the path of a socket has 107 bytes at most."""
LEAST_FREE = 1 << 20
"""Bytes left on a disk that is as good as full."""
SHARED_MEMORY = Path("/dev/shm")
BLAME = "ImplementationError: "
QUIET = "ignore::UserWarning:multiprocessing.resource_tracker"  # it says so when it removes shared memory


def run_job_file(python: Path, job: Path, result: Path, timeout_s: float, runner: Path = RUNNER) -> None:
    """Run one job in the isolated interpreter and wait for its result.

    The runner gets a session of its own and a pipe on standard input, which it watches: when this process
    dies, however it dies, the pipe closes and the runner ends its group. Whatever happens here, an
    interrupt included, the group is ended before this function returns.

    Args:
        python: Interpreter that has Lava.
        job: The job file.
        result: Where the runner puts the result.
        timeout_s: Seconds after which the run counts as hung.
        runner: Folder that holds the package ``lava_job``.

    Raises:
        BackendError: The run failed, was killed, or timed out; the last lines of its log are quoted.
    """
    log = result.with_suffix(".log")
    started = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(python), "-s", "-W", QUIET, "-m", "lava_job", str(job), str(result)],
            cwd=runner,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code: int | None = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        end_group(process)
    if code == 0 and result.exists():
        return
    seconds = time.monotonic() - started
    full = _full(result.parent)
    story = f"exceeded {timeout_s:.0f} s" if code is None else f"ended with {_ending(code)} after {seconds:.1f} s"
    raise BackendError(f"{_blame(log)}the Lava run {story}{full}; the end of its log:\n{_last_lines(log)}")


def clean_environment() -> dict[str, str]:
    """Return our environment without what would change the isolated interpreter."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    short = {"TMPDIR": SHORT} if len(tempfile.gettempdir()) > LONGEST and os.access(SHORT, os.W_OK) else {}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", **short}


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End every process of the group that ``process`` leads: SIGTERM, some seconds, then SIGKILL.

    SIGTERM comes first because Python's resource tracker ignores it and so removes the shared memory; SIGCONT
    follows, since a stopped process takes no SIGTERM. What SIGKILL leaves of the shared memory is removed here.
    """
    segments: set[Path] = set()
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if _gone(process, 0.0):
            break
        segments = _segments(process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
            os.killpg(process.pid, signal.SIGCONT)
        if _gone(process, GRACE_SECONDS):
            break
    process.wait()
    if process.stdin is not None:
        process.stdin.close()  # not before: the runner removes the job's files when nobody holds the other end
    for segment in segments:
        segment.unlink(missing_ok=True)


def _segments(group: int) -> set[Path]:
    """The shared memory of Python's that processes of ``group`` have mapped, where the system tells."""
    found: set[Path] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if _state(stat)[1] != group:
            continue
        with contextlib.suppress(OSError):
            lines = stat.with_name("maps").read_text(errors="replace").splitlines()
            found |= {Path(line[line.index("/") :]) for line in lines if f"{SHARED_MEMORY}/psm_" in line}
    return {segment for segment in found if segment.parent == SHARED_MEMORY}


def _full(folder: Path) -> str:
    """Say so if the disk of ``folder`` has nothing left."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    if free >= LEAST_FREE:
        return ""
    return f", and the disk of {folder} is full ({free:,} bytes left; free some, or set TMPDIR to another folder)"


def _gone(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether no process of the group runs any more, waiting up to ``seconds`` for that."""
    deadline = time.monotonic() + seconds
    while True:
        process.poll()
        if not _alive(process.pid):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)


def _alive(group: int) -> bool:
    """Whether a process of ``group`` runs; a dead one that nobody has waited for yet does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS refuses permission on a group of dead ones
        return False
    stats = Path("/proc").glob("[0-9]*/stat")
    states = [_state(stat) for stat in stats] if Path("/proc/self/stat").exists() else [("?", group)]
    return any(member == group and state not in "ZX" for state, member in states)


def _state(stat: Path) -> tuple[str, int]:
    """State and process group in a ``/proc/PID/stat``; the name before them may hold anything but is in brackets."""
    try:
        fields = stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return fields[0], int(fields[2])


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _blame(log: Path) -> str:
    """What a plugin's implementation did wrong, if that is what the log tells."""
    said = [line.partition(BLAME)[2] for line in log.read_text(errors="replace").splitlines() if BLAME in line]
    return f"{said[-1]}; " if said else ""


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join(f"  {line}" for line in lines) if lines else "  (empty)"
