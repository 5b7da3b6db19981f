"""The plot of a comparison of precisions: spikes that differ and firing rates, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikequant.drift_results import Drift, LayerDrift, Rates, SpikeDrift
from spikequant.errors import UsageError
from spikequant.report.drawing import PALETTE, label, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def drift_plot(drift: Drift) -> Figure:
    """Draw for each layer the share of spikes that differ, and the quartiles of its firing rates in both models.

    Args:
        drift: What ``spikequant drift`` found.

    Raises:
        UsageError: No layer puts out spikes.
    """
    layers = [(layer, layer.spikes) for layer in drift.layers if layer.spikes is not None]
    if not layers:
        raise UsageError("no layer of this network puts out spikes, so there is no drift of them to draw")
    figure, (above, below) = new_figure(2, 1, height=2.6, sharex=True)
    with styled():
        places = range(len(layers))
        above.bar(places, [100 * spikes.share for _, spikes in layers], color=PALETTE[0])
        above.set_ylabel("spikes that differ (%)")
        _rates(below, layers)
        below.set_ylabel("spikes per timestep")
        below.set_xticks(list(places), [label(layer.name, 20) for layer, _ in layers])
        below.legend()
    return figure


def _rates(axes: Axes, layers: list[tuple[LayerDrift, SpikeDrift]]) -> None:
    """Draw smallest, quartiles and largest of both models side by side."""
    for offset, name, color in ((-0.2, "float", PALETTE[0]), (0.2, "integer", PALETTE[1])):
        for place, (_, spikes) in enumerate(layers):
            rates = spikes.rates_expected if name == "float" else spikes.rates_got
            _box(axes, place + offset, rates, color, name if place == 0 else "")


def _box(axes: Axes, place: float, rates: Rates, color: str, name: str) -> None:
    low, first, median, third, high = rates.quartiles
    axes.vlines(place, low, high, color=color, linewidth=1.0)
    axes.bar(place, third - first, 0.3, bottom=first, color=color, alpha=0.6, label=name or None)
    axes.hlines(median, place - 0.15, place + 0.15, color=color, linewidth=2.0)
