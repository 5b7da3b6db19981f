"""What NIR's neurons compute in one timestep: factors made of a node's constants and the rules of a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spikequant.errors import UsageError
from spikequant_nir.graph import SPIKING_KINDS, STATE_KINDS
from spikequant_nir.rules import Rules

NEURON_KINDS = SPIKING_KINDS | STATE_KINDS
CUBA_KINDS = frozenset({"CubaLIF", "CubaLI"})
GRADED_KINDS = frozenset({"LI", "I", "CubaLI"})
NEAR_ONE = 0.01
NEAR_ZERO = 1e-6
"""A time constant of one timestep, stored as float32, gives a factor this near to 0."""


@dataclass(frozen=True, eq=False)
class Cell:
    r"""One layer of neurons in one form for all kinds.

    .. math::
        i' = a_s i + g x, \quad v' = a v + (i' \text{ or } g x) + c

    then a spike, a reset and the lower bound, as ``rules`` say. The current is kept in units of the potential: ``i`` is
    what it adds to ``v`` in a step, NIR's current times ``(1 - a) r``.

    Attributes:
        decay: a; float64, 0-d or of the neurons' shape, as all that follow.
        gain: g, the factor of the input.
        offset: c, what is added in every step.
        i_decay: The current's own factor; ``None`` for neurons without a current.
        threshold: ``None`` for neurons that put out their potential.
        v_reset: What a spike leaves under the reset ``to-value``.
        rules: Those that hold for this node.
    """

    decay: Tensor
    gain: Tensor
    offset: Tensor
    i_decay: Tensor | None
    threshold: Tensor | None
    v_reset: Tensor
    rules: Rules


def cell_of(kind: str, arrays: Mapping[str, Tensor], rules: Rules) -> Cell:
    """Return the cell of a node of ``kind``.

    Args:
        kind: One of ``NEURON_KINDS``.
        arrays: The node's constants, by NIR's field name.
        rules: Of the simulation.

    >>> constants = {"tau": torch.tensor([2e-3]).double(), "r": torch.tensor(1.0), "v_leak": torch.tensor(0.0)}
    >>> cell = cell_of("LI", constants, Rules(dt=1e-3))
    >>> round(cell.decay.item(), 6), round(cell.gain.item(), 6)
    (0.5, 0.5)
    """
    given = {name: array.detach().double() for name, array in arrays.items()}
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    if kind == "Threshold":
        rules = replace(rules, reset="zero", reset_delay=0, fire=">", most_spikes=1, v_min=None)
        return Cell(zero, one, zero, None, given["threshold"], zero, rules)
    threshold = given.get("v_threshold")
    v_reset = given.get("v_reset", zero) if rules.reset == "to-value" else zero
    if kind in ("IF", "I"):
        return Cell(one, step_gain(given["r"], rules), zero, None, threshold, v_reset, rules)
    if kind in ("LIF", "LI"):
        decay = leak_factor(given["tau"], rules)
        return Cell(decay, (1 - decay) * given["r"], (1 - decay) * given["v_leak"], None, threshold, v_reset, rules)
    decay, i_decay = leak_factor(given["tau_mem"], rules), leak_factor(given["tau_syn"], rules)
    gain = (1 - i_decay) * given["w_in"] * (1 - decay) * given["r"]
    return Cell(decay, gain, (1 - decay) * given["v_leak"], i_decay, threshold, v_reset, rules)


def leak_factor(tau: Tensor, rules: Rules) -> Tensor:
    """Return what a timestep leaves of a state with the time constant ``tau`` (s).

    Raises:
        UsageError: A timestep is longer than a time constant, so that Euler's factor is negative.
    """
    if rules.integrate == "exponential":
        return torch.exp(-rules.dt / tau)
    factor = 1 - rules.dt / tau
    if not bool((factor >= -NEAR_ZERO).all()):
        raise UsageError(
            f"a time constant is {float(tau.min()):g} s and a timestep {rules.dt:g} s, so that Euler's factor"
            " 1 - dt/tau is negative; give a shorter dt, or integrate=exponential"
        )
    return factor.clamp_min(0.0)


def step_gain(r: Tensor, rules: Rules) -> Tensor:
    """Return the factor of the input of IF and I."""
    if rules.if_gain == "dt" or (rules.if_gain == "auto" and bool(((r * rules.dt - 1).abs() <= NEAR_ONE).all())):
        return r * rules.dt
    return r
