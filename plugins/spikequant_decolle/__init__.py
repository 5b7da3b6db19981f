"""Supervised networks with deep continuous local learning (DECOLLE) on event data."""

from spikequant import Network, Neuron, hookimpl
from spikequant_decolle.network import DecolleConv3, DecolleMlp
from spikequant_decolle.neuron import DecolleNeuron


@hookimpl
def spikequant_networks() -> list[type[Network]]:
    """Offer the networks."""
    return [DecolleConv3, DecolleMlp]


@hookimpl
def spikequant_neurons() -> list[type[Neuron]]:
    """Offer the neuron."""
    return [DecolleNeuron]
