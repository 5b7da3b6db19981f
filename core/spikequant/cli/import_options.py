"""What ``import``, ``inspect`` and ``run`` share: options of importers, and how findings are told."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from spikequant.cli.common import messages
from spikequant.errors import UsageError
from spikequant.importer import Finding, Importer
from spikequant.importing import find_importer, has_profile

Function = TypeVar("Function", bound=Callable[..., Any])

WARNED = ("assumed", "ambiguous")
NAMES = ("dt", "reset", "reset_delay", "repair", "timesteps")


def import_options(function: Function) -> Function:
    """Add the options that every importer may know; :func:`taken` collects them."""
    options = (
        click.option("--importer", help="Who reads the file; default: the one that claims it."),
        click.option("--dt", type=float, help="Duration of one timestep in seconds."),
        click.option("--reset", type=click.Choice(["zero", "subtract", "to-value"]), help="What a spike does to V."),
        click.option("--reset-delay", type=click.IntRange(0, 1), help="1: the reset acts in the next timestep."),
        click.option("--repair", is_flag=True, help="Mend what can be mended safely, and say what."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def taken(words: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the options of an importer: those of its own names that were given, and ``others``.

    Raises:
        UsageError: One is given both ways.
    """
    given = {name: words[name] for name in NAMES if words.get(name) is not None and words[name] is not False}
    for name in given:
        if name in (others or {}):
            raise UsageError(f"'{name}' is given by {word_of(name)} and by --option; give it once")
    return {**given, **(others or {})}


def importer_for(path: Path, name: str | None, options: Mapping[str, Any]) -> Importer:
    """Return the importer of a file, see :func:`~spikequant.importing.find_importer`."""
    return find_importer(path, options, name)


def word_of(name: str) -> str:
    """Return an option as it is typed.

    >>> word_of("reset_delay")
    '--reset-delay'
    """
    return f"--{name.replace('_', '-')}"


def note_profile(path: Path) -> None:
    """Say so if a file is a program of our own, of which an importer sees the half in floats."""
    if has_profile(path):
        messages.print(
            "note: the file has a quantization profile; 'run' and 'verify' take its integers; this is its float half"
        )


def timed(words: Mapping[str, Any], timesteps: int | None, known: frozenset[str]) -> dict[str, Any]:
    """Return ``words`` with a number of timesteps, where the importer has such an option."""
    return {**words, "timesteps": timesteps} if "timesteps" in known else dict(words)


def known_options(path: Path, name: str | None) -> frozenset[str]:
    """Return the names of the options of a file's importer."""
    return frozenset(inspect.signature(type(importer_for(path, name, {}))).parameters)


def tell(findings: Sequence[Finding]) -> None:
    """Print one line per finding on stderr, as a warning where something was assumed or can be read two ways."""
    for finding in findings:
        where = f"node '{finding.node}': " if finding.node else ""
        word = "warning" if finding.level in WARNED else finding.level
        messages.print(f"{word}: {where}{finding.text}", highlight=False)


def as_data(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return findings as plain data."""
    return [asdict(finding) for finding in findings]
