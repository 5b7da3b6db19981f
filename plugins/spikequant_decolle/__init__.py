"""Supervised networks with deep continuous local learning (DECOLLE) on event data."""

from collections.abc import Mapping
from pathlib import Path

from spikequant import Learner, Network, Neuron, hookimpl
from spikequant_decolle.learner import Decolle
from spikequant_decolle.network import DecolleConv3, DecolleMlp
from spikequant_decolle.neuron import DecolleNeuron

RECIPES = Path(__file__).parent / "recipes"


@hookimpl
def spikequant_networks() -> list[type[Network]]:
    """Offer the networks."""
    return [DecolleConv3, DecolleMlp]


@hookimpl
def spikequant_neurons() -> list[type[Neuron]]:
    """Offer the neuron."""
    return [DecolleNeuron]


@hookimpl
def spikequant_learners() -> list[type[Learner]]:
    """Offer the learner."""
    return [Decolle]


@hookimpl
def spikequant_recipes() -> Mapping[str, Path]:
    """Offer the shipped recipes."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}
