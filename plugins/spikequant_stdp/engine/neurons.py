"""Excitatory neurons of some images that run side by side: potential, conductance, refractory period."""

from __future__ import annotations

import torch
from torch import Tensor

from spikequant.counter_rng import RandomKey
from spikequant_stdp.engine.parameters import CONDUCTANCE_SCALE, DECAY_UNIT, EXCITATORY_REVERSAL, Formats, Parameters
from spikequant_stdp.engine.quantize import on_grid


class Neurons:
    """State of the neurons within ``images`` images, each of shape ``(images, neurons)``, from rest.

    Attributes:
        v: Potential: float32, or float64 on V's grid.
        g: Conductance likewise.
        waits: Steps still to wait after a spike, int32, at least 0.
    """

    def __init__(self, p: Parameters, formats: Formats, images: int) -> None:
        self.p, self.formats = p, formats
        shape = (images, p.neurons)
        self.v = torch.full(shape, p.rest, dtype=torch.float64 if formats.V else torch.float32)
        self.g = torch.zeros(shape, dtype=torch.float64 if formats.g else torch.float32)
        self.waits = torch.zeros(shape, dtype=torch.int32)
        self._last = torch.zeros(shape, dtype=torch.bool)
        self._before_last = torch.zeros(shape, dtype=torch.bool)
        self._elements = torch.arange(p.neurons)
        self._decay = p.decay_code / DECAY_UNIT if formats.V else p.decay
        self._g_decay = p.g_decay_code / DECAY_UNIT if formats.g else p.g_decay

    def step(self, acc: Tensor, firing: Tensor, draw: int) -> tuple[Tensor, Tensor]:
        """Advance by one timestep.

        Args:
            acc: Sums of the weights of the arriving spikes, ``(images, neurons)``.
            firing: Threshold of each neuron, ``(neurons,)``.
            draw: Number of the step, for stochastic rounding.

        Returns:
            Which neurons reached their threshold (they are reset) and which spike (the lowest of these in
            each image), both bool ``(images, neurons)``.
        """
        if self.p.synapse == "conductance":
            self.g = self._next_g(acc, draw)
        self.v = self._next_v(acc, draw)
        self.waits = (self.waits - 1).clamp_(min=0)
        crossed = spikes = self.v >= firing
        if crossed.any():
            self.v[crossed] = self.p.reset
            self.waits[crossed] = self.p.refractory
            spikes = crossed & (crossed.cumsum(dim=1) == 1)
        self._before_last, self._last = self._last, spikes
        return crossed, spikes

    def _next_g(self, acc: Tensor, draw: int) -> Tensor:
        if self.formats.g is None:
            return self.g * self._g_decay + acc.to(torch.float32)
        exact = self.g * self._g_decay + acc.to(torch.float64)
        return on_grid(exact, self.formats.g, self.formats, self._key("g", draw), self._elements)

    def _next_v(self, acc: Tensor, draw: int) -> Tensor:
        """Leak, and where a neuron does not wait add what arrives; every operation is in the type of v."""
        leaked = (self.v - self.p.rest) * self._decay + self.p.rest
        if self.p.synapse == "conductance":
            excited = leaked + self.g.to(self.v.dtype) * (EXCITATORY_REVERSAL - self.v) * CONDUCTANCE_SCALE
            driven = self._inhibited(excited)
        else:
            driven = leaked + self._inhibited(acc.to(self.v.dtype))
        v = torch.where(self.waits <= 0, driven, leaked)
        if self.formats.V is None:
            return v
        return on_grid(v, self.formats.V, self.formats, self._key("V", draw), self._elements)

    def _inhibited(self, x: Tensor) -> Tensor:
        """Take the inhibition from all neurons of an image but the one that spiked two steps ago, if one did."""
        spiked = self._before_last.any(dim=1, keepdim=True)
        if not spiked.any():
            return x
        return torch.where(spiked & ~self._before_last, x - self.p.inhibition, x)

    def _key(self, tensor: str, draw: int) -> RandomKey:
        return RandomKey(self.formats.seed, tensor, draw)
