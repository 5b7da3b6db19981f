"""The integer neuron of vanilla uniform quantization: a node kind of a plugin's own, with a multiplier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import nir
import numpy as np

from spikequant.errors import NirError
from spikequant.nir_profile import Fields
from spikequant.program import IntArray, Operation, Shape, SpikingNode

MULTIPLIER_BITS = 32


@dataclass(frozen=True, eq=False)
class ScaledLif(SpikingNode):
    r"""LIF whose input is rescaled by a fixed-point multiplier.

    .. math::
        H = m X + (U \ll p) \gg k, \quad S = [H \ge \theta], \quad
        U = S\,?\,0 : \mathrm{saturate}(\lfloor H / 2^p + 1/2 \rfloor, n)

    Source: MINT, Eq. 5, with the real ratio of scales as ``m / 2**p``. H is a 32-bit value in units of
    ``lsb_u / 2**p``; the stored potential has ``u_bits``.

    Attributes:
        multiplier: m, positive; scalar or one per channel.
        theta: Threshold in units of H; scalar or one per channel.
        fraction: p, at least ``leak_shift``.
        leak_shift: k.
    """

    multiplier: IntArray = field(default_factory=lambda: np.ones((), np.int64))
    theta: IntArray = field(default_factory=lambda: np.ones((), np.int64))
    fraction: int = 16
    leak_shift: int = 1
    kind: ClassVar[str] = "scaled_lif"

    @property
    def potential_limits(self) -> tuple[int, int]:
        """``[-s, s]``, s = 2**(u_bits-1) - 1."""
        top = (1 << (self.u_bits - 1)) - 1
        return -top, top

    def pre_reset_limits(self, low: int, high: int) -> tuple[int, int]:
        """Bounds of H in its own units."""
        most, stored = int(self.multiplier.max()), self.potential_limits[1] << (self.fraction - self.leak_shift)
        return min(low, 0) * most - stored, max(high, 0) * most + stored

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """One 32-bit multiply, add and compare, two shifts, one register write."""
        return (
            Operation("multiply", MULTIPLIER_BITS),
            Operation("shift", MULTIPLIER_BITS, 2),
            Operation("add", MULTIPLIER_BITS),
            Operation("compare", MULTIPLIER_BITS),
            Operation("register", self.u_bits),
        )

    def step(self, x: IntArray, u: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Advance one timestep.

        >>> node = ScaledLif("n", u_bits=4, multiplier=np.array(3), theta=np.array(40), fraction=2)
        >>> [a.tolist() for a in node.step(np.array([[11, 9, -11]]), np.array([[4, 2, 0]]))]
        [[[1, 0, 0]], [[0, 7, -7]], [[0, 1, 1]]]
        """
        h = _shaped(self.multiplier, x.ndim) * x + ((u << self.fraction) >> self.leak_shift)
        fires = h >= _shaped(self.theta, x.ndim)
        rounded = (h + ((1 << self.fraction) >> 1)) >> self.fraction
        kept = np.where(fires, 0, rounded)
        stored = np.clip(kept, *self.potential_limits)
        return fires.astype(np.int64), stored, (stored != kept).astype(np.int64)


class ScaledLifMapping:
    """``scaled_lif`` as NIR's LIF in units of the stored potential."""

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the LIF; its threshold lies half a step of H below theta, so ``>`` fires where ``>=`` does."""
        scaled = cast("ScaledLif", node)
        rate, unit = 1.0 - 2.0**-scaled.leak_shift, 2.0**-scaled.fraction
        if rate == 0.0:
            raise NirError(f"node '{node.name}' (scaled_lif): a neuron without leak has no place here; set leak_shift")

        def spread(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
            return np.broadcast_to(_shaped(values, len(shape) + 1)[0], shape).astype(np.float32)

        return nir.LIF(
            tau=np.full(shape, dt / rate, np.float32),
            r=spread(scaled.multiplier * unit / rate),
            v_leak=np.zeros(shape, np.float32),
            v_reset=np.zeros(shape, np.float32),
            v_threshold=spread((scaled.theta - 0.5) * unit),
        )

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return every field that decides a result."""
        scaled = cast("ScaledLif", node)
        return {
            "u_bits": scaled.u_bits,
            "multiplier": scaled.multiplier,
            "theta": scaled.theta,
            "fraction": scaled.fraction,
            "leak_shift": scaled.leak_shift,
        }

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node from its fields; the reader holds it against ``nir_node``."""
        return ScaledLif(
            name,
            u_bits=fields.integer("u_bits"),
            multiplier=fields.integers("multiplier"),
            theta=fields.integers("theta"),
            fraction=fields.integer("fraction"),
            leak_shift=fields.integer("leak_shift"),
        )


def _shaped(values: IntArray, ndim: int) -> IntArray:
    """Shape a scalar or per-channel constant so that it broadcasts over (batch, *shape)."""
    return values.reshape((1, -1) + (1,) * (ndim - 2))
