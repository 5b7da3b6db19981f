"""Neurons with a synaptic current and without, in fixed point: the node kinds that imported networks become."""

from spikequant import Neuron, hookimpl
from spikequant_cuba.cell import Cell
from spikequant_cuba.neuron import CubaNeuron
from spikequant_cuba.nodes import CubaLi, CubaLif, FixedLi, FixedLif

__all__ = ["Cell", "CubaLi", "CubaLif", "CubaNeuron", "FixedLi", "FixedLif"]


@hookimpl
def spikequant_neurons() -> list[type[Neuron]]:
    """Offer the neuron."""
    return [CubaNeuron]
