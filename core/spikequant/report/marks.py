"""What several plots share: colours of roundings, one legend for all axes, axes of precision levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from spikequant.report.drawing import INK, PALETTE, QUIET, label
from spikequant.report.precision import FLOAT_LEVEL, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {"TR": PALETTE[1], "RN": PALETTE[0], "SR": PALETTE[2]}
MARKERS = {"TR": "^", "RN": "o", "SR": "s"}
Item = TypeVar("Item")


def draw_levels(ax: Axes, levels: Sequence[int], lines: Sequence[Line], float_accuracy: float | None) -> None:
    """Draw accuracies in % at levels, the finest on the left; markers are hollow, so that none hides another."""
    places = {level: place for place, level in enumerate(levels)}
    if float_accuracy is not None:
        ax.axhline(100 * float_accuracy, color=QUIET, linestyle="--", linewidth=1, label="FP32 accuracy")
    for line in lines:
        ax.plot(
            [places[level] for level, _ in line.points],
            [100 * accuracy for _, accuracy in line.points],
            color=COLORS.get(line.rounding, INK),
            marker=MARKERS.get(line.rounding, "x"),
            markerfacecolor="none",
            markersize=5,
            linewidth=1.2,
            label=label(line.rounding),
        )
    ax.set_xticks(range(len(levels)), ["FP32" if level == FLOAT_LEVEL else str(level) for level in levels])
    ax.set_xlabel("fraction bits (of INTn: bits)")
    place = ax.get_subplotspec()
    if place is None or place.is_first_col():
        ax.set_ylabel("accuracy (%)")


def one_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Put one legend for all axes under the figure."""
    handles = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    if handles:
        columns = min(5, len(handles))
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)


def paired(axes: Sequence[Axes], items: Sequence[Item]) -> Iterator[tuple[Axes, Item]]:
    """Yield each item with its axes, and hide the axes that are left."""
    yield from zip(axes, items, strict=False)
    for ax in axes[len(items) :]:
        ax.set_visible(False)
