r"""What the plain graph says of the four kinds: NIR's neurons in lattice units, float32 in neuron shape.

One Euler step of NIR's LIF is :math:`v \leftarrow (1 - dt/\tau) v + (dt/\tau)(r x + v_{leak})`. So a decay a becomes
:math:`\tau = dt / (1 - a)`, an input shift k :math:`r = 2^k / (1 - a)`, and a bias b :math:`v_{leak} = b / (1 - a)`;
CubaLIF has the same for its current with ``w_in``. IF and I, whose step is :math:`v \leftarrow v + dt\, r x`, stand
where nothing leaks and nothing is added.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikequant.nir_profile.neurons import exact_tau, spread
from spikequant.program import IntArray, Shape
from spikequant_cuba.cell import Cell
from spikequant_cuba.firing import Firing
from spikequant_cuba.synapse import Synapse

LEAST_RATE = 2.0**-24
"""NIR's time constants are finite: where nothing decays beside what does, this much is lost at each step."""
EXACT_THETA = 1 << 23
Float64 = NDArray[np.float64]


def graph_node(cell: Cell, shape: Shape, dt: float) -> nir.NIRNode:
    """Return the NIR node of ``cell``: IF or I where nothing leaks, else LIF, LI, CubaLIF or CubaLI."""
    rate = _rates(cell, cell.decay, shape)
    gain = np.full(shape, 2.0**cell.input_shift)
    fires: dict[str, Any] = _fires(cell, shape) if isinstance(cell, Firing) else {}
    if isinstance(cell, Synapse):
        synaptic = np.maximum(_rates(cell, cell.i_decay, shape), LEAST_RATE)
        rate = np.maximum(rate, LEAST_RATE)
        kind = nir.CubaLIF if fires else nir.CubaLI
        return kind(
            tau_syn=_taus(synaptic, dt),
            tau_mem=_taus(rate, dt),
            r=_float32(2.0**cell.i_shift / rate),
            v_leak=_leak(cell, shape, rate),
            w_in=_float32(gain / synaptic),
            **fires,
        )
    if not rate.any() and cell.bias is None:
        kind = nir.IF if fires else nir.I
        return kind(r=_float32(gain / dt), **fires)
    rate = np.maximum(rate, LEAST_RATE)
    kind = nir.LIF if fires else nir.LI
    return kind(tau=_taus(rate, dt), r=_float32(gain / rate), v_leak=_leak(cell, shape, rate), **fires)


def integrates(cell: Cell) -> bool:
    """Return whether the graph's time constant is a stand-in somewhere: nothing decays, and no IF or I can say so.

    >>> from spikequant_cuba import FixedLi
    >>> integrates(FixedLi("n", decay=np.array(1), decay_bits=0))
    False
    """
    one = 1 << cell.decay_bits
    if isinstance(cell, Synapse):
        return bool((cell.decay == one).any() or (cell.i_decay == one).any())
    whole = cell.decay == one
    return bool(whole.any() and (cell.bias is not None or not whole.all()))


def _rates(cell: Cell, decay: IntArray, shape: Shape) -> Float64:
    """Return what is lost at each step, as a part of what there is."""
    return np.array(1.0 - spread(decay, shape, cell.name) / float(1 << cell.decay_bits), np.float64)


def _taus(rates: Float64, dt: float) -> NDArray[np.float32]:
    """Return the time constants from which float32 arithmetic gives the rates back, where there are such."""
    found, places = np.unique(rates, return_inverse=True)
    taus = np.array([exact_tau(float(rate), dt) for rate in found], np.float32)
    return taus[places].reshape(rates.shape)


def _leak(cell: Cell, shape: Shape, rate: Float64) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32) if cell.bias is None else _float32(spread(cell.bias, shape, cell.name) / rate)


def _fires(cell: Firing, shape: Shape) -> dict[str, NDArray[np.float32]]:
    """Return the threshold, just under theta so that NIR's ``>`` fires where ``>=`` does, and the reset."""
    theta = spread(cell.theta, shape, cell.name).astype(np.float64)
    near = theta - np.where(np.abs(theta) < 8, 2.0**-20, 2.0**-16)
    rounded = theta.astype(np.float32)
    below = np.where(rounded < theta, rounded, np.nextafter(rounded, np.float32(-np.inf)))
    return {
        "v_threshold": np.where(np.abs(theta) <= 128, near, below).astype(np.float32),
        "v_reset": _float32(spread(cell.reset_value, shape, cell.name)),
    }


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.array(values, np.float32)
