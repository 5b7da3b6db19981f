"""Spike-timing-dependent plasticity of one image: traces, weight updates, normalisation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spikequant.counter_rng import RandomKey
from spikequant_stdp.engine.parameters import POWERS, Formats, Parameters
from spikequant_stdp.engine.quantize import on_grid
from spikequant_stdp.engine.sums import sum_of_rows


class Plasticity:
    """Learns in place in ``w``, float32 ``(inputs, neurons)``, over the images it is given.

    Attributes:
        vanished, updates: As in :class:`~spikequant_stdp.engine.contract.Training`.
    """

    def __init__(self, p: Parameters, formats: Formats, w: Tensor) -> None:
        self.p, self.formats, self.w = p, formats, w
        self.vanished, self.updates = 0, 0
        self.stored = formats.w if formats.weight_mode == "stored" else None
        self._trace_decay = p.trace_decay
        self._eta_pre, self._eta_post = _float32(p.eta_pre), _float32(p.eta_post)
        self._w_max, self._table = _float32(p.w_max), torch.from_numpy(p.power_table)
        self._neurons = torch.arange(p.neurons)
        self.start_image()

    def start_image(self) -> None:
        """Forget the spikes of the image before."""
        self._pre = torch.zeros(self.p.inputs)
        self._post = torch.zeros(self.p.neurons)
        self._clamped = False

    def step(self, arrived: Tensor, winner: int | None, draw: int) -> None:
        """Update the weights of the inputs and the neuron that spike now.

        Args:
            arrived: Indices of the inputs that spike, ascending.
            winner: The neuron that spikes, if one does.
            draw: Number of the step, for stochastic rounding.
        """
        self._pre *= self._trace_decay
        self._pre[arrived] = 1.0
        self._post *= self._trace_decay
        if winner is not None:
            self._post[winner] = 1.0
        old = self.w[arrived]
        rows = old - self._depression(old)
        if winner is not None:
            self._update_column(winner, arrived, rows, draw)
        self.w[arrived] = self._kept(old, rows, arrived[:, None] * self.p.neurons + self._neurons, draw)
        if not self._clamped:
            self.w.clamp_(0.0, self.p.w_max)
            self._clamped = True

    def normalise(self, image: int) -> None:
        """Scale each neuron's weights to the sum ``norm``; ``image`` numbers the image for stochastic rounding."""
        factors = _float32(self.p.norm) / sum_of_rows(self.w)
        self.w *= torch.where(factors.isfinite(), factors, 1.0)
        if self.stored is not None:
            elements = torch.arange(self.w.numel()).reshape(self.w.shape)
            key = RandomKey(self.formats.seed, "norm", image)
            self.w.copy_(on_grid(self.w, self.stored, self.formats, key, elements))

    def _update_column(self, winner: int, arrived: Tensor, rows: Tensor, draw: int) -> None:
        """Add the winner's potentiation to its column of ``rows``, and to ``w`` for the inputs not in them."""
        old = self.w[:, winner]
        gain = self._potentiation(old)
        rows[:, winner] += gain[arrived]
        others = torch.ones(self.p.inputs, dtype=torch.bool)
        others[arrived] = False
        index = others.nonzero()[:, 0]
        before = old[index]
        self.w[index, winner] = self._kept(before, before + gain[index], index * self.p.neurons + winner, draw)

    def _depression(self, w: Tensor) -> Tensor:
        change = self._post * self._eta_pre
        return change * self._power(w) if self.p.rule == "weight-dependent" else change

    def _potentiation(self, w: Tensor) -> Tensor:
        change = self._pre * self._eta_post
        return change * self._power(self._w_max - w) if self.p.rule == "weight-dependent" else change

    def _power(self, x: Tensor) -> Tensor:
        """``max(x, 0) ** mu``: below 0 is only the room over a weight that normalisation left above ``w_max``."""
        x, mu = x.clamp(min=0.0), self.p.mu
        if mu in (0, 1, 2):
            return torch.ones_like(x) if mu == 0 else x if mu == 1 else x * x
        if mu == 0.5:
            return torch.from_numpy(np.sqrt(x.numpy()))
        index = torch.floor(x / self._w_max * POWERS + 0.5).to(torch.int64)
        return self._table[index.clamp(max=POWERS)]

    def _kept(self, old: Tensor, asked: Tensor, elements: Tensor, draw: int) -> Tensor:
        """Clamp, and round where the stored weights are quantized."""
        clamped = asked.clamp(0.0, self.p.w_max)
        if self.stored is None:
            return clamped
        key = RandomKey(self.formats.seed, "w", draw)
        kept = on_grid(clamped, self.stored, self.formats, key, elements).to(torch.float32)
        changes = clamped != old
        self.updates += int(changes.sum())
        self.vanished += int((changes & (kept == old)).sum())
        return kept


def _float32(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float32)
