"""The contract of an exporter: something that writes a program and its expected trace for other people's tools."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.files import reason
from spikequant.program import Program


class Exporter(ABC):
    """Writes folders for a tool that does not know spikequant: a simulator, a synthesis flow, a firmware build.

    Core makes the folder and moves it into place when all of it is written, see :func:`export_to`; an exporter
    only fills it. Options are those of the constructor.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""

    @abstractmethod
    def export(self, program: Program, inputs: NDArray[Any], folder: Path) -> Sequence[str]:
        """Write everything into an empty folder.

        Args:
            program: What to export.
            inputs: Samples to go with it, as :func:`spikequant.oracle.run_oracle` takes them.
            folder: Exists, is empty, and is not where the files end up: write no path of it anywhere.

        Returns:
            Lines that say what was written and what was checked, for people.

        Raises:
            RefusedError: The program cannot be exported like this.
            BackendError: A tool that the exporter needs is missing or failed.
        """


def export_to(exporter: Exporter, program: Program, inputs: NDArray[Any], target: Path) -> Sequence[str]:
    """Export into the folder ``target``, which appears whole or not at all.

    Args:
        exporter: Writes the files.
        program: What to export.
        inputs: Samples to go with it.
        target: Missing, or an empty folder.

    Raises:
        UsageError: Something is at ``target``, or nothing can be written there.
    """
    check_target(target)
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name}-") as scratch:
            inside = Path(scratch) / "folder"  # the scratch folder itself is private to us (mode 700); this one is not
            inside.mkdir()
            lines = exporter.export(program, inputs, inside)
            if target.exists():
                target.rmdir()
            inside.replace(target)
    except OSError as error:
        raise UsageError(f"folder {target} cannot be written: {reason(error)}; give another") from error
    return lines


def check_target(target: Path) -> None:
    """Raise before anything is run if a folder ``target`` cannot be made; folders above it that are missing can.

    Raises:
        UsageError: Something is there, or nothing can be written there.
    """
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UsageError(f"{target} exists and is no empty folder; delete it or give another")
    parent = target.absolute().parent
    while not os.path.lexists(parent):
        parent = parent.parent
    try:
        shutil.rmtree(tempfile.mkdtemp(dir=parent, prefix=f".{target.name}-"))
    except OSError as error:
        raise UsageError(f"folder {target} cannot be written: {reason(error)}; give another") from error
