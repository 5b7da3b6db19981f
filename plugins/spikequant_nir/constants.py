"""Neurons and other nodes with a value for each of what enters them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError
from spikequant_nir.expectations import CONSTANTS, Shape
from spikequant_nir.findings import Notes
from spikequant_nir.maps import Layer
from spikequant_nir.numbers_in import array_in
from spikequant_nir.raw import RawNode

TIMES = ("tau", "tau_syn", "tau_mem")
DEFAULTS = {"v_reset": 0.0, "w_in": 1.0}


def constants(node: RawNode, entering: Shape, notes: Notes) -> Layer:
    """Return a node of one value per neuron on values of shape ``entering``.

    Raises:
        NirError: Its constants do not fit what enters it, or no neuron can have them.
    """
    arrays = {key: _fitted(node, key, entering, notes) for key in CONSTANTS[node.kind] if key in node.fields}
    for key in CONSTANTS[node.kind]:
        if key not in arrays:
            arrays[key] = np.array(DEFAULTS[key])
            notes.add(
                "ambiguous", node.name, f"it has no {key}, as older files; {DEFAULTS[key]:g} is taken, as NIR does"
            )
    _check_values(node, arrays)
    if node.kind == "Delay":
        return Layer(entering, {}, {"delay": _delay(node, arrays.pop("delay"))})
    return Layer(entering, arrays)


def _fitted(node: RawNode, key: str, entering: Shape, notes: Notes) -> NDArray[Any]:
    """Return a constant as one number where all are equal, else in the shape of what enters."""
    values = array_in(node, key, np.float64)
    if (values == values.reshape(-1)[0]).all():
        _check_shape(node, key, values, entering, notes)
        return np.array(values.reshape(-1)[0])
    shape = _check_shape(node, key, values, entering, notes)
    return np.array(np.broadcast_to(values.reshape(shape), entering))


def _check_shape(node: RawNode, key: str, values: NDArray[Any], entering: Shape, notes: Notes) -> Shape:
    """Return the shape with which a constant broadcasts to what enters."""
    shape = values.shape
    while len(shape) > len(entering) and shape[0] == 1:
        shape = shape[1:]
    if shape != values.shape and values.size > 1:
        cure = "they are taken for an axis of batches"
        notes.mend(node.name, "its constants begin with axes of 1 that nothing fills", cure)
    if shape == entering or values.size == 1:
        return shape if shape == entering else ()
    if len(entering) > 1 and shape == entering[:1]:
        notes.add("note", node.name, "it has one value of each constant per channel")
        return (*shape, *(1,) * (len(entering) - 1))
    if len(shape) == len(entering) and all(a in (1, b) for a, b in zip(shape, entering, strict=True)):
        return shape
    if math.prod(shape) == math.prod(entering):
        fault = f"its constants have shape {shape}, and what enters it has shape {entering}"
        notes.mend(node.name, fault, "they are taken in that shape, with the last axis fastest")
        return entering
    raise NirError(
        f"{node.where}: its {key} has shape {values.shape}, and what enters it has shape {entering}; it must be that,"
        " one value, or one per channel, so export the network again"
    )


def _check_values(node: RawNode, arrays: Mapping[str, NDArray[Any]]) -> None:
    for key in TIMES:
        if key in arrays and arrays[key].min() <= 0:
            raise NirError(f"{node.where}: its {key} is {arrays[key].min():g} s; a time constant must be more than 0")
    if "v_threshold" in arrays and arrays["v_threshold"].min() <= 0:
        least = arrays["v_threshold"].min()
        raise NirError(f"{node.where}: its v_threshold is {least:g}; neurons start at 0, so it must be more than 0")


def _delay(node: RawNode, delays: NDArray[Any]) -> float:
    if delays.ndim:
        raise NirError(
            f"{node.where}: its delays differ; one delay for a whole node can be run, so use one node for each"
        )
    if delays < 0:
        raise NirError(f"{node.where}: its delay is {float(delays):g} s; it must not be negative")
    return float(delays)
