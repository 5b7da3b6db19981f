"""A trained DECOLLE network with quantized variables as an integer program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from spikequant import InputCoding, QFormat
from spikequant.errors import UsageError
from spikequant.program import (
    Conv2d,
    Dense,
    Flatten,
    Input,
    IntArray,
    Node,
    PoolOr,
    Readout,
)
from spikequant_decolle.grid import Grid
from spikequant_decolle.layer import READOUT_BITS, DecolleLayer
from spikequant_decolle.names import layer_names
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.parameters import Constants, Formats, code_of
from spikequant_decolle.reading import Reading
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner


def ssnn_chain(
    layers: Sequence[DecolleLayer],
    weights: Sequence[Tensor],
    constants: Constants,
    formats: Formats,
    coding: InputCoding,
    reading: Reading,
) -> tuple[Node, ...]:
    """Return the nodes of a network in a chain: each layer's traces, weighted sums, neurons, OR-pooling; then the vote.

    Args:
        layers: Of the network.
        weights: What each layer computes with, values on the grid of w.
        constants: As trained; the program holds them on their grids.
        formats: Of all five variables.
        coding: Of one timestep's input.
        reading: How spikes become a class.

    Raises:
        UsageError: A variable is FP32, or a weight is not on its grid.
        ProgramError: A field is out of its domain.
    """
    w = _format(formats, "w")
    chain: list[Node] = [Input("input", coding.shape, bits=coding.bits, coding="per_step")]
    shape = coding.shape
    for index, (layer, values) in enumerate(zip(layers, weights, strict=True)):
        names = layer_names(index)
        if len(shape) > 1 and not layer.plan.kernel:
            chain.append(Flatten(names.flatten))
        chain += [
            _trace(names.trace, index, constants.on_grid, formats),
            _weighted(names.weights, layer, _codes("w", values, w), w),
            _neurons(names.neurons, index, layer, constants.on_grid, formats),
        ]
        if layer.plan.pool > 1:
            chain.append(PoolOr(names.pool, (layer.plan.pool,) * 2, (layer.plan.pool,) * 2))
        shape = layer.pooled_shape
    if len(shape) > 1:
        chain.append(Flatten("features"))
    last = layers[-1]
    scores = last.G.cpu().numpy().astype(np.int64)
    chain.append(Dense("score", scores, bits=READOUT_BITS, lsb=np.array(last.readout_lsb)))
    if reading.decode == "mode":
        votes = np.eye(reading.classes, dtype=np.int64)
        chain += [Winner("winner", start=reading.burn_in), Dense("votes", votes, bits=1, signed=False)]
    chain.append(Readout("readout"))
    return tuple(chain)


def _trace(name: str, index: int, constants: Constants, formats: Formats) -> DecolleTrace:
    alpha, alpha_shift = code_of(constants.alpha)
    beta, beta_shift = code_of(constants.beta)
    return DecolleTrace(
        name,
        p_fmt=_format(formats, "P"),
        q_fmt=_format(formats, "Q"),
        alpha=alpha,
        alpha_shift=alpha_shift,
        p_gain=_gain(constants, alpha, alpha_shift),
        beta=beta,
        beta_shift=beta_shift,
        q_gain=_gain(constants, beta, beta_shift),
        rounding=formats.rounding,
        overflow=formats.overflow,
        seed=_seed(formats, index),
    )


def _neurons(name: str, index: int, layer: DecolleLayer, constants: Constants, formats: Formats) -> DecolleNeurons:
    gamma, gamma_shift = code_of(constants.gamma)
    rho, rho_shift = code_of(constants.rho)
    v = _format(formats, "V")
    thresholds = Grid("V", v, formats, index).round_weights_like(layer.v_th.double())
    return DecolleNeurons(
        name,
        v_fmt=v,
        r_fmt=_format(formats, "R"),
        gamma=gamma,
        gamma_shift=gamma_shift,
        r_gain=_gain(constants, gamma, gamma_shift),
        rho=rho,
        rho_shift=rho_shift,
        x_frac_bits=_format(formats, "w").frac_bits + _format(formats, "P").frac_bits,
        vth=_codes("Vth", thresholds, v),
        rounding=formats.rounding,
        overflow=formats.overflow,
        seed=_seed(formats, index),
    )


def _seed(formats: Formats, index: int) -> int:
    """Return a layer's seed within 64 signed bits: beyond them the random numbers repeat, so these are the same."""
    return (formats.seed + index + (1 << 63)) % (1 << 64) - (1 << 63)


def _weighted(name: str, layer: DecolleLayer, codes: IntArray, w: QFormat) -> Dense | Conv2d:
    shared: dict[str, Any] = {"bits": w.width, "lsb": np.array(w.step), "signed": w.signed}
    if layer.plan.kernel:
        return Conv2d(name, codes, padding=(layer.plan.padding,) * 2, **shared)
    return Dense(name, codes, **shared)


def _gain(constants: Constants, decay: int, shift: int) -> int:
    return (1 << shift) - decay if constants.normalised else 1 << shift


def _format(formats: Formats, name: str) -> QFormat:
    fmt: QFormat | None = getattr(formats, name)
    if fmt is None:
        raise UsageError(
            f"{name} is FP32, and an integer program holds no floats; quantize {name}, for example as Q1.8"
        )
    return fmt


def _codes(name: str, values: Tensor, fmt: QFormat) -> IntArray:
    """Return the codes of values that lie on the grid of ``fmt``."""
    codes = values.detach().double().cpu().numpy() / fmt.step
    low, high = fmt.code_range
    if not np.array_equal(codes, np.floor(codes)) or codes.min() < low or codes.max() > high:
        raise UsageError(f"{name} has values that {fmt} does not hold; quantize the model with the same formats")
    return codes.astype(np.int64)
