"""The values of a graph as parameters and buffers of a model, and small things made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from spikequant_nir.folding import Folding
from spikequant_nir.graph import GraphNode
from spikequant_nir.lower import Lowered


class NodeArrays(nn.Module):
    """Arrays of one node: weights and biases are parameters, a neuron's constants are buffers."""

    def __init__(self, node: GraphNode) -> None:
        super().__init__()
        for key, array in node.arrays.items():
            tensor = torch.from_numpy(np.array(array))
            if key in ("weight", "bias"):
                self.register_parameter(key, nn.Parameter(tensor))
            else:
                self.register_buffer(key, tensor)

    def tensors(self) -> dict[str, Tensor]:
        """Return the arrays by field name."""
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}


def constants_on_cpu(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the arrays that are no weights, on the CPU, where the factors of neurons are made."""
    return {key: tensor.detach().cpu() for key, tensor in arrays.items() if key not in ("weight", "bias")}


def spread_codes(codes: Tensor, lowered: Lowered, name: str) -> Tensor:
    """Return the codes of a part as its node has them: of a diagonal in full."""
    node = next(node for node in lowered.nodes if node.name == name)
    shape = tuple(getattr(node, "codes").shape)  # noqa: B009 - a Weighted node
    if codes.numel() == math.prod(shape):
        return codes.reshape(shape)
    each = codes.reshape(-1).expand(shape[0])
    return torch.diag(each) if len(shape) == 2 else each.reshape(shape)


@torch.no_grad()
def folded_weights(folding: Folding, arrays: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
    """Return all weights as their format will have them, gains taken in, in one row."""
    found = []
    for key, part in folding.parts.items():
        if part.node is None:
            found.append(part.factor.float().flatten())
        else:
            weight = arrays[key]["weight"]
            rows = part.factor.reshape(-1, *[1] * (weight.dim() - 1)) if part.factor.dim() else part.factor
            found.append((weight.double().cpu() * rows).float().flatten())
    return torch.cat(found) if found else torch.zeros(1)
