"""The equations of a layer, one timestep at a time: the same code in floats and on the grids of the formats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikequant_decolle.grid import Grid
from spikequant_decolle.layer import DecolleLayer
from spikequant_decolle.parameters import Constants, Formats
from spikequant_decolle.precision import Precision, precision_of


@dataclass
class LayerState:
    """What a layer keeps between timesteps, ``(batch, *shape)`` each.

    Attributes:
        p: Membrane trace of the inputs.
        q: Synaptic trace of the inputs.
        r: Refractory state of the neurons, as the next timestep uses it.
    """

    p: Tensor
    q: Tensor
    r: Tensor


class Dynamics:
    r"""One layer in the present formats.

    .. math::
        P &\leftarrow Q_P(\alpha P + k_P Q) \\
        Q &\leftarrow Q_Q(\beta Q + k_Q S_{in}) \\
        V &= Q_V(\textstyle\sum w P - \rho R), \quad S = [V \ge V_{th}] \\
        R &\leftarrow Q_R(\gamma R + k_R S)

    P takes Q as it was before the step. With the index of :math:`S_{in}` moved by one this is Q-SpiNN's Eq. 2: what
    arrives at timestep n is in Q[n], so that the trace that leaves the first node is the one it stores.

    Every expression is exact in the number type that :mod:`spikequant_decolle.precision` chooses, so these floats
    are the program's integers times the step of their format.

    Args:
        layer: Weights, thresholds, shapes.
        index: Its place, from 0; it keys stochastic rounding.
        constants: As trained; they are put on their grids where the state has formats.
        formats: Of all variables.
        w: The weights to compute with, real values.
        peak: Largest input value.
    """

    def __init__(
        self, layer: DecolleLayer, index: int, constants: Constants, formats: Formats, w: Tensor, peak: int
    ) -> None:
        self.layer, self.index = layer, index
        self.constants = constants.on_grid if formats.quantizes_state else constants
        self.grids = {name: Grid(name, getattr(formats, name), formats, index) for name in ("P", "Q", "R", "V")}
        self.precision: Precision = precision_of(layer, self.constants, formats, w, peak)
        self.w = w.to(self.precision.drive)
        # By way of float64: float32 would round V's largest value up where V has more than 24 bits.
        thresholds = self.grids["V"].round_weights_like(layer.v_th.double())
        self.v_th = layer.spread(thresholds.to(self.precision.neuron))

    def start(self, batch: int, device: torch.device | str) -> LayerState:
        """Return the state before the first timestep: zero."""
        p = torch.zeros((batch, *self.layer.in_shape), dtype=self.precision.trace, device=device)
        r = torch.zeros((batch, *self.layer.out_shape), dtype=self.precision.neuron, device=device)
        return LayerState(p, p.clone(), r)

    def trace(self, state: LayerState, s: Tensor, t: int) -> Tensor:
        """Advance P and Q of ``state`` in place by what arrives at timestep ``t``; return P.

        Args:
            state: Of the timestep before.
            s: Spikes or counts ``(batch, *in_shape)``.
            t: The timestep.
        """
        c = self.constants
        state.p.mul_(c.alpha).add_(state.q, alpha=c.gain(c.alpha))
        self.grids["P"].round_(state.p, t)
        state.q.mul_(c.beta).add_(s, alpha=c.gain(c.beta))
        self.grids["Q"].round_(state.q, t)
        return state.p

    def drive(self, p: Tensor) -> Tensor:
        """Return the weighted sums of P, of one or of many timesteps folded into the batch."""
        return self.layer.drive(p.to(self.precision.drive), self.w).to(self.precision.neuron)

    def fire(self, state: LayerState, drive: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Advance R of ``state`` in place; return V, which overwrites ``drive``, and the spikes as floats."""
        c = self.constants
        v = self.grids["V"].round_(drive.sub_(state.r, alpha=c.rho), t)
        s = (v >= self.v_th).to(v.dtype)
        state.r.mul_(c.gamma).add_(s, alpha=c.gain(c.gamma))
        self.grids["R"].round_(state.r, t)
        return v, s
