"""One layer of neurons as a node of the program: constants on their grids, thresholds by the model's strictness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikequant.errors import UsageError
from spikequant.program import IntArray, Leak, Lif, Reset, SpikingNode
from spikequant_cuba import CubaLi, CubaLif, FixedLi, FixedLif
from spikequant_nir.dynamics import Cell
from spikequant_nir.lower_grids import StateFormats, StateGrid

LEAST_BIAS = 0.5
MOST_SHIFT = 32


@dataclass(frozen=True, eq=False)
class Layer:
    """What a node is made of.

    Attributes:
        name: Of the node.
        kind: In NIR's words.
        cell: Dynamics.
        grid: Of its states.
        lsb: Real size of one unit of V.
        formats: Rules of its arithmetic.
        index: Number of the layer: keys its random numbers.
        notes: Where what is lost is told.
    """

    name: str
    kind: str
    cell: Cell
    grid: StateGrid
    lsb: float
    formats: StateFormats
    index: int
    notes: list[str]


def neuron_node(layer: Layer) -> SpikingNode:
    """Return the integer node.

    Raises:
        UsageError: The formats do not hold a constant, or a power of two cannot stand for the layer's leak.
    """
    if layer.formats.leak == "shift" and layer.kind != "Threshold":
        return _lif(layer)
    cell, grid, formats = layer.cell, layer.grid, layer.formats
    cuba = cell.i_decay is not None
    common: dict[str, Any] = {
        "u_bits": grid.v_bits,
        "decay": _decay(layer, "decay", cell.decay),
        "decay_bits": formats.decay_bits,
        "rounding": formats.rule,
        "seed": formats.seed + layer.index,
        "overflow": formats.overflow,
        "input_shift": _shift(layer, grid.i_frac if cuba else grid.v_frac),
        "bias": _bias(layer),
        "v_min": None if cell.rules.v_min is None else _integer(round(cell.rules.v_min / layer.lsb)),
        "lsb": np.array(layer.lsb),
    }
    if cuba and cell.i_decay is not None:
        common |= {
            "i_bits": grid.i_bits,
            "i_decay": _decay(layer, "current's decay", cell.i_decay),
            "i_shift": _shift(layer, grid.v_frac - grid.i_frac),
            "order": "current_first" if cell.rules.current == "new" else "potential_first",
        }
    if cell.threshold is None:
        return CubaLi(layer.name, **common) if cuba else FixedLi(layer.name, **common)
    word, value = _reset(layer)
    fires: dict[str, Any] = {
        "theta": theta_of(layer),
        "reset": word,
        "reset_value": value,
        "reset_delay": cell.rules.reset_delay,
        "most_spikes": cell.rules.most_spikes,
    }
    return CubaLif(layer.name, **common, **fires) if cuba else FixedLif(layer.name, **common, **fires)


def theta_of(layer: Layer) -> IntArray:
    """Return the integer threshold: the smallest H that fires; of several spikes a step the nearest whole number.

    A strict ``h > v_th`` is ``H >= floor(v_th / lsb) + 1``, and ``h >= v_th`` is ``H >= ceil(v_th / lsb)``. Several
    spikes a step are whole parts of ``H / theta``, which the nearest number gives best under either.
    """
    rules, threshold = layer.cell.rules, layer.cell.threshold
    if threshold is None:
        raise UsageError(f"node '{layer.name}' ({layer.kind}) has no threshold")
    ratio = _snapped(threshold / layer.lsb)
    if rules.most_spikes > 1:
        codes = torch.floor(ratio + 0.5).clamp_min(1)
        if bool((ratio < LEAST_BIAS).any()):
            layer.notes.append(f"node '{layer.name}': its threshold is below one unit of V and became one")
    elif rules.fire == ">":
        codes = torch.floor(ratio) + 1
    else:
        codes = torch.ceil(ratio)
    return _integers(layer, codes)


def _shift(layer: Layer, shift: int) -> int:
    if abs(shift) > MOST_SHIFT:
        raise UsageError(
            f"node '{layer.name}': one unit of its state is 2**{-shift} units of what enters it, and a node shifts by"
            f" {MOST_SHIFT} bits at most; give w and the states before it fewer bits, or this one others"
        )
    return shift


def _snapped(ratio: Tensor) -> Tensor:
    """Return ``ratio`` with values within float error of a whole number made whole: they were meant to be."""
    nearest = torch.round(ratio)
    return torch.where((ratio - nearest).abs() <= 1e-9 * nearest.abs().clamp_min(1), nearest, ratio)


def _decay(layer: Layer, what: str, decay: Tensor) -> IntArray:
    codes = torch.floor(decay * (1 << layer.formats.decay_bits) + 0.5)
    if bool(((codes == 1 << layer.formats.decay_bits) & (decay < 1)).any()):
        layer.notes.append(
            f"node '{layer.name}': its {what} of {float(decay.max()):.6g} became 1, no leak, at"
            f" {layer.formats.decay_bits} decay bits; set neuron.decay_bits higher"
        )
    return _integers(layer, codes)


def _bias(layer: Layer) -> IntArray | None:
    codes = _integers(layer, torch.floor(layer.cell.offset / layer.lsb + 0.5))
    return codes if codes.any() else None


def _reset(layer: Layer) -> tuple[Any, IntArray]:
    word = {"zero": "zero", "subtract": "subtract", "to-value": "value"}[layer.cell.rules.reset]
    value = _integers(layer, torch.floor(layer.cell.v_reset / layer.lsb + 0.5))
    if word == "value" and value.any():
        return "value", value
    return ("zero" if word == "value" else word), np.zeros((), np.int64)


def _lif(layer: Layer) -> Lif:
    """Return the core's ``lif``, whose leak is a shift."""
    cell, rules = layer.cell, layer.cell.rules
    for met, what, option in (
        (cell.i_decay is not None, "a synaptic current", "leak=multiply"),
        (cell.threshold is None, "no spikes", "leak=multiply"),
        (rules.most_spikes > 1, f"up to {rules.most_spikes} spikes a step", "most_spikes=1, or leak=multiply"),
        (rules.reset_delay == 1, "a delayed reset", "reset_delay=0, or leak=multiply"),
        (rules.v_min is not None, "a lower bound of its potential", "no v_min, or leak=multiply"),
    ):
        if met:
            raise UsageError(
                f"node '{layer.name}' ({layer.kind}) has {what}, and neuron.leak is 'shift', whose node 'lif' knows no"
                f" such thing; use {option}"
            )
    word, value = _reset(layer)
    if value.size != 1:
        raise UsageError(
            f"node '{layer.name}': v_reset differs between its neurons, and neuron.leak is 'shift', whose node 'lif'"
            " has one value for all; use leak=multiply"
        )
    reset = Reset(word, int(value.reshape(-1)[0]))
    return Lif(
        layer.name,
        u_bits=layer.grid.v_bits,
        theta=theta_of(layer),
        leak=_leak(layer),
        reset=reset,
        bias=_bias(layer),
        lsb=np.array(layer.lsb),
    )


def _leak(layer: Layer) -> Leak:
    """Return the nearest power of two on a log scale, and note what it changes."""
    decay = layer.cell.decay
    if bool((decay == 1).all()):
        return Leak()
    if not bool((decay > 0).all()):
        raise UsageError(f"node '{layer.name}': its decay is 0, which is no shift; use leak=multiply")
    shifts = torch.floor(-torch.log2(decay) + 0.5)
    if shifts.min() != shifts.max():
        raise UsageError(
            f"node '{layer.name}': its neurons' decays {float(decay.min()):.4g} to {float(decay.max()):.4g} need"
            " different shifts, and node 'lif' has one; use leak=multiply"
        )
    shift = int(shifts.max())
    layer.notes.append(
        f"node '{layer.name}': its decay of {float(decay.min()):.6g} became {2.0**-shift:.6g} (leak=shift)"
    )
    return Leak.by_shift(shift) if shift else Leak()


def _integers(layer: Layer, values: Tensor) -> IntArray:
    """Return whole numbers as int64, of one axis per map of a program: a map without a height gets one of 1."""
    found = values.detach().cpu().numpy()
    if not np.isfinite(found).all() or float(np.abs(found).max(initial=0)) >= 2.0**62:
        raise UsageError(
            f"node '{layer.name}': a constant is beyond 62 bits in units of its grid; give w and V fewer fraction bits"
        )
    codes: IntArray = found.astype(np.int64)
    return codes[:, None, :] if codes.ndim == 2 else codes


def _integer(value: int) -> IntArray:
    return np.array(value, np.int64)


def log2_of(size: float) -> int:
    """Return f of a size ``2**-f``."""
    return -round(math.log2(size))
