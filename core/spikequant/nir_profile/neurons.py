r"""How spiking nodes map to NIR: the contract for plugins, and the mapping of ``lif``.

One Euler step of NIR's :math:`\tau \dot v = (v_{leak} - v) + r I` over ``dt`` is
:math:`v \leftarrow (1 - dt/\tau)\,v + (dt/\tau)\,v_{leak} + (dt/\tau)\,r\,I`, and IF's is
:math:`v \leftarrow v + dt\,r\,I`; a spike is :math:`v > v_{threshold}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

import nir
import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError
from spikequant.nir_profile.fields import Fields
from spikequant.nir_profile.profile import EXACT
from spikequant.program import IntArray, Leak, Lif, Reset, Shape, SpikingNode

Float32 = NDArray[np.float32]


class NodeMapping(Protocol):
    """How a neuron plugin's spiking node travels in a NIR file."""

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the NIR node in lattice units, parameters float32 of the neurons' ``shape``, ``dt`` in seconds."""

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return every field that decides a result: bools, integers, floats, text, numeric arrays or ``None``."""

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node; the reader exports it once more and refuses the file if ``nir_node`` differs."""


@runtime_checkable
class BeyondMapping(NodeMapping, Protocol):
    """A mapping that also says which rules of a node the plain graph loses; the others list their kind alone."""

    def beyond_nir(self, node: SpikingNode) -> Sequence[str]:
        """Return the names of these rules.

        A name of the profile's own (``saturation``, ``wrap``, ``soft_reset``, ``leak_rounding`` and
        ``leak_precision``) means what it means for ``lif`` and is counted with it; any other is listed as
        ``KIND:NAME``.
        """


Kinds = Mapping[str, NodeMapping]


class LifMapping:
    """``lif`` as NIR's LIF, or as IF where nothing leaks."""

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the LIF or IF node.

        Raises:
            NirError: A constant is not exact in float32, or a bias meets IF, which has no leak potential.
        """
        lif = cast("Lif", node)
        v_threshold = thresholds(lif.name, spread(lif.theta, shape))
        v_reset = np.full(shape, _reset_value(lif), np.float32)
        rate = 1.0 - lif.leak.factor
        if rate == 0.0:
            if lif.bias is not None:
                raise NirError(
                    f"node '{lif.name}' (lif): a bias without a leak has no place in NIR's IF;"
                    " put the bias into the layer before"
                )
            return nir.IF(r=np.full(shape, 1.0 / dt, np.float32), v_reset=v_reset, v_threshold=v_threshold)
        return nir.LIF(
            tau=np.full(shape, exact_tau(rate, dt), np.float32),
            r=np.full(shape, 1.0 / rate, np.float32),
            v_leak=_leak_potential(lif, shape, rate),
            v_reset=v_reset,
            v_threshold=v_threshold,
        )

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return the fields of section "lif" of the profile."""
        lif = cast("Lif", node)
        return {
            "u_bits": lif.u_bits,
            "theta": lif.theta,
            "leak_kind": lif.leak.kind,
            "leak_shift": lif.leak.shift,
            "leak_multiplier": lif.leak.multiplier,
            "leak_rounding": lif.leak.rounding,
            "order": lif.order,
            "reset_kind": lif.reset.kind,
            "reset_value": lif.reset.value,
            "overflow": lif.overflow,
            "bias": lif.bias,
            "lsb": lif.lsb,
        }

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node, its threshold re-derived as ``ceil(v_threshold)`` and held against the metadata.

        Raises:
            NirError: The two halves disagree.
        """
        if not isinstance(nir_node, (nir.LIF, nir.IF)):
            raise NirError(f"node '{name}': it is a {type(nir_node).__name__}, and a lif must be a LIF or an IF")
        theta = fields.integers("theta")
        derived = np.ceil(np.asarray(nir_node.v_threshold, np.float64))
        if not np.array_equal(derived, spread(theta, derived.shape, name)):
            raise NirError(
                f"node '{name}': theta from v_threshold is {_few(derived)}, and the metadata says {_few(theta)};"
                " the halves of the file disagree, so write it again from the program"
            )
        leak = Leak(
            cast("Any", fields.text("leak_kind")),
            fields.integer("leak_shift"),
            fields.integer("leak_multiplier"),
            cast("Any", fields.text("leak_rounding")),
        )
        return Lif(
            name,
            u_bits=fields.integer("u_bits"),
            theta=theta,
            leak=leak,
            order=cast("Any", fields.text("order")),
            reset=Reset(cast("Any", fields.text("reset_kind")), fields.integer("reset_value")),
            overflow=cast("Any", fields.text("overflow")),
            bias=fields.optional_integers("bias"),
            lsb=fields.floats("lsb"),
        )


def thresholds(name: str, theta: IntArray) -> Float32:
    """Return ``theta - eps`` in float32, so that NIR's ``v > v_threshold`` is ``v >= theta`` on the lattice.

    eps is 2**-20 below 8, 2**-16 up to 128, and beyond that the distance to the next float32 below.

    Raises:
        NirError: float32 has no value between ``theta - 1`` and ``theta``.

    >>> [float(v) for v in thresholds("lif", np.array([5, 100]))] == [5 - 2**-20, 100 - 2**-16]
    True
    """
    size, exact = np.abs(theta), theta.astype(np.float64)
    near = np.where(size < 8, exact - 2.0**-20, exact - 2.0**-16)
    below = np.nextafter(theta.astype(np.float32), np.float32(-np.inf))
    values = np.where(size <= 128, near, below).astype(np.float32)
    if size.max() >= EXACT or not np.array_equal(np.ceil(values.astype(np.float64)), exact):
        raise NirError(
            f"node '{name}': theta {theta.flat[size.argmax()]} is not exact as a NIR threshold;"
            " float32 needs it within +-2**23, so use fewer weight bits"
        )
    return values


def exact_tau(rate: float, dt: float) -> np.float32:
    """Return the float32 tau near ``dt / rate`` for which ``float32(dt) / tau`` is ``rate``, where there is one.

    >>> float(np.float32(1e-4) / exact_tau(0.75, 1e-4))
    0.75
    """
    step, wanted = np.float32(dt), np.float32(rate)
    tau = np.float32(step / wanted)
    around = np.array([tau, np.nextafter(tau, np.float32(0)), np.nextafter(tau, np.float32(np.inf))], np.float32)
    hits = np.flatnonzero(step / around == wanted)
    return around[hits[0] if hits.size else 0]  # type: ignore[no-any-return]


def leak_is_exact(rate: float, dt: float) -> bool:
    """Return whether ``float32(dt) / tau`` gives ``rate`` back, as it does for every power of two."""
    return bool(np.float32(dt) / exact_tau(rate, dt) == np.float32(rate))


def spread(parameter: NDArray[Any], shape: Shape, name: str = "") -> NDArray[Any]:
    """Return a per-layer, per-channel or per-neuron parameter in neuron shape."""
    if parameter.ndim == 1:
        parameter = parameter.reshape((-1,) + (1,) * (len(shape) - 1))
    try:
        return np.broadcast_to(parameter, shape)
    except ValueError as error:
        raise NirError(f"node '{name}': a constant of shape {parameter.shape} does not fit neurons {shape}") from error


def _leak_potential(lif: Lif, shape: Shape, rate: float) -> Float32:
    """Return ``bias / rate``, from which ``bias`` comes back by rounding."""
    if lif.bias is None:
        return np.zeros(shape, np.float32)
    bias = spread(lif.bias, shape)
    v_leak = (bias / rate).astype(np.float32)
    if np.abs(v_leak).max() >= EXACT or not np.array_equal(np.rint(v_leak.astype(np.float64) * rate), bias):
        raise NirError(f"node '{lif.name}' (lif): bias {_few(bias)} is not exact in float32; use fewer weight bits")
    return v_leak


def _reset_value(lif: Lif) -> int:
    value = lif.reset.value if lif.reset.kind == "value" else 0
    if abs(value) >= EXACT:
        raise NirError(f"node '{lif.name}' (lif): reset.value is {value}; float32 needs it within +-2**24")
    return value


def _few(values: NDArray[Any]) -> str:
    return ", ".join(f"{value:g}" for value in values.reshape(-1)[:4]) + (", ..." if values.size > 4 else "")
