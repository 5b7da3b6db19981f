"""Unsupervised networks of Diehl and Cook: spike-timing-dependent plasticity, adaptive thresholds, inhibition."""

from collections.abc import Mapping
from pathlib import Path

from spikequant import Learner, Network, Neuron, hookimpl
from spikequant_stdp.learner import Stdp
from spikequant_stdp.network import DiehlCookNetwork
from spikequant_stdp.neuron import DiehlCookNeuron

RECIPES = Path(__file__).parent / "recipes"


@hookimpl
def spikequant_networks() -> list[type[Network]]:
    """Offer the network."""
    return [DiehlCookNetwork]


@hookimpl
def spikequant_neurons() -> list[type[Neuron]]:
    """Offer the neuron."""
    return [DiehlCookNeuron]


@hookimpl
def spikequant_learners() -> list[type[Learner]]:
    """Offer the learner."""
    return [Stdp]


@hookimpl
def spikequant_recipes() -> Mapping[str, Path]:
    """Offer the shipped recipes."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}
