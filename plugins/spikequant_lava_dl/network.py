"""From the layers of a file to an integer program."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from spikequant.errors import ProgramError, UsageError
from spikequant.program import Flatten, Input, Node, Program, Readout, Shape, chain
from spikequant_lava_dl.layers import LavaDlFile, Layer
from spikequant_lava_dl.neurons import Fire, driven, encoder, firing, kind_of
from spikequant_lava_dl.weights import bias_of, check_fields, conv, declared, dense, pool

Encode = Literal["none", "layer", "integrate"]
ENCODES: tuple[Encode, ...] = ("none", "layer", "integrate")
DRIVE_BITS = 16
WEIGHTED = ("dense", "conv", "pool")


@dataclass(frozen=True)
class Rules:
    """What a user says about a file.

    Attributes:
        timesteps: Of one inference.
        encode: What the program takes; see :class:`~spikequant_lava_dl.importer.LavaDlImporter`.
        input_shape: Of the input, where the file does not say it or says it flat.
        fire: Overrules the firing rule of the neurons' type.
    """

    timesteps: int
    encode: Encode = "none"
    input_shape: Shape | None = None
    fire: Fire | None = None


@dataclass
class _Chain:
    """Nodes so far, and the shape of what the last one puts out."""

    file: LavaDlFile
    rules: Rules
    nodes: list[Node] = field(default_factory=list)

    def shape(self) -> Shape:
        return chain(self.nodes, self.rules.timesteps).shapes[self.nodes[-1].name]

    def flatten(self, name: str) -> None:
        if len(self.shape()) > 1:
            self.nodes.append(Flatten(name))


def program_of(file: LavaDlFile, rules: Rules) -> Program:
    """Return the program: the layers in order, and a readout that counts the last one's spikes.

    Raises:
        UsageError: A layer is of a kind, or has a field, that is not known here; or the layers do not fit together.
    """
    built = _Chain(file, rules)
    try:
        layers = _begin(built)
        for layer in layers:
            _add(built, layer)
        if not layers:
            raise UsageError(f"{file.path}: it has no layer with weights; export the whole network")
        built.flatten("flat")
        nodes = [*built.nodes, Readout("readout")]
        provenance = {"source": file.path.name, "format": "lava-dl"}
        return chain(nodes, rules.timesteps, dt=1e-3, provenance=provenance)
    except ProgramError as error:
        raise UsageError(f"{file.path}: {error}") from error


def input_shape(file: LavaDlFile, rules: Rules) -> Shape:
    """Return the shape of the program's input.

    Raises:
        UsageError: The file does not say it, and nobody else did; or the two disagree in size.
    """
    first = file.layers[0]
    if first.kind == "input":
        said: Shape | None = first.fields.shape()
    elif first.kind == "dense":
        said = (first.fields.integer("inFeatures", 1),)
    else:
        said = None
    wanted = rules.input_shape
    if said is None:
        if wanted is None:
            text = "the file does not say the size of its input; give it with --option input_shape=2x34x34"
            raise first.fields.error(text)
        return wanted
    if wanted is not None and math.prod(wanted) != math.prod(said):
        raise first.fields.error(f"its input has the shape {said}, and input_shape says {wanted}")
    return wanted or said


def _begin(built: _Chain) -> tuple[Layer, ...]:
    """Add the input and what makes spikes of it; return the layers after it."""
    file, rules = built.file, built.rules
    first, shape = file.layers[0], input_shape(file, rules)
    layers = file.layers[1:] if first.kind == "input" else file.layers
    if rules.encode == "none":
        built.nodes.append(Input("input", shape, bits=1, coding="per_step"))
    elif rules.encode == "integrate":
        built.nodes += [Input("input", shape, bits=8), encoder("encode")]
    else:
        if first.kind != "input" or "neuron" not in first.fields:
            raise first.fields.error(
                "encode is 'layer', and the file has no input layer with neurons; use encode=none or encode=integrate"
            )
        neuron = first.fields.group("neuron")
        kind_of(neuron)
        drive = Input("input", shape, bits=DRIVE_BITS, signed=True)
        built.nodes += [drive, driven("lif0", neuron, rules.fire)]
    return layers


def _add(built: _Chain, layer: Layer) -> None:
    fields, index = layer.fields, layer.index
    if layer.kind == "flatten":
        built.flatten(f"flatten{index}")
        return
    if layer.kind not in WEIGHTED:
        raise fields.error("this kind of layer is not known here; dense, conv, pool, flatten and a first input are")
    check_fields(layer)
    neuron = fields.group("neuron")
    kind_of(neuron)
    if layer.kind == "dense":
        built.flatten(f"flatten{index}")
        weighted: Node = dense(f"dense{index}", fields)
    elif layer.kind == "conv":
        weighted = conv(f"conv{index}", fields)
    else:
        weighted = pool(f"pool{index}", fields, built.shape()[0])
    built.nodes.append(weighted)
    shape, said = built.shape(), declared(layer)
    if shape != said:
        raise fields.error(f"its shape says {said}, and its weights make {shape} of what comes in")
    built.nodes.append(firing(f"lif{index}", neuron, built.rules.fire, bias_of(fields, shape[0])))
