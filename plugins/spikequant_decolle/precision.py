"""The float type in which a layer's expressions are exact: float32 where 24 bits do, else float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spikequant import QFormat
from spikequant.errors import UsageError
from spikequant_decolle.layer import DecolleLayer
from spikequant_decolle.parameters import Constants, Formats, code_of

FLOAT32_BITS, FLOAT64_BITS = 24, 53
HALF = 1
"""Rounding to nearest adds half a step: one bit more."""


@dataclass(frozen=True)
class Precision:
    """Types of the traces, the weighted sums, and the neurons."""

    trace: torch.dtype = torch.float32
    drive: torch.dtype = torch.float32
    neuron: torch.dtype = torch.float32


def precision_of(layer: DecolleLayer, constants: Constants, formats: Formats, w: Tensor, peak: int) -> Precision:
    """Return the types in which every expression of the layer is exact.

    Where a variable of an expression is FP32 nothing is exact, and float32 does.

    Args:
        layer: For its name in errors and its fan-in.
        constants: On their grids.
        formats: Of the variables.
        w: The weights in use, real values on the grid of their format.
        peak: Largest input value.

    Raises:
        UsageError: An expression needs more than 53 bits.
    """
    p, q, r, v, wf = formats.P, formats.Q, formats.R, formats.V, formats.w
    trace = drive = neuron = torch.float32
    if q is not None:
        reach = _top(q) * constants.beta + peak * constants.gain(constants.beta)
        trace = _type("Q", max(reach, 2 * _top(q)), q.frac_bits + _shift(constants.beta), trace)
    if p is not None and q is not None:
        reach = _top(p) * constants.alpha + _top(q) * constants.gain(constants.alpha)
        trace = _type("P", max(reach, 2 * _top(p)), max(p.frac_bits, q.frac_bits) + _shift(constants.alpha), trace)
    if p is not None and wf is not None:
        reach = float(w.detach().double().abs().flatten(1).sum(1).max()) * _top(p)
        drive = _type("the weighted sum", reach, wf.frac_bits + p.frac_bits, drive)
        if r is not None:
            frac = max(wf.frac_bits + p.frac_bits, r.frac_bits + _shift(constants.rho), v.frac_bits + 1 if v else 0)
            reach = max(reach + constants.rho * _top(r), 2 * _top(v) if v else 0.0)
            neuron = _type("V", reach, frac, neuron)
    if r is not None:
        reach = _top(r) * constants.gamma + constants.gain(constants.gamma)
        neuron = _type("R", max(reach, 2 * _top(r)), r.frac_bits + _shift(constants.gamma), neuron)
    return Precision(trace, drive, neuron)


def _type(what: str, reach: float, frac_bits: int, least: torch.dtype) -> torch.dtype:
    bits = math.frexp(reach)[1] + frac_bits + HALF
    if bits > FLOAT64_BITS:
        raise UsageError(
            f"{what} reaches {reach:g} with {frac_bits} fraction bits: {bits} bits, and {FLOAT64_BITS} are exact;"
            " give the formats fewer fraction bits"
        )
    return torch.float64 if bits > FLOAT32_BITS else least


def _top(fmt: QFormat) -> float:
    low, high = fmt.range
    return max(-low, high)


def _shift(value: float) -> int:
    return code_of(value)[1]
