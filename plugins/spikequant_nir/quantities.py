"""What of an imported network can have a number format: its weights, potentials and currents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from spikequant import Quantity
from spikequant_nir.dynamics import Cell
from spikequant_nir.graph import WEIGHT_KINDS, Graph


def nir_quantities(graph: Graph, cells: Mapping[str, Cell]) -> tuple[Quantity, ...]:
    """Return the quantities for one sample in flight, weights first.

    ``w`` counts weights and biases; biases lie on the grid of the layer's sums, whatever their size. ``V`` counts a
    potential per neuron and, where thresholds differ, a threshold per neuron. A constant that all neurons of the
    network share has its value; others are part of no count, as a program keeps them beside its codes.
    """
    weights = sum(array.size for n in graph.nodes if n.kind in WEIGHT_KINDS for array in n.arrays.values())
    sizes = {name: math.prod(graph.by_name[name].shape) for name in cells}
    thresholds = sum(cell.threshold.numel() for cell in cells.values() if cell.threshold is not None)
    found = [Quantity("w", "variable", weights, "quantizer", description="weights and biases, gains folded in")]
    if cells:
        kept = sum(sizes.values()) + (thresholds if _common([c.threshold for c in cells.values()]) is None else 0)
        found.append(Quantity("V", "variable", kept, "neuron", description="potentials after reset"))
    cuba = [name for name, cell in cells.items() if cell.i_decay is not None]
    if cuba:
        count = sum(sizes[name] for name in cuba)
        text = "synaptic currents, in what they add to a potential in a step"
        found.append(Quantity("I", "variable", count, "neuron", description=text))
    constants = (
        ("Vth", [cell.threshold for cell in cells.values() if cell.threshold is not None], "threshold"),
        ("alpha", [cell.decay for cell in cells.values()], "what a step leaves of a potential"),
        ("beta", [cell.i_decay for cell in cells.values() if cell.i_decay is not None], "and of a current"),
    )
    for name, values, text in constants:
        value = _common(values)
        if value is not None and not (name == "alpha" and value == 1.0):
            found.append(Quantity(name, "constant", len(values), "", value, None, text))
    return tuple(found)


def _common(values: Sequence[torch.Tensor | None]) -> float | None:
    """Return the value that all share, if they do."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    first = float(known[0].reshape(-1)[0])
    return first if all(bool((value == first).all()) for value in known) else None
