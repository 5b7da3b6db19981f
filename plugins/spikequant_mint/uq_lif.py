"""The neuron of vanilla uniform quantization: potential on a scale of its own, rescaled at every timestep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from spikequant import LifNeuron
from spikequant.gradients import rounded, spike
from spikequant.nir_profile import NodeMapping
from spikequant.program import Leak, Shape
from spikequant_mint.scaled_lif import ScaledLif, ScaledLifMapping
from spikequant_mint.thresholds import check_threshold

FRACTION = 16
MULTIPLIER_LIMIT = float((1 << 24) - 1)


class UqLif(LifNeuron):
    """LIF with separate scales for weights and potential (MINT Eq. 5); integers, but with a multiplier.

    Args:
        bits: Width of the stored potential.
        v_th: Real threshold, 1e-6 to 1e6; the potential's learnable clip starts here.
        strict: Fire on ``h > v_th`` or on ``h >= v_th``.
        leak_shift: Leak factor ``2**-leak_shift``, at least 1.
    """

    name: ClassVar[str] = "uq-lif"
    summary: ClassVar[str] = "vanilla UQ: potential on its own scale, 32-bit multiply per update (baseline)"

    def __init__(self, bits: int = 8, v_th: float = 1.0, strict: bool = True, leak_shift: int = 1) -> None:
        super().__init__(bits, v_th, strict)
        check_threshold(self.name, v_th)
        if not 1 <= leak_shift <= 8:
            raise ValueError(f"neuron '{self.name}': leak_shift is {leak_shift}; it must be between 1 and 8")
        self.leak = Leak.by_shift(leak_shift)
        self.log_clip = nn.Parameter(torch.tensor(math.log(v_th)))

    @classmethod
    def node_mappings(cls) -> Mapping[str, NodeMapping]:
        """Return how ``scaled_lif`` travels in NIR."""
        return {ScaledLif.kind: ScaledLifMapping()}

    def integer_step(self, x: Tensor, u: Tensor, lsb: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one timestep in whole numbers carried as float64 (exact below 2**53)."""
        multiplier, unit, theta = self._constants(lsb)
        h = x.double() * multiplier + u.double() * 2.0 ** (FRACTION - self.leak.shift)
        s = spike(h, unit, theta, self.v_th)
        top = float((1 << (self.bits - 1)) - 1)
        kept = rounded(h * 2.0**-FRACTION) * (1 - s.detach())
        return s.to(x.dtype), kept.clamp(-top, top).to(x.dtype)

    def potential_lsb(self, lsb: Tensor) -> Tensor:
        """Return one code of the potential's own scale, which the weights' does not touch."""
        return self._constants(lsb)[1] * 2.0**FRACTION

    def lower(self, name: str, lsb: Tensor, shape: Shape) -> ScaledLif:
        """Return the ``scaled_lif`` node."""
        multiplier, _, theta = self._constants(lsb)
        return ScaledLif(
            name,
            u_bits=self.bits,
            multiplier=multiplier.detach().cpu().numpy().astype(np.int64),
            theta=theta.cpu().numpy().astype(np.int64).reshape(1),
            fraction=FRACTION,
            leak_shift=self.leak.shift,
        )

    def _constants(self, lsb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the multiplier (like ``lsb``), the real unit of H, and theta in that unit."""
        top = float((1 << (self.bits - 1)) - 1)
        unit = torch.exp(self.log_clip.double()) / top * 2.0**-FRACTION
        multiplier = rounded((lsb.double() / unit).clamp(1.0, MULTIPLIER_LIMIT))
        ratio = self.v_th / unit.detach()
        return multiplier, unit, torch.floor(ratio) + 1 if self.strict else torch.ceil(ratio)
