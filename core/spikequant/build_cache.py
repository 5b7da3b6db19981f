"""Libraries that are built on the user's machine: once per content, whole or not at all."""

from __future__ import annotations

import ctypes
import hashlib
import secrets
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import platformdirs
from filelock import FileLock

from spikequant.errors import BackendError

TOOL_TIMEOUT_S = 600
REMOVAL_TRIES = 50
REMOVAL_PAUSE_S = 0.1
ELF64 = b"\x7fELF\x02"
ELF_HEADER = 64


def build_cache(name: str) -> Path:
    """Return the folder in which what ``name`` builds is kept."""
    return Path(platformdirs.user_cache_dir("spikequant")) / name


def content_key(parts: Sequence[bytes | str]) -> str:
    """Return a name for some content: 32 hexadecimal digits that change with any part."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    return hashlib.sha256(b"\0".join(encoded)).hexdigest()[:32]


def make_once(folder: Path, target: Path, make: Callable[[Path], Path]) -> None:
    """Make ``target`` in a scratch folder and rename it into place, one process at a time.

    A second process that wants the same waits for the first. What a killed build left is removed by the next.

    Args:
        folder: The cache; made if it is missing.
        target: A file in it, named by its content.
        make: Gets an empty scratch folder and returns the file it made there.

    Raises:
        BackendError: The cache cannot be written, or ``make`` raised it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{target.name}.lock"):
            if target.exists():
                return
            for left in folder.glob(f"building-{target.stem}-*"):
                _remove(left)
            scratch = folder / f"building-{target.stem}-{secrets.token_hex(4)}"
            try:  # named before it is made: an interrupt between the two leaves nothing either
                scratch.mkdir(mode=0o700)
                make(scratch).replace(target)
            finally:
                _remove(scratch)
    except OSError as error:
        raise BackendError(
            f"the build cache {folder} cannot be used: {error}; free space or set XDG_CACHE_HOME"
        ) from error


def _remove(folder: Path) -> None:
    """Remove a scratch folder, also one in which the tools of a killed build still write.

    Those name their files by its path: under another name they find it no more, and end by themselves.
    """
    moved = folder.with_name(f"{folder.name}-left")
    with suppress(OSError):
        folder.rename(moved)
    for _ in range(REMOVAL_TRIES):
        shutil.rmtree(moved, ignore_errors=True)
        if not moved.exists():
            return
        time.sleep(REMOVAL_PAUSE_S)


def load_library(path: Path, what: str) -> ctypes.CDLL:
    """Load a library that was built here.

    Args:
        path: The library.
        what: What it is, for the message.

    Raises:
        BackendError: It is damaged. One that was cut short would otherwise end the process with a bus error.
    """
    try:
        check_whole(path)
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BackendError(f"{what} {path} does not load: {error}; delete it to build anew") from error


def check_whole(path: Path) -> None:
    """Raise ``OSError`` if an ELF library ends before its own table of sections does; others are not looked at."""
    with path.open("rb") as file:
        head = file.read(ELF_HEADER)
    if head[:5] != ELF64:
        return
    whole = len(head) == ELF_HEADER
    if whole:
        (start,), (size, count) = struct.unpack_from("<Q", head, 40), struct.unpack_from("<HH", head, 58)
        whole = path.stat().st_size >= start + size * count
    if not whole:
        raise OSError("the file was cut short")


def run_tool(command: Sequence[str | Path], environment: Mapping[str, str] | None = None, remedy: str = "") -> str:
    """Run a compiler or translator to its end and return its output.

    Args:
        command: The program and its arguments.
        environment: Its environment; default this process's.
        remedy: What to do if it does not even start.

    Raises:
        BackendError: It could not start, failed or hung; the message holds the end of its output.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            [str(word) for word in command],
            env=environment if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{name} did not end within {TOOL_TIMEOUT_S} s; is the machine overloaded?") from error
    except OSError as error:
        raise BackendError(f"{name} did not start: {error}; {remedy or 'reinstall it'}") from error
    if done.returncode:
        raise BackendError(f"{name} failed with exit code {done.returncode}: {done.stdout.strip()[-2000:]}")
    return done.stdout
