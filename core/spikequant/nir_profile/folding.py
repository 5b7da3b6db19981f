r"""Gain and bias of a LIF into the layers before it, so that it has :math:`r = 1` and :math:`v_{leak} = 0`.

NIR's :math:`\tau \dot v = (v_{leak} - v) + r I` is the same for :math:`I' = r I + v_{leak}` with a gain of one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError

Nodes = dict[str, Any]


def fold(nodes: Mapping[str, Any], edges: Sequence[tuple[str, str]]) -> Nodes:
    """Return the nodes of a NIR graph with every LIF's gain and leak potential in the layers before it.

    Args:
        nodes: Nodes by name; they are not changed.
        edges: Edges between them, recurrent ones too.

    Raises:
        NirError: What feeds a LIF is no Affine or Conv2d or feeds others too, the values differ within a
            channel, or a product is not exact in float32.
    """
    folded = dict(nodes)
    for name, node in nodes.items():
        if not isinstance(node, nir.LIF) or (np.all(node.r == 1) and not np.any(node.v_leak)):
            continue
        feeders = [source for source, target in edges if target == name]
        for place, source in enumerate(feeders):
            _check_feeder(name, source, nodes[source], edges)
            bias = node.v_leak if place == 0 else np.zeros_like(node.v_leak)
            folded[source] = _scaled(source, nodes[source], _channels(name, node.r), _channels(name, bias))
        folded[name] = dataclasses.replace(node, r=np.ones_like(node.r), v_leak=np.zeros_like(node.v_leak))
    return folded


def _check_feeder(name: str, source: str, layer: Any, edges: Sequence[tuple[str, str]]) -> None:
    others = [target for start, target in edges if start == source and target != name]
    if not isinstance(layer, (nir.Affine, nir.Conv2d)):
        raise NirError(
            f"node '{name}': its gain cannot go into '{source}' ({type(layer).__name__}), which has no"
            " weights; put a layer of weights between them, or export without the unit gain"
        )
    if others:
        raise NirError(
            f"node '{name}': its gain cannot go into '{source}', which also feeds '{others[0]}';"
            " export without the unit gain"
        )


def _channels(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one value per output channel of the layer before; the values of a map's channel are equal."""
    rows = values.reshape(values.shape[0], -1)
    if np.any(rows != rows[:, :1]):
        raise NirError(f"node '{name}': r or v_leak differs within a channel; export without the unit gain")
    return rows[:, 0]


def _scaled(source: str, layer: Any, gain: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
    weight = _product(source, layer.weight, gain.reshape(-1, *(1,) * (layer.weight.ndim - 1)))
    moved = _product(source, layer.bias, gain, bias)
    if isinstance(layer, nir.Conv2d):
        return nir.Conv2d(
            input_shape=layer.input_shape,
            weight=weight,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
            bias=moved,
        )
    return nir.Affine(weight=weight, bias=moved)


def _product(
    source: str, values: NDArray[np.float32], gain: NDArray[np.float32], offset: NDArray[np.float32] | float = 0.0
) -> NDArray[np.float32]:
    """Return ``values * gain + offset``, which float32 must hold exactly."""
    exact = values.astype(np.float64) * gain + offset
    rounded = exact.astype(np.float32)
    if not np.array_equal(rounded, exact):
        raise NirError(
            f"node '{source}': a weight or bias times the gain of the neurons behind it is not exact in float32;"
            " export without the unit gain"
        )
    return rounded
