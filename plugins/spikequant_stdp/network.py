"""The network as a plugin: inputs in rate code, one fully connected layer with lateral inhibition, votes."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from spikequant import InputCoding, Network
from spikequant.errors import UsageError
from spikequant.model import NeuronFactory
from spikequant.rate_coding import Kind, RateCoding
from spikequant_stdp.engine import engine
from spikequant_stdp.engine.parameters import Parameters
from spikequant_stdp.model import Start, UsnnModel
from spikequant_stdp.neuron import DiehlCookNeuron
from spikequant_stdp.votes import Vote

MOST_NEURONS = 1_000_000


class DiehlCookNetwork(Network):
    """Q-SpiNN's U-SNN: rate-coded inputs, excitatory neurons that inhibit each other, and a vote of their spikes.

    Source: Diehl and Cook 2015; Q-SpiNN, Fig. 1(a).

    Args:
        neurons: Excitatory neurons.
        inhibition: What a spike takes from the potential of all other neurons, in mV, two timesteps later.
        norm: Sum of each neuron's weights after every training image.
        w_max: Largest weight; the smallest is 0.
        w_init: Weights start uniform in [0, w_init).
        coding: ``poisson`` spikes, or ``regular`` ones at the same rate.
        rate_hz: Rate of the brightest pixel.
        dt_ms: Duration of a timestep.
        vote: How spikes become a class: ``proportion`` weighs a neuron by how often it spoke for each class on
            training images, ``label`` gives it to the class it spoke for most.
        engine: ``native``, ``torch``, or ``auto``; all give the same bits.
    """

    name: ClassVar[str] = "diehl-cook"
    summary: ClassVar[str] = (
        "one layer with lateral inhibition, for learner stdp and neuron diehl-cook (Q-SpiNN's U-SNN)"
    )

    def __init__(
        self,
        *,
        neurons: int = 400,
        inhibition: float = 120.0,
        norm: float = 78.4,
        w_max: float = 1.0,
        w_init: float = 0.3,
        coding: Kind = "poisson",
        rate_hz: float = 128.0,
        dt_ms: float = 1.0,
        vote: Vote = "proportion",
        engine: Literal["auto", "native", "torch"] = "auto",
    ) -> None:
        self.neurons, self.inhibition, self.norm, self.w_max, self.w_init = neurons, inhibition, norm, w_max, w_init
        self.coding, self.rate_hz, self.dt_ms = coding, rate_hz, dt_ms
        self.vote, self.engine = vote, engine
        if not 1 <= neurons <= MOST_NEURONS:
            raise ValueError(f"network '{self.name}': neurons is {neurons}; it must be between 1 and {MOST_NEURONS:,}")
        if not 0 < w_init <= w_max:
            raise ValueError(
                f"network '{self.name}': w_init is {w_init}; it must be positive and at most w_max {w_max}"
            )

    def model(
        self, neuron: NeuronFactory, coding: InputCoding, classes: int, timesteps: int, *, seed: int
    ) -> UsnnModel:
        """Return the model; its weights and spikes are drawn from ``seed``."""
        cell = neuron()
        if not isinstance(cell, DiehlCookNeuron):
            raise UsageError(
                f"network '{self.name}' runs neuron '{DiehlCookNeuron.name}' only, and was given '{cell.name}';"
                f" set neuron.name to '{DiehlCookNeuron.name}', or choose another network"
            )
        coding.check_still()
        spikes = RateCoding(self.coding, self.rate_hz, self.dt_ms * 1e-3, coding.peak, seed)
        parameters = Parameters(
            inputs=math.prod(coding.shape),
            neurons=self.neurons,
            timesteps=timesteps,
            dt_ms=self.dt_ms,
            rest=float(cell.rest),
            reset=float(cell.reset),
            threshold=float(cell.v_th),
            refractory=cell.refractory,
            tau_ms=cell.tau_ms,
            theta_plus=cell.theta_plus,
            tau_theta_ms=cell.tau_theta_ms,
            inhibition=self.inhibition,
            w_max=self.w_max,
            norm=self.norm,
            synapse=cell.synapse,
            tau_g_ms=cell.tau_g_ms,
            coding=spikes,
        )
        start = Start(classes, self.w_init, seed, self.vote)
        return UsnnModel(parameters, cell, coding, start, engine(self.engine))
