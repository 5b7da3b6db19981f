"""Shapes and settings of layers that work on maps: convolutions and poolings."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError
from spikequant_nir.expectations import Shape, sizes_in
from spikequant_nir.findings import Notes
from spikequant_nir.graph import MAX_VALUES
from spikequant_nir.numbers_in import array_in, ints_in
from spikequant_nir.raw import RawNode

Array = NDArray[Any]


@dataclass
class Layer:
    """What a node became: its output's shape, its arrays and its settings."""

    shape: Shape
    arrays: dict[str, Array] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def convolution(node: RawNode, entering: Shape, notes: Notes) -> Layer:
    """Return a Conv1d or Conv2d on maps of shape ``entering``.

    Raises:
        NirError: Its fields do not fit each other, or do not fit what enters it.
    """
    axes = 1 if node.kind == "Conv1d" else 2
    weight = array_in(node, "weight", np.float32)
    if weight.ndim != axes + 2:
        raise NirError(f"{node.where}: its weight has shape {weight.shape}; it must have {axes + 2} axes")
    if len(entering) != axes + 1:
        raise NirError(
            f"{node.where}: what enters it has shape {entering}; it must have {axes + 1} axes, channels first"
        )
    groups = ints_in(node, "groups", 1, 1)[0]
    if weight.shape[0] % groups or weight.shape[1] * groups != entering[0]:
        raise NirError(
            f"{node.where}: its weight {weight.shape} in {groups} groups takes {weight.shape[1] * groups} channels, and"
            f" what enters it has shape {entering}; its output channels must be a multiple of the groups"
        )
    stride, dilation = ints_in(node, "stride", axes, 1), ints_in(node, "dilation", axes, 1)
    weight, dilation, padding = _padding(node, weight, stride, dilation, notes)
    sizes = tuple(map(_out, entering[1:], weight.shape[2:], stride, padding, dilation))
    _check_sizes(node, entering, sizes)
    _check_input_shape(node, entering[1:], notes)
    settings: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    if axes == 1:
        settings = {key: value[0] for key, value in settings.items()}
    arrays = {"weight": weight, "bias": bias_in(node, weight.shape[0])}
    return Layer((weight.shape[0], *sizes), arrays, {**settings, "groups": groups})


def pooling(node: RawNode, entering: Shape, notes: Notes) -> Layer:
    """Return a SumPool2d or AvgPool2d on maps of shape ``entering``.

    Raises:
        NirError: Its fields make no sense, or do not fit what enters it.
    """
    if len(entering) != 3:
        raise NirError(f"{node.where}: what enters it has shape {entering}; it must be channels, height and width")
    kernel, stride, padding = (
        ints_in(node, key, 2, least) for key, least in (("kernel_size", 1), ("stride", 1), ("padding", 0))
    )
    if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        raise NirError(f"{node.where}: its padding {padding} is more than half of its kernel {kernel}")
    sizes = tuple(map(_out, entering[1:], kernel, stride, padding, (1, 1)))
    _check_sizes(node, entering, sizes)
    if node.kind == "AvgPool2d" and any(padding):
        text = "it averages with padding, and NIR does not say whether the padding counts; it does here, as in PyTorch"
        notes.add("ambiguous", node.name, text)
    return Layer((entering[0], *sizes), {}, {"kernel_size": kernel, "stride": stride, "padding": padding})


def bias_in(node: RawNode, channels: int) -> Array:
    """Return a bias with one value per output channel."""
    bias = array_in(node, "bias", np.float32)
    if bias.size == 1:
        return np.full(channels, bias.reshape(-1)[0], dtype=np.float32)
    if bias.size != channels or max(bias.shape) != channels:
        raise NirError(f"{node.where}: its bias has shape {bias.shape}; it must be ({channels},), as its weight has it")
    return bias.reshape(-1)


def _padding(node: RawNode, weight: Array, stride: Shape, dilation: Shape, notes: Notes) -> tuple[Array, Shape, Shape]:
    """Return weight, dilation and padding with the words ``same`` and ``valid`` worked out."""
    axes, word = len(stride), node.fields["padding"]
    if not isinstance(word, str):
        return weight, dilation, ints_in(node, "padding", axes, 0)
    if word == "valid":
        return weight, dilation, (0,) * axes
    if word != "same":
        raise NirError(f"{node.where}: its padding is {word[:40]!r}; it must be numbers, 'same' or 'valid'")
    if any(step != 1 for step in stride):
        raise NirError(f"{node.where}: its padding is 'same' with stride {stride}; that is defined for stride 1 only")
    padding = []
    for axis in range(axes):
        total = dilation[axis] * (weight.shape[axis + 2] - 1)
        if total % 2:
            weight, dilation = _odd(node, weight, dilation, axis)
            notes.add(
                "note", node.name, "its padding 'same' is one more behind than before; a row of zero weights does that"
            )
        padding.append((total + 1) // 2)
    return weight, dilation, tuple(padding)


def _odd(node: RawNode, weight: Array, dilation: Shape, axis: int) -> tuple[Array, Shape]:
    """Spread an even kernel to dilation 1, with one zero before it: with equal padding it then acts as 'same' does.

    Source: PyTorch's ``_ConvNd``: of an odd total the smaller half goes before, the larger behind.
    """
    step, taps = dilation[axis], weight.shape[axis + 2]
    length = step * (taps - 1) + 2
    if weight.size // taps * length > MAX_VALUES:
        raise NirError(f"{node.where}: its dilation {dilation} is more than can be padded as 'same'")
    shape = list(weight.shape)
    shape[axis + 2] = length
    spread = np.zeros(shape, dtype=weight.dtype)
    place = [slice(None)] * weight.ndim
    place[axis + 2] = slice(1, None, step)
    spread[tuple(place)] = weight
    return spread, tuple(1 if at == axis else value for at, value in enumerate(dilation))


def _out(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _check_sizes(node: RawNode, entering: Shape, sizes: Shape) -> None:
    if min(sizes) < 1:
        raise NirError(f"{node.where}: its kernel is larger than what enters it, of shape {entering}; export it again")
    if math.prod(sizes) > MAX_VALUES:
        raise NirError(f"{node.where}: its output would have the size {sizes}; no network has that, so it is damaged")


def _check_input_shape(node: RawNode, inner: Shape, notes: Notes) -> None:
    if "input_shape" not in node.fields:
        notes.mend(node.name, "it has no input_shape, which NIR needs", "it is worked out from the Input")
        return
    given = sizes_in(node.fields["input_shape"])
    if given != inner:
        fault = f"its input_shape is {given if given else 'no shape'}, and {inner} enters it"
        notes.mend(node.name, fault, "what enters it is taken")
