"""The plots of an exploration: accuracy against memory, and against bits.

Every function takes plain values and returns a figure, to be shown or saved with
:mod:`spikequant.report.drawing`; it raises ``UsageError`` where matplotlib is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spikequant.errors import UsageError
from spikequant.explore.evaluation import Evaluation
from spikequant.report.drawing import INK, PALETTE, QUIET, label, new_figure, styled
from spikequant.report.marks import COLORS, MARKERS, draw_levels, one_legend, paired
from spikequant.report.precision import precision_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLOSE_POINTS = 5.0
"""Points of accuracy below the best within which candidates are shown enlarged."""


def accuracy_memory_plot(
    evaluations: Sequence[Evaluation],
    front: Sequence[int],
    chosen: int | None = None,
    float_accuracy: float | None = None,
) -> Figure:
    """Draw accuracy against memory: every candidate, the true Pareto front, and the choice.

    Source: Q-SpiNN, Fig. 12. Where some candidates are far below the best, a second panel shows those
    within 5 points of it.

    Args:
        evaluations: What was explored.
        front: Indices of the Pareto front, smallest memory first.
        chosen: Index of the selected candidate.
        float_accuracy: Of the FP32 model, in [0, 1].
    """
    best = max(e.accuracy for e in evaluations)
    far = any(100 * (best - e.accuracy) > CLOSE_POINTS for e in evaluations)
    figure, axes = new_figure(1, 1 + far, height=3.6)
    with styled():
        for number, ax in enumerate(axes):
            _candidates(ax, evaluations, front, chosen)
            if float_accuracy is not None:
                ax.axhline(100 * float_accuracy, color=QUIET, linestyle="--", linewidth=1, label="FP32 accuracy")
            ax.set(xlabel="memory relative to FP32", ylabel="accuracy (%)", title="all candidates")
            if number:
                _enlarge(ax, [e for e in evaluations if 100 * (best - e.accuracy) <= CLOSE_POINTS])
        one_legend(figure, axes[:1])
    return figure


def precision_plot(evaluations: Sequence[Evaluation], float_accuracy: float | None = None) -> Figure:
    """Draw accuracy against bits per quantity and rounding, each group of quantities alone and all together.

    Source: Q-SpiNN, Figs. 10 and 11.

    Args:
        evaluations: What was explored.
        float_accuracy: Of the FP32 model, in [0, 1].

    Raises:
        UsageError: No quantity was evaluated at two levels.
    """
    panels = precision_panels(evaluations)
    if not panels:
        raise UsageError("no quantity was evaluated at two levels, so there is no accuracy against bits; explore more")
    approaches = {panel.approach for panel in panels}
    columns = min(2, len(panels)) if len(approaches) == 1 else len(approaches)
    figure, axes = new_figure(-(-len(panels) // columns), columns, height=2.8, sharey=True)
    with styled():
        for ax, panel in paired(axes, panels):
            draw_levels(ax, panel.levels, panel.lines, float_accuracy)
            ax.set_title(label(f"{panel.approach}: {panel.title}"))
        one_legend(figure, axes[: len(panels)])
    return figure


def _candidates(ax: Axes, evaluations: Sequence[Evaluation], front: Sequence[int], chosen: int | None) -> None:
    groups: dict[tuple[str, str], list[Evaluation]] = {}
    for e in evaluations:
        key = ("FP32", "") if e.setting.is_float else (e.setting.approach, e.setting.rounding.value)
        groups.setdefault(key, []).append(e)
    for (approach, rounding), members in sorted(groups.items()):
        color = COLORS.get(rounding, INK)
        ax.scatter(
            [e.memory_bits / e.reference_bits for e in members],
            [100 * e.accuracy for e in members],
            s=18,
            marker=MARKERS.get(rounding, "D"),
            facecolors=color if approach in ("PTQ", "FP32") else "none",
            edgecolors=color,
            linewidths=0.8,
            alpha=0.8,
            label=label(f"{approach} {rounding}".strip()),
        )
    line = [evaluations[i] for i in front]
    ax.plot(
        [e.memory_bits / e.reference_bits for e in line],
        [100 * e.accuracy for e in line],
        color=INK,
        linewidth=1,
        drawstyle="steps-post",
        label="Pareto front",
    )
    if chosen is not None:
        e = evaluations[chosen]
        ax.plot(
            [e.memory_bits / e.reference_bits],
            [100 * e.accuracy],
            linestyle="none",
            marker="o",
            markersize=12,
            markerfacecolor="none",
            markeredgecolor=PALETTE[5],
            markeredgewidth=2,
            label="chosen",
        )


def _enlarge(ax: Axes, close: Sequence[Evaluation]) -> None:
    norms = [e.memory_bits / e.reference_bits for e in close]
    heights = [100 * e.accuracy for e in close]
    for ends, limit in ((norms, ax.set_xlim), (heights, ax.set_ylim)):
        margin = 0.06 * (max(ends) - min(ends)) or 0.5 * 10 ** (-2 if ends is norms else 0)
        limit(min(ends) - margin, max(ends) + margin)
    ax.set_title(f"within {CLOSE_POINTS:g} points of the best")
