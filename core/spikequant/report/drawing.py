"""Figures without global state, and the same bytes from the same values every time.

Nothing here touches pyplot. Text in figures comes from files and is never read as mathematics.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikequant.errors import UsageError
from spikequant.files import reason, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = "DejaVu Sans"
"""Comes with matplotlib, so that plots are the same on every machine."""
INK = "#26282b"
"""Colour of text and axes; pages replace it by their own text colour."""
QUIET = "#8a8d91"
"""Colour of grids and reference lines, readable on light and on dark paper."""
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Colours that colour-blind readers can tell apart.

Source: Okabe and Ito, Color Universal Design (2008).
"""
STYLE: dict[str, Any] = {
    "font.family": FONT,
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": QUIET,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "svg.hashsalt": "spikequant",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK
    ),
}
DPI = 150


def new_figure(
    rows: int, columns: int, *, width: float = 7.5, height: float = 3.2, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure and its axes, row by row.

    Args:
        rows: Rows of axes.
        columns: Columns of axes.
        width: Of the figure, in inches.
        height: Of one row, in inches.
        shared: ``sharex`` and ``sharey``, as matplotlib takes them.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **shared)
    return figure, list(axes.flat)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in our style, whatever the user's configuration of matplotlib says.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        from matplotlib import style
    except ImportError as error:
        raise UsageError(
            f"plots need matplotlib, which did not load ({error}); install it with pip install 'spikequant[report]'"
        ) from error
    with style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def label(text: object, limit: int = 60) -> str:
    r"""Return words from a file as matplotlib shows them unchanged: on one line, never as mathematics.

    >>> label("a$b$\nc")
    'a\\$b\\$ c'
    """
    line = "".join(char if char.isprintable() else " " for char in str(text))
    short = line if len(line) <= limit else line[: limit - 3] + "..."
    return short.replace("$", r"\$")


def svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file; equal figures give equal text."""
    content = io.StringIO()
    with styled():
        _settle(figure)
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG on white, 150 dots an inch; equal figures give equal bytes."""
    content = io.BytesIO()
    with styled():
        _settle(figure)
        figure.savefig(content, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return content.getvalue()


def _settle(figure: Figure) -> None:
    """Lay a figure out once: laid out at every drawing, it would differ a little each time."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the kind of file its name ends on: ``.svg`` or ``.png``.

    Raises:
        UsageError: The name ends on something else, or the file cannot be written.
    """
    kinds = {".svg": lambda: svg(figure).encode("utf-8"), ".png": lambda: png(figure)}
    check_plot_name(path)
    try:
        with replacing(path) as partial:
            partial.write_bytes(kinds[path.suffix.lower()]())
    except OSError as error:
        raise UsageError(f"plot {path} cannot be written: {reason(error)}; give another file") from error


def check_plot_name(path: Path) -> None:
    """Raise unless ``path`` names a kind of plot file that :func:`save_figure` writes.

    Raises:
        UsageError: It ends on something else.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"plot {path} ends on {path.suffix or 'nothing'!r}; give a name that ends on .svg or .png")
