"""The plots of an energy study: by layer, by batch, sparsity, timesteps.

Every function takes a sheet and returns a figure on which the sheet's energy table and assumptions are written, as no
figure of energy is shown without them. It raises ``UsageError`` where matplotlib is not installed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from spikequant.energy.breakdown import WORK
from spikequant.energy.sheet import Cell, Kind, Sheet
from spikequant.energy.sheets import ALL, LINEAR, MEAN, RELATIVE
from spikequant.errors import UsageError
from spikequant.report.drawing import PALETTE, QUIET, label, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 128
"""Characters on one line under a figure."""
LINE = 0.125
"""Height of such a line in inches."""


def energy_figure(sheet: Sheet) -> Figure:
    """Draw a sheet.

    Raises:
        UsageError: There is no plot for its kind, or it has no rows.
    """
    if sheet.kind not in _DRAWN:
        raise UsageError(f"sheet '{sheet.title}' ({sheet.kind}) has no plot; print it as a table")
    if not sheet.rows:
        raise UsageError(f"sheet '{sheet.title}' has no row, so there is nothing to draw; count a run that does work")
    figure = _DRAWN[sheet.kind](sheet)
    with styled():
        figure.supxlabel("\n".join(_said(sheet)), x=0.01, ha="left", fontsize=6.5, linespacing=1.3)
    return figure


def drawn(sheet: Sheet) -> bool:
    """Whether :func:`energy_figure` draws sheets like this."""
    return sheet.kind in _DRAWN and bool(sheet.rows)


def _said(sheet: Sheet) -> list[str]:
    """What must be said about the figures, in lines that fit under the plot."""
    texts = (label(words, limit=len(words)) for words in sheet.said)
    return [line for text in texts for line in textwrap.wrap(text, ACROSS, subsequent_indent="    ")]


def _panels(sheet: Sheet, columns: int, height: float, **shared: bool) -> tuple[Figure, list[Axes]]:
    return new_figure(1, columns, height=height + LINE * len(_said(sheet)) + 0.3, **shared)


def _layers(sheet: Sheet) -> Figure:
    """Source: MINT, Fig. 5 (left), by layer."""
    rows = [row for row in _records(sheet) if row["layer"] != "total"]
    names = list(dict.fromkeys(_text(row["layer"]) for row in rows))[::-1]
    subjects = list(dict.fromkeys(_text(row["of"]) for row in rows))
    figure, axes = _panels(sheet, len(subjects), 0.8 + 0.22 * len(names), sharey=True)
    with styled():
        for ax, subject in zip(axes, subjects, strict=True):
            own = {_text(row["layer"]): row for row in rows if row["of"] == subject}
            stacks: dict[str, list[float]] = {
                work: [_number(own[name][work]) if name in own else 0.0 for name in names] for work in WORK
            }
            _stack(ax, [label(name, 24) for name in names], stacks)
            ax.set_title(label(subject))
            ax.set_xlabel("pJ per sample")
        _legend_above(figure, axes)
    return figure


def _memory(sheet: Sheet) -> Figure:
    """Source: MINT, Fig. 9 (right)."""
    rows = _records(sheet)
    places = list(dict.fromkeys(_text(row["accounting"]) for row in rows))
    figure, axes = _panels(sheet, len(places), 1.9, sharey=True)
    with styled():
        for ax, place in zip(axes, places, strict=True):
            own = [row for row in rows if row["accounting"] == place][::-1]
            stacks = {kind: [_number(row[kind]) for row in own] for kind in ("W", "U", "S", "other")}
            _stack(ax, [f"batch {row['batch']}" for row in own], stacks)
            ax.set_title(label(place))
            ax.set_xlabel("pJ per sample")
        _legend_above(figure, axes)
    return figure


def _sparsity(sheet: Sheet) -> Figure:
    """Source: MINT, Fig. 8 (left)."""
    rows = {_text(row["layer"]): _number(row["zeros"]) for row in _records(sheet)}
    names = [name for name in rows if name not in (MEAN, ALL)][::-1]
    figure, (ax,) = _panels(sheet, 1, 0.8 + 0.22 * len(names))
    with styled():
        ax.barh([label(name, 40) for name in names], [100 * rows[name] for name in names], color=PALETTE[0], height=0.7)
        if MEAN in rows:
            mean = 100 * rows[MEAN]
            ax.axvline(mean, color=PALETTE[5], linewidth=1.2, label=f"{MEAN}: {mean:.1f} %")
        ax.set(xlabel="zeros (%)", xlim=(0, 100))
        ax.grid(visible=False, axis="y")
        _legend_above(figure, [ax])
    return figure


def _timesteps(sheet: Sheet) -> Figure:
    """Source: MINT, Fig. 9 (left)."""
    steps = [_number(cell) for cell in sheet.column("timesteps")]
    accuracy = [cell for cell in sheet.column("accuracy") if cell is not None]
    figure, axes = _panels(sheet, 2 if accuracy else 1, 2.2)
    with styled():
        axes[0].plot(steps, _numbers(sheet.column(LINEAR)), color=QUIET, linestyle="--", label="linear")
        relative = [column.name for column in sheet.columns if column.name.endswith(RELATIVE)]
        for number, name in enumerate(relative):
            shown = label(name.removesuffix(RELATIVE))
            axes[0].plot(
                steps, _numbers(sheet.column(name)), color=PALETTE[number], marker="o", mfc="none", label=shown
            )
        axes[0].set(xlabel="timesteps", ylabel="computation energy, relative")
        if accuracy:
            axes[1].plot(
                steps, [100 * value for value in _numbers(sheet.column("accuracy"))], color=PALETTE[2], marker="s"
            )
            axes[1].set(xlabel="timesteps", ylabel="accuracy (%)")
        _legend_above(figure, axes[:1])
    return figure


_DRAWN: Mapping[Kind, Callable[[Sheet], Figure]] = {
    "layers": _layers,
    "memory": _memory,
    "sparsity": _sparsity,
    "timesteps": _timesteps,
}


def _stack(ax: Axes, names: Sequence[str], stacks: Mapping[str, Sequence[float]]) -> None:
    """Draw one bar for each name, put together from parts; a part that is nothing everywhere is left out."""
    places = range(len(names))
    left = [0.0] * len(names)
    for number, (part, sizes) in enumerate(stacks.items()):
        if any(sizes):
            ax.barh(places, sizes, left=left, height=0.7, color=PALETTE[number % len(PALETTE)], label=part)
            left = [start + size for start, size in zip(left, sizes, strict=True)]
    ax.set_yticks(places, list(names))
    ax.grid(visible=False, axis="y")
    ax.ticklabel_format(axis="x", scilimits=(-3, 4))


def _legend_above(figure: Figure, axes: Iterable[Axes]) -> None:
    """Put one legend for all axes over the figure: below it stands what was assumed."""
    handles = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    if handles:
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=min(6, len(handles)))


def _records(sheet: Sheet) -> list[dict[str, Cell]]:
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


def _numbers(cells: Iterable[Cell]) -> list[float]:
    return [_number(cell) for cell in cells]


def _number(cell: Cell) -> float:
    return float("nan") if cell is None or isinstance(cell, str) else float(cell)


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)
