"""Shapes of a whole network, worked out from its Inputs; what the file claims is checked against them."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

import numpy as np

from spikequant.errors import NirError
from spikequant_nir.constants import constants
from spikequant_nir.expectations import AXES, CONSTANTS, Shape, known_constants, sizes_in, takes
from spikequant_nir.findings import Notes
from spikequant_nir.flatten import Flat
from spikequant_nir.graph import MAX_VALUES
from spikequant_nir.maps import Layer, bias_in, convolution, pooling
from spikequant_nir.numbers_in import array_in, int_in
from spikequant_nir.raw import Path, RawNode

MAX_NEURONS = 1 << 24
Targets = Sequence[RawNode]


def layers(flat: Flat, ports: Sequence[tuple[RawNode, Path]], notes: Notes) -> dict[Path, Layer]:
    """Return every node's output shape, arrays and settings.

    Raises:
        NirError: Shapes do not fit, are too large, or cannot be told.
    """
    targets: dict[Path, list[RawNode]] = defaultdict(list)
    for source, target in flat.edges:
        targets[source].append(flat.nodes[target])
    made: dict[Path, Layer] = {}
    entered: dict[Path, tuple[Shape, RawNode]] = {}
    ready = deque(path for path, node in flat.nodes.items() if node.kind == "Input")
    neurons = values = 0
    while ready:
        path = ready.popleft()
        node = flat.nodes[path]
        ahead = math.prod(entered[path][0]) if node.kind in CONSTANTS else 0
        if neurons + ahead > MAX_NEURONS:
            raise _too_large(node)
        made[path] = _layer(node, entered[path][0] if path in entered else (), targets[path], notes)
        neurons += math.prod(made[path].shape)
        values += sum(array.size for array in made[path].arrays.values())
        if neurons > MAX_NEURONS or values > MAX_VALUES:
            raise _too_large(node)
        for follower in targets[path]:
            if follower.path not in entered:
                entered[follower.path] = (made[path].shape, node)
                ready.append(follower.path)
    _check_edges(flat, made, entered)
    _check_ports(ports, made, notes)
    return made


def _too_large(node: RawNode) -> NirError:
    most = f"{MAX_NEURONS} neurons or {MAX_VALUES} parameters"
    return NirError(f"{node.where}: with it the network has more than {most}, which cannot be run here")


def _layer(node: RawNode, entering: Shape, targets: Targets, notes: Notes) -> Layer:
    if node.kind == "Input":
        return Layer(_input_shape(node, targets, notes))
    if node.kind == "Flatten":
        return _flatten(node, entering, targets, notes)
    return MAKERS.get(node.kind, constants)(node, entering, notes)


def _input_shape(node: RawNode, targets: Targets, notes: Notes) -> Shape:
    """Return an Input's shape without axes for batch and time that its targets do not take."""
    shape = sizes_in(node.fields["shape"])
    if not shape:
        raise NirError(f"{node.where}: its shape is {node.fields['shape']!s:.60}; it must be whole numbers from 1 on")
    if math.prod(shape) > MAX_NEURONS:
        raise NirError(f"{node.where}: its shape {shape} holds more than {MAX_NEURONS} values; no network has so many")
    axes = {AXES[target.kind] for target in targets if target.kind in AXES}
    axes |= {len(known) for target in targets if target.kind in CONSTANTS and (known := known_constants(target))}
    wanted = max(axes, default=len(shape))
    lead, rest = shape[: len(shape) - wanted], shape[len(shape) - wanted :]
    if len(shape) <= wanted or any(takes(target, rest) is False for target in targets):
        return shape
    what = "a batch" if set(lead) == {1} else "batch or time"
    fault = f"its shape {shape} begins with {lead}, which is {what} and not of the network"
    notes.mend(node.name, fault, f"{rest} is taken")
    return rest


def _output(node: RawNode, entering: Shape, notes: Notes) -> Layer:
    if "shape" in node.fields and (given := sizes_in(node.fields["shape"])) != entering:
        fault = f"its shape is {given if given is not None else 'no shape'}, and {entering} enters it"
        notes.mend(node.name, fault, "what enters it is taken")
    return Layer(entering)


def _dense(node: RawNode, entering: Shape, notes: Notes) -> Layer:
    weight = array_in(node, "weight", np.float32)
    if weight.ndim != 2:
        raise NirError(f"{node.where}: its weight has shape {weight.shape}; it must be (outputs, inputs)")
    wanted = weight.shape[1:]
    if entering != wanted and math.prod(entering) == wanted[0]:
        cure = "it is flattened, with the last axis fastest"
        notes.mend(node.name, f"its weight takes {wanted[0]} values, and {entering} enters it without a Flatten", cure)
    elif entering != wanted:
        raise NirError(
            f"{node.where}: its weight {weight.shape} takes {wanted[0]} values, and {entering} enters it; export it"
            " again"
        )
    arrays = {"weight": weight}
    if node.kind == "Affine":
        arrays["bias"] = bias_in(node, weight.shape[0])
    return Layer(weight.shape[:1], arrays)


def _flatten(node: RawNode, entering: Shape, targets: Targets, notes: Notes) -> Layer:
    """Flatten as the file says, unless what follows takes it only with the batch counted as an axis, or whole."""
    start, end, axes = int_in(node, "start_dim", 1), int_in(node, "end_dim", -1), len(entering)
    said = _dims(start, end, axes)
    counted = _dims(start - (start > 0), end - (end > 0), axes)
    fits = [dims for dims in (said, counted, (0, axes - 1)) if dims is not None and _fits(entering, dims, targets)]
    first, last = fits[0] if fits else said or (0, axes - 1)
    if (first, last) != said:
        text = f"its start_dim {start} would leave {_joined(entering, said)}" if said else f"its start_dim is {start}"
        shape = _joined(entering, (first, last))
        notes.add("ambiguous", node.name, f"{text}, for which a batch was counted as an axis; {shape} is taken")
    return Layer(_joined(entering, (first, last)), {}, {"start_dim": first, "end_dim": last})


def _dims(start: int, end: int, axes: int) -> tuple[int, int] | None:
    first, last = start + axes * (start < 0), end + axes * (end < 0)
    return (first, last) if 0 <= first <= last < axes else None


def _joined(shape: Shape, dims: tuple[int, int]) -> Shape:
    first, last = dims
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


def _fits(entering: Shape, dims: tuple[int, int], targets: Targets) -> bool:
    return all(takes(target, _joined(entering, dims)) is not False for target in targets)


def _check_edges(flat: Flat, made: Mapping[Path, Layer], entered: Mapping[Path, tuple[Shape, RawNode]]) -> None:
    for path, node in flat.nodes.items():
        if path not in made:
            raise NirError(f"{node.where}: no Input leads to it, so its shape cannot be told; export the network again")
    for source, target in flat.edges:
        shape, first = entered[target]
        if made[source].shape != shape:
            raise NirError(
                f"{flat.nodes[target].where}: it takes '{first.name}' of shape {shape} and '{flat.nodes[source].name}'"
                f" of shape {made[source].shape}; what one node takes is summed, so the shapes must be equal"
            )


def _check_ports(ports: Sequence[tuple[RawNode, Path]], made: Mapping[Path, Layer], notes: Notes) -> None:
    for port, origin in ports:
        if "shape" not in port.fields or origin not in made:
            continue
        given, real = sizes_in(port.fields["shape"]), made[origin].shape
        if given != real:
            fault = f"its shape is {given if given is not None else 'no shape'}, and {real} enters it"
            notes.mend(port.name, fault, "what enters it is taken")


MAKERS = {
    "Affine": _dense,
    "Linear": _dense,
    "Conv1d": convolution,
    "Conv2d": convolution,
    "SumPool2d": pooling,
    "AvgPool2d": pooling,
    "Output": _output,
}
