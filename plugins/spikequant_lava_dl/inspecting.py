"""What a file holds, in words, and what a user should know about it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from spikequant.errors import UsageError
from spikequant.importer import Finding, InspectedNode, Inspection
from spikequant.program import Shape
from spikequant_lava_dl.layers import LavaDlFile, Layer
from spikequant_lava_dl.network import WEIGHTED, Rules
from spikequant_lava_dl.neurons import EXPONENTS, FIRES
from spikequant_lava_dl.values import plain


def inspection(file: LavaDlFile, findings: tuple[Finding, ...]) -> Inspection:
    """Return the layers, also those of kinds that are not known here."""
    names = [_name(layer) for layer in file.layers]
    first, last = file.layers[0], file.layers[-1]
    return Inspection(
        "lava-dl HDF5",
        tuple(map(_node, file.layers)),
        tuple(pairwise(names)),
        {names[0]: _first(first)},
        {names[-1]: _shape(last)},
        findings,
    )


def findings_of(file: LavaDlFile, rules: Rules, *, assumed: bool) -> tuple[Finding, ...]:
    """Return what was assumed and what readers of such files differ in."""
    return tuple(_findings(file, rules, assumed))


def _findings(file: LavaDlFile, rules: Rules, assumed: bool) -> Iterator[Finding]:
    if assumed:
        text = f"the file does not say how long a sample is; {rules.timesteps} timesteps are taken, unless arrays bring"
        yield Finding("assumed", "", f"{text} their own; give another number with --option timesteps=T")
    types = sorted({kind for layer in file.layers if (kind := _neuron_type(layer)) in FIRES})
    if rules.fire is None and types:
        said = " and ".join(f"{kind} fires where v {FIRES[kind]} threshold" for kind in types)
        lava = (
            "Lava's own LIF fires where v > threshold, whatever the type, set it with --option fire='>'"
            if types != ["LOIHI"]
            else "so does Lava's own LIF; set the other rule with --option fire='>='"
        )
        yield Finding("ambiguous", "", f"{said}, as recorded spikes of such networks show; {lava}")
    depth = sum(layer.kind in WEIGHTED for layer in file.layers)
    text = "lava-dl and Loihi pass spikes on one step later in each layer, and the program does not: it spikes"
    yield Finding("note", "", f"{text} up to {depth} steps earlier than they do")
    for layer in file.layers:
        yield from _of_layer(layer, rules)


def _of_layer(layer: Layer, rules: Rules) -> Iterator[Finding]:
    neuron = layer.fields.values.get("neuron")
    if isinstance(neuron, dict) and any(np.any(neuron[key]) for key in EXPONENTS if _numeric(neuron.get(key))):
        text = "its weight exponent scales the weights here, and Lava's own reader leaves it out"
        yield Finding("ambiguous", _name(layer), text)
    if layer.kind == "input" and layer.index == 0 and rules.encode != "layer" and isinstance(neuron, dict):
        instead = "spikes come in" if rules.encode == "none" else "pixels are integrated"
        yield Finding("note", _name(layer), f"its neurons are left out and {instead}; --option encode=layer keeps them")


def _node(layer: Layer) -> InspectedNode:
    parameters, settings = {}, {}
    for key, value in layer.fields.values.items():
        if key in ("type", "shape"):
            continue
        for name, item in _leaves(plain(key), value):
            if _numeric(item) and np.size(item) > 3:
                parameters[name] = f"{item.dtype} {item.shape}, {item.min():g} to {item.max():g}"
            else:
                settings[name] = _short(item)
    return InspectedNode(_name(layer), plain(layer.kind)[:40], _shape(layer), parameters, settings)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{name}.{plain(key)}", item)
    else:
        yield name, value


def _short(value: Any) -> str:
    listed = np.asarray(value).reshape(-1).tolist()
    return plain(str(listed[0] if len(listed) == 1 else tuple(listed)))[:80]


def _numeric(value: Any) -> bool:
    return value is not None and not isinstance(value, (dict, str)) and np.asarray(value).dtype.kind in "iufb"


def _neuron_type(layer: Layer) -> str:
    try:
        return layer.fields.group("neuron").text("type")
    except UsageError:
        return ""


def _shape(layer: Layer) -> Shape | None:
    try:
        return layer.fields.shape()
    except UsageError:
        return None


def _first(layer: Layer) -> Shape | None:
    if layer.kind == "input":
        return _shape(layer)
    try:
        return (layer.fields.integer("inFeatures", 1),)
    except UsageError:
        return None


def _name(layer: Layer) -> str:
    return f"layer{layer.index}"
