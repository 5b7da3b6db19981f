"""The isolated interpreter: a private virtual environment with lava-nc, made once per user.

Lava cannot share our process (docs/lava.md), so it gets a Python of its own. Each build lives in a folder
with a fresh name; ``current.json``, replaced atomically when all is installed and tested, says which
one counts. Whatever is interrupted before that leaves a folder that nothing points to.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import platformdirs

from spikequant import Availability
from spikequant.errors import BackendError, UsageError
from spikequant_lava.supervisor import clean_environment

PINS = ("numpy==1.26.4", "scipy==1.15.3", "networkx==2.8.7", "asteval==0.9.33")
LAVA = "lava-nc==0.10.0"
LAVA_SHA256 = "d646723e888a72868dac77d31beee3eef1f540366a8c1a8578a2dc3302470926"
PYTHONS = ((3, 10), (3, 11), (3, 12))
HOME_VARIABLE = "SPIKEQUANT_LAVA_HOME"
PREFIX = "lava-nc-0.10.0-"
REMEDY = "run 'spikequant lava setup'"
Say = Callable[[str], None]
Check = Callable[[Path], None]


@dataclass(frozen=True)
class Environment:
    """A complete environment.

    Attributes:
        folder: Where it is.
        base: The interpreter that it was made with.
        version: Python's version.
        pins: Fingerprint of the packages installed.
    """

    folder: str
    base: str
    version: str
    pins: str

    @property
    def python(self) -> Path:
        """The interpreter that has Lava."""
        return Path(self.folder, "bin", "python")


def home() -> Path:
    """Folder that holds environments: ``$SPIKEQUANT_LAVA_HOME``, or ``lava`` in the user's data directory."""
    given = os.environ.get(HOME_VARIABLE)
    return Path(given).absolute() if given else platformdirs.user_data_path("spikequant") / "lava"


def fingerprint() -> str:
    """Identify what is installed; another release with other pins makes its own environment.

    >>> len(fingerprint())
    12
    """
    return hashlib.sha256("\n".join((*PINS, LAVA, LAVA_SHA256)).encode()).hexdigest()[:12]


def recorded() -> Environment | None:
    """Return the environment that the record names, usable or not."""
    try:
        data = json.loads(_record().read_text())
        return Environment(**data)
    except (OSError, ValueError, TypeError):
        return None


def availability() -> Availability:
    """Say whether a complete environment with our pins is here, and what to do if not."""
    found = recorded()
    if found is None:
        return Availability(False, f"no Lava environment in {home()}", REMEDY)
    if found.pins != fingerprint():
        return Availability(False, f"the Lava environment {found.folder} holds other versions", REMEDY)
    if not found.python.exists():
        return Availability(False, f"the Lava environment's interpreter {found.python} is gone", REMEDY)
    return Availability(True, f"lava-nc 0.10.0 on Python {found.version} in {found.folder}")


def current() -> Environment:
    """Return the environment.

    Raises:
        BackendError: There is none.
    """
    state, found = availability(), recorded()
    if not state.ready or found is None:
        raise BackendError(f"Lava is not set up: {state.detail}; {state.remedy}")
    return found


def setup(python: Path | None = None, *, force: bool = False, check: Check | None = None, say: Say = print) -> bool:
    """Make the environment if it is missing; two processes may do so at once.

    Args:
        python: Interpreter to build on, 3.10 to 3.12; default: the one running.
        force: Build anew even if a complete environment is there.
        check: Called with the new interpreter before the environment counts; raises to reject it.
        say: Where progress goes.

    Returns:
        Whether something was built.

    Raises:
        UsageError: ``python`` cannot be used.
        BackendError: Making or installing failed, or the check did.
    """
    base, version = _interpreter(python)
    home().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(home() / "setup.lock"):
        found = recorded()
        if availability().ready and found is not None and not force and (python is None or base == found.base):
            return False
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home()))
        try:
            made = Environment(str(folder), base, version, fingerprint())
            _install(made, say)
            if check is not None:
                say("testing it on Lava")
                check(made.python)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        partial = _record().with_suffix(".part")
        partial.write_text(json.dumps(asdict(made), indent=2))
        partial.replace(_record())
        _remove_others(folder)
    return True


def _record() -> Path:
    return home() / "current.json"


def _interpreter(python: Path | None) -> tuple[str, str]:
    """Return the path and version of an interpreter that Lava runs on."""
    base = str(python if python is not None else sys.executable)
    command = [base, "-c", "import platform, sys, venv; print(platform.python_version(), sys.executable)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    except OSError as error:
        raise UsageError(f"{base} cannot be started ({error.strerror}); give --python an interpreter") from error
    version, _, real = done.stdout.strip().partition(" ")
    if done.returncode or not real:
        raise UsageError(f"{base} is no Python with venv ({done.stderr.strip()}); give --python one that has it")
    if tuple(map(int, version.split(".")[:2])) not in PYTHONS:
        raise UsageError(f"{base} is Python {version}; Lava runs on 3.10, 3.11 and 3.12, so give one with --python")
    return real, version


def _install(made: Environment, say: Say) -> None:
    """Create the environment; lava-nc comes apart, because its metadata forbid every Python but 3.10."""
    say(f"making a Python {made.version} environment in {made.folder}")
    _run([made.base, "-m", "venv", made.folder])
    say(f"installing {', '.join(PINS)}")
    pip = [str(made.python), "-m", "pip", "install", "--quiet", "--no-input", "--only-binary=:all:"]
    _run([*pip, *PINS])
    say(f"installing {LAVA} by its sha256")
    wanted = Path(made.folder, "lava.txt")
    wanted.write_text(f"{LAVA} --hash=sha256:{LAVA_SHA256}\n")
    _run([*pip, "--no-deps", "--ignore-requires-python", "--require-hashes", "-r", str(wanted)])


def _run(command: Sequence[str]) -> None:
    """Run one step; pip keeps the user's own index settings."""
    dropped = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_CONSTRAINT", "PIP_REQUIREMENT")
    env = {key: value for key, value in clean_environment().items() if key not in dropped}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env)
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-15:])
        raise BackendError(f"'{' '.join(command)}' failed with exit code {done.returncode}:\n{tail}")


def _remove_others(kept: Path) -> None:
    """Remove earlier environments and what interrupted setups left; the caller holds the lock."""
    for folder in home().glob(f"{PREFIX}*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)
