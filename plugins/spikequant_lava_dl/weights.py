"""Weighted layers as integer nodes: dense, convolution, and pooling, which has one kernel for all channels."""

from __future__ import annotations

import math

import numpy as np

from spikequant.memory import signed_bits
from spikequant.program import Conv2d, Dense, IntArray, Shape
from spikequant_lava_dl.layers import Layer
from spikequant_lava_dl.values import MOST_ELEMENTS, Fields, plain

KNOWN = {
    "dense": {"inFeatures", "outFeatures"},
    "conv": {"inChannels", "outChannels", "kernelSize", "stride", "padding", "dilation", "groups"},
    "pool": {"kernelSize", "stride", "padding", "dilation"},
}
SHARED = {"shape", "type", "weight", "bias", "delay", "neuron"}


def check_fields(layer: Layer) -> None:
    """Raise unless every field of a weighted layer is known, and none of them delays a spike."""
    fields = layer.fields
    unknown = sorted(set(fields.values) - SHARED - KNOWN[layer.kind])
    if unknown:
        raise fields.error(f"it has a field '{plain(unknown[0])[:40]}', which is not known here")
    if isinstance(fields.values.get("weight"), dict):
        raise fields.error("its weights are complex; only real weights are known here")
    if "delay" in fields and fields.integers("delay").any():
        raise fields.error("its axons have delays of their own; networks without them are known here")


def dense(name: str, fields: Fields) -> Dense:
    """Return a fully connected node."""
    codes = fields.integers("weight")
    features = fields.integer("outFeatures", 1, MOST_ELEMENTS), fields.integer("inFeatures", 1, MOST_ELEMENTS)
    if codes.size != math.prod(features):
        raise fields.error(f"weight has the shape {codes.shape}, and outFeatures and inFeatures say {features}")
    return Dense(name, codes.reshape(features), bits=_bits(codes))


def conv(name: str, fields: Fields) -> Conv2d:
    """Return a convolution; like torch's, with kernels ``(out, in / groups, height, width)``."""
    codes = _kernels(fields, 4)
    groups = fields.integer("groups", 1, MOST_ELEMENTS) if "groups" in fields else 1
    said = (fields.integer("outChannels", 1), fields.integer("inChannels", 1) // groups, *fields.pair("kernelSize", 1))
    if codes.shape != said:
        raise fields.error(f"weight has the shape {codes.shape}, and channels, groups and kernelSize say {said}")
    return _window(name, fields, codes, groups)


def pool(name: str, fields: Fields, channels: int) -> Conv2d:
    """Return a pooling: the weighted sum of each window of each channel, with the same weights for all."""
    kernel = fields.pair("kernelSize", 1)
    codes = fields.integers("weight").reshape(-1)
    if codes.size not in (1, math.prod(kernel)):
        raise fields.error(f"weight has {codes.size} numbers; it must have 1 or {math.prod(kernel)}, one for each tap")
    kernels = np.broadcast_to(np.broadcast_to(codes, (math.prod(kernel),)).reshape(kernel), (channels, 1, *kernel))
    return _window(name, fields, np.ascontiguousarray(kernels), channels)


def bias_of(fields: Fields, channels: int) -> IntArray | None:
    """Return one bias for each channel, or none."""
    if "bias" not in fields:
        return None
    bias = fields.integers("bias").reshape(-1)
    if bias.size not in (1, channels):
        raise fields.error(f"bias has {bias.size} numbers; it must have 1 or {channels}")
    return bias


def declared(layer: Layer) -> Shape:
    """Return the shape that a layer says its output has, without sizes of 1 behind a flat one."""
    shape = layer.fields.shape()
    return shape[:1] if set(shape[1:]) <= {1} and layer.kind in ("dense", "flatten") else shape


def _kernels(fields: Fields, axes: int) -> IntArray:
    codes = fields.integers("weight")
    if codes.ndim == axes + 1 and codes.shape[-1] == 1:
        codes = codes[..., 0]
    if codes.ndim != axes:
        raise fields.error(f"weight has the shape {codes.shape}; it must have {axes} axes, or one of size 1 more")
    return codes


def _window(name: str, fields: Fields, codes: IntArray, groups: int) -> Conv2d:
    stride = fields.pair("stride", 1, default=1)
    padding, dilation = fields.pair("padding", 0, default=0), fields.pair("dilation", 1, default=1)
    return Conv2d(name, codes, bits=_bits(codes), stride=stride, padding=padding, dilation=dilation, groups=groups)


def _bits(codes: IntArray) -> int:
    return max(signed_bits(int(codes.min()), int(codes.max())), 2)
