"""One layer in training: forward one timestep, then its own update, from its own readout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant_decolle.adamax import Adamax
from spikequant_decolle.dynamics import Dynamics
from spikequant_decolle.gradients import threshold_gradient, weight_gradient
from spikequant_decolle.loss import smooth_l1_gradient
from spikequant_decolle.model import DecolleModel
from spikequant_decolle.operations import Fired, Operations
from spikequant_decolle.regularizers import Regularizers
from spikequant_decolle.surrogate import Surrogate


@dataclass(frozen=True)
class Rule:
    """What decides an update, besides the layer."""

    surrogate: Surrogate
    regularizers: Regularizers


class LayerTraining:
    """One layer, its traces and neurons for a batch, and what its readout teaches it.

    All that goes from one timestep to the next are P, Q and R; a gradient ends at P, so that none crosses a
    timestep, and spikes leave as plain numbers, so that none crosses a layer.

    Args:
        model: Its layer's parameters are changed in place.
        index: Which layer.
        rule: How.
        optimizer: Holds ``w{index}`` and ``v_th{index}``.
        operations: The elementwise work.
    """

    def __init__(self, model: DecolleModel, index: int, rule: Rule, optimizer: Adamax, operations: Operations) -> None:
        self._model, self.index, self.layer = model, index, model.layers[index]
        self._rule, self._optimizer, self._operations = rule, optimizer, operations
        self._readout = self._readout_matrix()
        self._refresh()

    def begin(self, batch: int) -> None:
        """Forget the batch before: states are zero."""
        self._state = self._dynamics.start(batch, self.layer.w.device)
        if self.layer.plan.kernel:
            state = self._state
            state.p, state.q, state.r = (x.to(memory_format=torch.channels_last) for x in (state.p, state.q, state.r))

    def forward(self, s: Tensor, t: int) -> Fired:
        """Advance by timestep ``t``.

        Args:
            s: Spikes or counts that arrive, ``(batch, ...)``.
            t: The timestep.
        """
        s = s.reshape(len(s), *self.layer.in_shape)
        p = self._operations.trace(self._dynamics, self._state, s, t)
        return self._operations.fire(self._dynamics, self._state, self._dynamics.drive(p), t)

    def read(self, fired: Fired) -> Tensor:
        """Return the readout ``(batch, classes)``."""
        return F.linear(_rows(fired.s), self._readout)

    def learn(self, fired: Fired, y: Tensor, target: Tensor, lr: float) -> None:
        """Update weights and thresholds by the timestep that just ran; ``y`` is its readout."""
        g = _images(smooth_l1_gradient(y, target) @ self._readout, fired.d)
        d = fired.d.to(g.dtype)
        g = self._operations.slope_(g, d, self._rule.surrogate)
        if self._rule.regularizers.active:
            g = self._rule.regularizers.add_(g, d)
        dv = self._operations.unpool(g, fired, self._dynamics)
        layer, optimizer = self.layer, self._optimizer
        dw = weight_gradient(layer, self._state.p.to(dv.dtype), dv, layer.w)
        optimizer.update(f"w{self.index}", layer.w, dw, lr, self._operations)
        optimizer.update(f"v_th{self.index}", layer.v_th, threshold_gradient(g), lr, self._operations)
        if self._model.precision == "integer":
            self._keep_in_range()
            self._refresh()

    def _refresh(self) -> None:
        """Compute with the present weights from now on: as the model itself would, on the grids of its formats."""
        model, layer = self._model, self.layer
        peak = (1 << model.coding.bits) - 1
        self._dynamics = Dynamics(layer, self.index, model.constants, model.formats, model.weights(layer), peak)
        if model.precision == "float":  # the parameters themselves, so that updates need no refreshing
            self._dynamics.w, self._dynamics.v_th = layer.w.detach(), layer.spread(layer.v_th.detach())
        state = getattr(self, "_state", None)
        if state is not None and state.p.dtype != self._dynamics.precision.trace:
            state.p, state.q = (x.to(self._dynamics.precision.trace) for x in (state.p, state.q))
        if state is not None and state.r.dtype != self._dynamics.precision.neuron:
            state.r = state.r.to(self._dynamics.precision.neuron)

    def _keep_in_range(self) -> None:
        """Hold the trained values where their formats reach: beyond it they would have to come back unseen."""
        for value, fmt in ((self.layer.w, self._model.formats.w), (self.layer.v_th, self._model.formats.V)):
            if fmt is not None:
                value.clamp_(*fmt.range)

    def _readout_matrix(self) -> Tensor:
        """Return the readout's real values, with the order of features of :func:`_rows`."""
        layer = self.layer
        codes = layer.G.reshape(len(layer.G), *layer.pooled_shape)
        if codes.dim() == 4:
            codes = codes.permute(0, 2, 3, 1)
        return codes.reshape(len(layer.G), -1).float() * layer.readout_lsb


def _rows(x: Tensor) -> Tensor:
    """Return ``(batch, features)``, images with the channels last, as they lie in memory."""
    return (x.permute(0, 2, 3, 1) if x.dim() == 4 else x).reshape(len(x), -1)


def _images(rows: Tensor, like: Tensor) -> Tensor:
    """Take back :func:`_rows`."""
    if like.dim() == 2:
        return rows
    batch, channels, height, width = like.shape
    return rows.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
