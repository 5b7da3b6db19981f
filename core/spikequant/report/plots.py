"""The plots of what was measured on one model: ranges, significance, firing rates, spikes, memory.

Every function takes plain values and returns a figure, to be shown or saved with
:mod:`spikequant.report.drawing`; it raises ``UsageError`` where matplotlib is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spikequant.errors import UsageError
from spikequant.formats import parse_format
from spikequant.report.drawing import PALETTE, label, new_figure, styled
from spikequant.report.marks import draw_levels, one_legend, paired
from spikequant.report.precision import Line, level_of
from spikequant.report.results import Calibration, MemoryPart, Raster, SeenQuantity, Significance, SignificanceRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KIBIBYTE = 8 * 1024


def ranges_plot(calibration: Calibration) -> Figure:
    """Draw the values of each quantity: how often each was seen, the range, and the value of a constant.

    Source: Q-SpiNN, Table I and Fig. 8.

    Args:
        calibration: What ``spikequant calibrate`` saw.

    Raises:
        UsageError: No quantity was seen.
    """
    quantities = calibration.quantities
    if not quantities:
        raise UsageError("no quantity was seen, so there is no range to draw; run 'spikequant calibrate'")
    columns = min(2, len(quantities))
    figure, axes = new_figure(-(-len(quantities) // columns), columns, height=2.0)
    with styled():
        for ax, quantity in paired(axes, quantities):
            histogram = calibration.histograms.get(quantity.name)
            if histogram is not None and histogram.counts:
                ax.stairs(histogram.counts, histogram.edges, fill=True, color=PALETTE[0], alpha=0.75)
                ax.set_yscale("symlog", linthresh=1)
                ax.set_ylabel("values")
            else:
                ax.set_yticks([])
            ends = [end for end in (quantity.low, quantity.high, quantity.value) if end is not None]
            for end in dict.fromkeys(ends):
                ax.axvline(end, color=PALETTE[5], linewidth=1.2)
            ax.set_xlabel(label(quantity.description or quantity.name))
            ax.set_title(label(f"{quantity.name}: {range_words(quantity)}"))
    return figure


def significance_plot(significance: Significance) -> Figure:
    """Draw accuracy against fraction bits of each quantity alone, the most significant first.

    Source: Q-SpiNN, Section III-B and Fig. 7.

    Args:
        significance: What ``spikequant significance`` measured.

    Raises:
        UsageError: Nothing was measured.
    """
    seen = dict.fromkeys(row.quantity for row in significance.rows)
    names = [*(n for n in significance.ranking if n in seen), *(n for n in seen if n not in significance.ranking)]
    if not names:
        raise UsageError("nothing was measured, so there is no significance to draw; run 'spikequant significance'")
    columns = min(3, len(names))
    figure, axes = new_figure(-(-len(names) // columns), columns, height=2.6, sharey=True)
    with styled():
        for ax, name in paired(axes, names):
            levels, lines = _lines([row for row in significance.rows if row.quantity == name])
            draw_levels(ax, levels, lines, significance.baseline)
            ax.set_title(label(f"{name} alone"))
        one_legend(figure, axes[: len(names)])
    return figure


def rates_plot(rates_hz: Sequence[float]) -> Figure:
    """Draw how many neurons fire at which rate.

    Args:
        rates_hz: Firing rate of each neuron, in spikes per second.

    Raises:
        UsageError: There is no neuron.
    """
    if not rates_hz:
        raise UsageError("no firing rate was seen, so there is none to draw; run 'spikequant calibrate'")
    figure, (ax,) = new_figure(1, 1, height=2.6)
    with styled():
        ax.hist(rates_hz, bins=min(40, max(10, len(rates_hz) // 10)), color=PALETTE[0])
        mean = sum(rates_hz) / len(rates_hz)
        ax.axvline(mean, color=PALETTE[5], linewidth=1.2, label=f"mean {mean:.3g} Hz")
        ax.set(xlabel="firing rate (Hz)", ylabel="neurons")
        ax.legend()
    return figure


def raster_plot(raster: Raster) -> Figure:
    """Draw the spikes of one sample: one mark per spike, time to the right, neurons upward.

    Args:
        raster: Neuron and timestep of each spike.
    """
    figure, (ax,) = new_figure(1, 1, height=3.2)
    with styled():
        ax.plot(raster.step, raster.neuron, linestyle="none", marker="|", markersize=3, color=PALETTE[0])
        ax.set(xlabel="timestep", ylabel="neuron", xlim=(-0.5, max(raster.timesteps, 1) - 0.5))
    return figure


def memory_plot(parts: Sequence[MemoryPart]) -> Figure:
    """Draw where the memory goes, in FP32 and as quantized.

    Source: Q-SpiNN, Eq. 7.

    Args:
        parts: Of the quantized model.

    Raises:
        UsageError: There is no part.
    """
    if not parts:
        raise UsageError("the model keeps nothing, so there is no memory to draw; give a model with weights")
    figure, (ax,) = new_figure(1, 1, height=2.0)
    with styled():
        left = [0.0, 0.0]
        for number, part in enumerate(parts):
            sizes = [part.fp32_bits / KIBIBYTE, part.bits / KIBIBYTE]
            color = PALETTE[number % len(PALETTE)]
            ax.barh(["FP32", "quantized"], sizes, left=left, color=color, label=label(part.name), height=0.6)
            left = [start + size for start, size in zip(left, sizes, strict=True)]
        ax.invert_yaxis()
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("memory (KiB)")
        one_legend(figure, [ax])
    return figure


def range_words(quantity: SeenQuantity) -> str:
    """Return the range of a variable, or the value of a constant.

    >>> range_words(SeenQuantity("V", "variable", 400, low=-887.29, high=1250.18))
    '-887.29 to 1250.18'
    """
    if quantity.value is not None:
        return f"{quantity.value:g}"
    if quantity.low is None or quantity.high is None:
        return "not seen"
    return f"{quantity.low:.6g} to {quantity.high:.6g}"


def _lines(rows: Sequence[SignificanceRow]) -> tuple[list[int], list[Line]]:
    """Return the levels of one quantity, the finest first, and one line per rounding."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        level = level_of(parse_format(row.format.split()[0])) if row.frac_bits is None else row.frac_bits
        found.setdefault(row.rounding, {})[level] = row.accuracy
    levels = sorted({level for points in found.values() for level in points}, reverse=True)
    return levels, [Line(name, tuple(sorted(points.items(), reverse=True))) for name, points in found.items()]
