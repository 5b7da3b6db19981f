"""Check the arrays given to a program and shape them as one array per input node and timestep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.program import Input, IntArray, Program


def input_values(program: Program, inputs: NDArray[Any] | Mapping[str, NDArray[Any]]) -> dict[str, IntArray]:
    """Return int64 ``(timesteps, batch, *shape)`` for each input node; a direct input is a broadcast view.

    Raises:
        UsageError: A node gets no array, an array has the wrong shape or type, values do not fit the
            node's width, or batches differ.
    """
    given = inputs if isinstance(inputs, Mapping) else {program.input.name: inputs}
    names = {node.name for node in program.inputs}
    if set(given) != names:
        raise UsageError(f"the program has inputs {sorted(names)}, and arrays were given for {sorted(given)}")
    values = {node.name: _checked(node, np.asarray(given[node.name]), program.timesteps) for node in program.inputs}
    batches = {array.shape[1] for array in values.values()}
    if len(batches) > 1:
        raise UsageError(f"inputs have batches of {sorted(batches)} samples; all must be equal")
    return values


def _checked(node: Input, array: NDArray[Any], timesteps: int) -> IntArray:
    lead = ("batch",) if node.coding == "direct" else (timesteps, "batch")
    wanted = f"({', '.join(map(str, [*lead, *node.shape]))})"
    fits = array.ndim == len(lead) + len(node.shape) and array.shape[len(lead) :] == node.shape
    if not fits or (node.coding == "per_step" and array.shape[0] != timesteps):
        raise UsageError(f"input '{node.name}' ({node.coding}) has shape {array.shape}; it must be {wanted}")
    if array.shape[len(lead) - 1] == 0:
        raise UsageError(f"input '{node.name}' holds no sample; give at least one")
    if array.dtype.kind not in "iub":
        raise UsageError(f"input '{node.name}' holds {array.dtype} values; it must hold integers of {node.bits} bits")
    low, high = node.limits
    if array.min() < low or array.max() > high:
        raise UsageError(
            f"input '{node.name}' holds values {array.min()}..{array.max()}; its {node.bits} bits hold {low}..{high}"
        )
    values = array.astype(np.int64)
    return values if node.coding == "per_step" else np.broadcast_to(values, (timesteps, *values.shape))
