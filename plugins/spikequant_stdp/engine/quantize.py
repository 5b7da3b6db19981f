"""Rounding of the network's variables to their grids, with random numbers keyed by step and element."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.formats import QFormat
from spikequant.rounding import Codes, Rounding, from_codes, to_codes
from spikequant_stdp.engine.parameters import Formats, Parameters, State


def quantized_weights(formats: Formats, w: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights that a trained network computes with: rounded once, or as they are in FP32.

    Stochastic rounding draws from ``RandomKey(seed, "w_ptq")``, the element being ``input * neurons + neuron``.
    A weight on the grid stays as it is, under every rounding.

    Args:
        formats: Formats and rounding.
        w: Shape ``(inputs, neurons)``.

    >>> quantized_weights(Formats(w=QFormat(0, 2)), np.array([[0.3, 0.95]], dtype=np.float32))
    array([[0.25, 0.75]], dtype=float32)
    """
    if formats.w is None:
        return w
    return _whole(formats, formats.w, w, "w_ptq").astype(np.float32)


def quantized_theta(
    p: Parameters, formats: Formats, theta: NDArray[np.float32] | NDArray[np.float64]
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return theta such that ``threshold + theta`` is on the grid of Vth, float64; or theta as float32 in FP32.

    Stochastic rounding draws from ``RandomKey(seed, "Vth_ptq")``, the element being the neuron.

    Args:
        p: Has the threshold.
        formats: Formats and rounding.
        theta: Shape ``(neurons,)``.

    >>> quantized_theta(Parameters(2, 1), Formats(Vth=QFormat(6, 1)), np.array([0.3], dtype=np.float32))
    array([0.5])
    """
    if formats.Vth is None:
        return theta.astype(np.float32)
    rounded = _whole(formats, formats.Vth, _thresholds(p, theta), "Vth_ptq") - p.threshold
    return rounded.astype(np.float64)


def overflows(p: Parameters, formats: Formats, state: State) -> dict[str, int]:
    """Return how many weights and thresholds lie beyond their formats, for those that are not FP32.

    >>> w = np.array([[0.3, 1.5, -0.2]], dtype=np.float32)
    >>> overflows(Parameters(1, 3), Formats(w=QFormat(0, 2, signed=False)), State(w, np.zeros(3, np.float32)))
    {'w': 2}
    """
    found = {}
    if formats.w is not None:
        found["w"] = _codes(formats, formats.w, state.w, "w_ptq").overflows
    if formats.Vth is not None:
        found["Vth"] = _codes(formats, formats.Vth, _thresholds(p, state.theta), "Vth_ptq").overflows
    return found


def on_grid(x: Tensor, fmt: QFormat, formats: Formats, key: RandomKey, elements: Tensor) -> Tensor:
    """Return ``x`` rounded to a format's grid, with overflow as ``formats`` says.

    Args:
        x: Real values of any shape.
        fmt: The grid.
        formats: Rounding and overflow.
        key: Of the random numbers of ``SR``.
        elements: int64 index of each value in the stream of ``key``; broadcasts with ``x``.

    Returns:
        float64 like ``x``.

    Note:
        ``to_codes`` numbers the elements by their place in ``x``. Here they may have any number, so that a row or
        a column of the weights, or a batch of images, draws the numbers that its elements have by themselves.
    """
    if formats.rounding == Rounding.SR:
        ratio = x.to(torch.float64) / fmt.step
        below = torch.floor(ratio)
        chance = uniforms(key, elements)
        up = torch.where(below == -1.0, chance - 1.0 < ratio, chance < ratio - below)
        codes = to_codes((below + up) * fmt.step, fmt, Rounding.TR, formats.overflow).codes
    else:
        codes = to_codes(x, fmt, formats.rounding, formats.overflow).codes
    return codes.to(torch.float64) * fmt.step


def _thresholds(p: Parameters, theta: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    whole: NDArray[np.float64] = p.threshold + theta.astype(np.float64)
    return whole


def _codes(formats: Formats, fmt: QFormat, x: NDArray[np.floating], tensor: str) -> Codes[NDArray[Any]]:
    return to_codes(x, fmt, formats.rounding, formats.overflow, RandomKey(formats.seed, tensor))


def _whole(formats: Formats, fmt: QFormat, x: NDArray[np.floating], tensor: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = from_codes(_codes(formats, fmt, x, tensor).codes, fmt)
    return values
