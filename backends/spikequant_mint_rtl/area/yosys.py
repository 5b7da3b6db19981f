"""Run scripts of the synthesis tool Yosys, from the package ``pyosys``, in a process of their own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

from spikequant.backend import Availability
from spikequant.build_cache import run_tool
from spikequant.errors import BackendError, one_line

REMEDY = "pip install 'spikequant[formal]'"

# Yosys ends its whole process at an error and prints to the process's own stdout: it gets another process.
# It hands the path of its temporary files to a shell, unquoted: they lie in the folder it works in.
_CHILD = """
import os, sys
from pyosys import libyosys
os.chdir(sys.argv[1])
libyosys.run_pass("script run.ys", libyosys.Design())
"""


def yosys_here() -> Availability:
    """Say whether pyosys is installed, without importing it."""
    if importlib.util.find_spec("pyosys") is None:
        return Availability(False, "the package pyosys is not installed", REMEDY)
    return Availability(True, f"Yosys of the package pyosys {yosys_version()}")


def yosys_version() -> str:
    """Return the version of the installed pyosys.

    Raises:
        BackendError: It is not installed; the message has the command that installs it.
    """
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError as error:
        raise BackendError(f"area needs the synthesis tool Yosys, which is not installed; {REMEDY}") from error


def run_yosys(folder: Path, script: str) -> str:
    """Run a script in ``folder`` and return what it printed.

    A script names files of that folder only: whoever calls this puts them there under names of its own, so that
    no path of the user's reaches Yosys, which splits scripts at blanks and semicolons.

    Args:
        folder: Holds every file the script reads; what it writes appears there.
        script: Yosys commands, one a line.

    Raises:
        BackendError: pyosys is missing, or the script failed; the message holds its error.
    """
    yosys_version()
    (folder / "run.ys").write_text(script)
    try:
        return run_tool([sys.executable, "-c", _CHILD, folder], {**os.environ, "TMPDIR": "."}, REMEDY)
    except BackendError as error:
        told = str(error)
        raise BackendError(
            f"Yosys: {one_line(told[told.find('ERROR: ') + 7 :])}" if "ERROR: " in told else told
        ) from error
