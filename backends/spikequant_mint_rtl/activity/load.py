"""What the processing elements are run on, as a user says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What the elements are given.

    Attributes:
        rate: Spikes per input and timestep.
        inputs: Of each neuron.
        timesteps: LIF steps of each neuron.
        neurons: Processing elements; energies are their mean.
        zero_skip: No cycle is spent on an input without a spike.
        clock_mhz: Clock, which leakage is billed for.
        transition_ns: Input transition time at which the library's tables are read.
    """

    rate: float = 0.15
    inputs: int = 288
    timesteps: int = 4
    neurons: int = 8
    zero_skip: bool = False
    clock_mhz: float = 400.0
    transition_ns: float = 0.05
