"""Where some quantities have a format and others are FP32: floats, with the values of the formats in place."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spikequant import QFormat
from spikequant_nir.dynamics import NEURON_KINDS
from spikequant_nir.engine_float import Arrays
from spikequant_nir.engine_neurons import Grid, Steps
from spikequant_nir.graph import Graph
from spikequant_nir.lower_grids import StateFormats
from spikequant_nir.lower_scales import Scales


def mixed_arrays(scales: Scales, arrays: Arrays) -> dict[str, dict[str, Tensor]]:
    """Return a network's arrays with every weight replaced by the value of its code, gains divided out again."""
    found = {name: dict(values) for name, values in arrays.items()}
    for key, part in scales.folding.parts.items():
        if part.node is None:
            continue
        weight, codes = arrays[key]["weight"], scales.codes(key)
        rows = part.factor.reshape(-1, *[1] * (weight.dim() - 1)) if part.factor.dim() else part.factor
        rows = rows.to(weight.device)
        value = codes.weight.double() * codes.unit / torch.where(rows == 0, torch.ones_like(rows), rows)
        found[key]["weight"] = torch.where(rows == 0, weight.double(), value).float()
    return found


def mixed_grids(graph: Graph, formats: StateFormats) -> Mapping[str, Grid]:
    """Return the grids of potentials, and of currents, that have a Qi.f."""
    found: dict[str, Grid] = {}
    for index, node in enumerate(graph.nodes):
        if node.kind in NEURON_KINDS and node.kind != "Threshold":
            v, i = (_steps(name, fmt, formats, index) for name, fmt in (("V", formats.V), ("I", formats.I)))
            found[node.name] = Grid(v, i)
    return found


def _steps(name: str, fmt: object, formats: StateFormats, index: int) -> Steps | None:
    if not isinstance(fmt, QFormat):
        return None
    return Steps(fmt.step, fmt.code_range, formats.rule, (formats.seed + index, name))
