"""Widths that a layer needs of the core, from the program's worst case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikequant.program import Lif, Program, Readout
from spikequant_mint_rtl.layer import Layer, Taps


def signed_width(values: list[int]) -> int:
    """Two's complement width that holds all values.

    >>> signed_width([127, -128]), signed_width([128])
    (8, 9)
    """
    return max(value.bit_length() if value >= 0 else (-value - 1).bit_length() for value in values) + 1


def acc_bits_needed(program: Program, layer: Layer, *, uq: bool) -> int:
    """Width of the lanes' accumulators and constants: sums with and without bias, H, theta, H - theta."""
    low, high = sum_limits(layer)
    neuron = layer.neuron
    values = [low, high, *(int(value) for part in layer.parts for value in (part.codes.min(), part.codes.max()))]
    if layer.own_bias is not None:
        values += [int(layer.own_bias.min()), int(layer.own_bias.max())]
    if isinstance(neuron, Lif):
        top = (1 << (neuron.u_bits - 1)) - 1
        values += [top + 1, -top - 1]
        if not uq:
            values += lif_limits(neuron, low, high)
    elif isinstance(neuron, Readout):
        values += [*program.ranges[neuron.name], low * layer.timesteps, high * layer.timesteps]
    return signed_width(values)


def lif_limits(neuron: Lif, low: int, high: int) -> list[int]:
    """Extremes of H, theta and H - theta of a ``lif`` whose sum, bias and all, lies in ``[low, high]``."""
    h_low, h_high = replace(neuron, bias=None).pre_reset_limits(low, high)
    theta = int(neuron.theta.min()), int(neuron.theta.max())
    reduced = [h_high - theta[0]] if neuron.reset.kind == "subtract" else []
    return [h_low, h_high, *theta, *reduced]


def sum_limits(layer: Layer) -> tuple[int, int]:
    """Bounds of a layer's sum, over all outputs and inputs, with the bias and without it."""
    low, high = np.zeros(layer.out_shape[0], np.int64), np.zeros(layer.out_shape[0], np.int64)
    for part in layer.parts:
        codes = part.codes.reshape(part.codes.shape[0], -1)
        most = part.window[0] * part.window[1] * ((1 << part.planes) - 1) if isinstance(part, Taps) else 1
        low += np.minimum(codes, 0).sum(axis=1) * most
        high += np.maximum(codes, 0).sum(axis=1) * most
    bias = 0 if layer.own_bias is None else layer.own_bias
    return int(min(low.min(), (low + bias).min())), int(max(high.max(), (high + bias).max()))
