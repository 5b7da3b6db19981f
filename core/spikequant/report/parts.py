"""What a section of a report is made of, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plot = tuple[str, str, "Callable[[], Figure]"]
"""Name of a plot's file, its caption, and what draws it."""


@dataclass(frozen=True)
class Table:
    """A table of texts; ``marked`` is the row that was chosen, ``folded`` hides it until it is asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    marked: int | None = None
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """One section: words, plots (each drawn by a function, under the name of its file) and tables."""

    name: str
    title: str
    words: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A section for which nothing was computed yet, and the command that does."""

    title: str
    command: str
