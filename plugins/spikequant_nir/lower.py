"""A quantized graph as an integer program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikequant import InputCoding
from spikequant.errors import UsageError
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    IntArray,
    Lif,
    Node,
    PoolSum,
    Program,
    Readout,
    Shape,
)
from spikequant_nir.dynamics import NEURON_KINDS, Cell
from spikequant_nir.engine_plain import delay_steps
from spikequant_nir.folding import Part, key_of
from spikequant_nir.graph import WEIGHT_KINDS, Graph, GraphEdge, GraphNode
from spikequant_nir.lower_neurons import Layer, neuron_node
from spikequant_nir.lower_scales import Scales
from spikequant_nir.rules import Rules

READOUT = "readout"
WIDEST_DIAGONAL = 2048
LARGEST = 2.0**62


@dataclass(eq=False)
class Lowered:
    """A program, and how it belongs to its graph.

    Attributes:
        nodes: Of the program, in topological order.
        edges: Between them.
        places: For each node of the graph the program's node that puts out its value.
        parts: For each part its node of the program.
        shapes: Of each node of the program.
        notes: What was lost, in sentences.
    """

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def program(self, timesteps: int, dt: float, provenance: Mapping[str, Any]) -> Program:
        """Return the program, checked."""
        return Program(tuple(self.nodes), tuple(self.edges), timesteps, dt=dt, provenance=dict(provenance))


class Lowering:
    """Makes a program of a graph, node by node.

    Args:
        graph: The network.
        scales: Sizes and codes of its values.
        coding: Of the inputs.
        rules: Of its simulation.
        output: The Output that decides the class.
    """

    def __init__(self, graph: Graph, scales: Scales, coding: InputCoding, rules: Rules, output: str) -> None:
        self.graph, self.scales, self.coding, self.rules, self.output = graph, scales, coding, rules, output
        self.done = Lowered()
        self._used = {READOUT}
        self._reserved = {node.name for node in graph.nodes if node.kind != "Output"}

    def lowered(self) -> Lowered:
        """Return every node.

        Raises:
            UsageError: A node has no integer form; the message names it and what would help.
        """
        for edge in self.graph.edges:  # a delayed edge may start at a node that comes later
            if edge.delayed:
                self.done.places.setdefault(edge.source, self._named(edge.source))
        for index, node in enumerate(self.graph.nodes):
            self._add(index, node)
        return self.done

    def _add(self, index: int, node: GraphNode) -> None:
        if node.kind == "Input":
            self._input(node)
            return
        source, shape, delayed = self._entering(node)
        if node.kind in WEIGHT_KINDS:
            self._weights(node, source, shape, delayed)
        elif node.kind in NEURON_KINDS:
            self._neurons(index, node, source, shape, delayed)
        elif node.kind in ("SumPool2d", "AvgPool2d"):
            fields = {key: tuple(node.settings[key]) for key in ("kernel_size", "stride")}
            padding = tuple(node.settings.get("padding", (0, 0)))
            pool = PoolSum(self._named(node.name), fields["kernel_size"], fields["stride"], padding)
            self._place(node, pool, _map(node.shape), (source, delayed))
        elif node.kind == "Output":
            self._readout(node, source, shape, delayed)
        elif node.kind == "Flatten" and len(node.shape) == 1 and len(shape) > 1:
            self._place(node, Flatten(self._named(node.name)), node.shape, (source, delayed))
        elif node.kind == "Flatten" and _map(node.shape) != shape:
            raise UsageError(
                f"node '{node.name}' (Flatten) joins some axes of {shape} to {node.shape}; a program joins all or none"
            )
        elif node.kind == "Delay" and delay_steps(node, self.rules):
            raise UsageError(
                f"node '{node.name}' (Delay) delays by {delay_steps(node, self.rules)} timesteps, and a program has no"
                " such node; take the delay out of the network, or run it in floats"
            )
        else:  # Scale, whose factor is in weights or in the size of a unit, and what changes nothing
            if delayed:
                raise UsageError(
                    f"node '{node.name}' ({node.kind}) takes the value of the step before; put it before the neurons"
                )
            self.done.places[node.name] = source

    def _input(self, node: GraphNode) -> None:
        wanted = _map(node.shape)
        still = self.coding.frame_s is None
        given = self.coding.shape if still else wanted  # frames are given the shape of the node, still samples are not
        entry = Input(self._named(node.name), given, bits=self.coding.bits, coding="direct" if still else "per_step")
        self._place(node, entry, given)
        if given != wanted:
            if len(wanted) > 1 or math.prod(given) != math.prod(wanted):
                raise UsageError(
                    f"input '{node.name}' takes {wanted}, and the samples are {given}; give them that shape"
                )
            self._place(node, Flatten(self._unique(f"{node.name}_flat")), wanted, (entry.name, False))

    def _entering(self, node: GraphNode) -> tuple[str, Shape, bool]:
        """Return the program's node that puts out the sum of a node's inputs, its shape, and whether it is delayed."""
        ends = [self._end(edge) for edge in self.graph.sources_of(node.name)]
        if len(ends) == 1:
            return ends[0]
        name = self._unique(f"{node.name}_sum")
        self._append(Add(name), ends[0][1], *((source, delayed) for source, _, delayed in ends))
        return name, ends[0][1], False

    def _end(self, edge: GraphEdge) -> tuple[str, Shape, bool]:
        source = self.done.places[edge.source]
        shape = self.done.shapes.get(source, _map(self.graph.by_name[edge.source].shape))
        part = self.scales.folding.parts.get(key_of(edge))
        if part is None:
            return source, shape, edge.delayed
        node = self._diagonal(part, shape)
        self._append(node, shape, (source, edge.delayed))
        self.done.parts[key_of(edge)] = node.name
        return node.name, shape, False

    def _weights(self, node: GraphNode, source: str, shape: Shape, delayed: bool) -> None:
        fields, codes = self._codes(node.name)
        if node.kind in ("Affine", "Linear"):
            if len(shape) > 1 and math.prod(shape) == codes.shape[1]:
                name = self._unique(f"{node.name}_flat")
                self._append(Flatten(name), (math.prod(shape),), (source, delayed))
                source, delayed = name, False
            elif shape != (codes.shape[1],):
                raise UsageError(
                    f"node '{node.name}' ({node.kind}) works on the last axis of {shape}; a program has weights for"
                    " flat values only, so put a Flatten before it"
                )
            made: Node = Dense(self._named(node.name), codes, **fields)
        else:
            flat = node.kind == "Conv1d"
            pairs: dict[str, Any] = {key: _pair(node.settings[key], flat, least) for key, least in _CONV.items()}
            kernel = codes[:, :, None, :] if flat else codes
            made = Conv2d(self._named(node.name), kernel, groups=int(node.settings["groups"]), **fields, **pairs)
        self.done.parts[node.name] = made.name
        self._place(node, made, _map(node.shape), (source, delayed))

    def _diagonal(self, part: Part, shape: Shape) -> Node:
        fields, codes = self._codes(key_of(part.edge) if part.edge else part.name)
        each = np.broadcast_to(codes.reshape(-1), (shape[0],)) if codes.size == 1 else codes
        if len(shape) == 1:
            if shape[0] > WIDEST_DIAGONAL:
                raise UsageError(
                    f"node '{part.target}' multiplies {shape[0]} values one by one, and a program needs a matrix for"
                    f" that; at most {WIDEST_DIAGONAL} are possible, so put weights before it"
                )
            return Dense(self._unique(part.name), np.diag(each), **fields)
        return Conv2d(self._unique(part.name), each.reshape(-1, 1, 1, 1), groups=shape[0], **fields)

    def _codes(self, key: str) -> tuple[dict[str, Any], IntArray]:
        codes = self.scales.codes(key)
        bias = None if codes.bias is None else _whole(key, codes.bias)
        fields = {
            "bias": bias if bias is not None and bias.any() else None,
            "bits": codes.bits,
            "lsb": np.array(codes.unit),
            "signed": codes.signed,
        }
        return fields, _whole(key, codes.weight)

    def _neurons(self, index: int, node: GraphNode, source: str, shape: Shape, delayed: bool) -> None:
        grid, lsb = self.scales.grid(node.name), float(self.scales.entering(node.name))
        cell: Cell = self.scales.cells[node.name]
        layer = Layer(
            self._named(node.name),
            node.kind,
            cell,
            grid,
            lsb * 2.0**-grid.v_frac,
            self.scales.formats,
            index,
            self.done.notes,
        )
        self._place(node, neuron_node(layer), shape, (source, delayed))

    def _readout(self, node: GraphNode, source: str, shape: Shape, delayed: bool) -> None:
        if len(shape) > 1:
            name = self._unique(f"{node.name}_flat")
            self._append(Flatten(name), (math.prod(shape),), (source, delayed))
            source, shape, delayed = name, (math.prod(shape),), False
        if self.scales.formats.leak == "shift" and any(
            n.name == source and isinstance(n, Lif) for n in self.done.nodes
        ):
            name = self._unique(f"{node.name}_count")  # hardware sums up what comes through weights
            self._append(Dense(name, np.eye(shape[0], dtype=np.int64), bits=2), shape, (source, delayed))
            source, delayed = name, False
        name = READOUT if node.name == self.output else self._unique(f"{READOUT}_{node.name}"[:60])
        self._place(node, Readout(name), shape, (source, delayed))

    def _place(self, node: GraphNode, made: Node, shape: Shape, *sources: tuple[str, bool]) -> None:
        self.done.places[node.name] = made.name
        self._append(made, shape, *sources)

    def _append(self, node: Node, shape: Shape, *sources: tuple[str, bool]) -> None:
        self.done.nodes.append(node)
        self.done.shapes[node.name] = shape
        self.done.edges.extend(Edge(source, node.name, delayed) for source, delayed in sources)

    def _named(self, name: str) -> str:
        """Return the name of the program's node for a node of the graph: its own, unless that is taken."""
        if name in self.done.places:
            return self.done.places[name]
        return self._unique(name, own=True)

    def _unique(self, name: str, *, own: bool = False) -> str:
        found, number = name, 1
        while found in self._used or (not own and found in self._reserved):
            number += 1
            found = f"{name[:58]}_{number}"
        self._used.add(found)
        return found


_CONV = {"stride": 1, "padding": 0, "dilation": 1}


def _pair(value: Any, flat: bool, least: int) -> tuple[int, int]:
    """Return a setting of a convolution for both axes; of a flat one the height has none."""
    if flat:
        return least, int(value[0] if isinstance(value, tuple) else value)
    return int(value[0]), int(value[1])


def _map(shape: Shape) -> Shape:
    """Return a shape as programs have it: maps without a height get one of 1."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def _whole(key: str, values: Tensor) -> IntArray:
    found = values.detach().to("cpu", torch.float64).numpy()
    if not np.isfinite(found).all() or float(np.abs(found).max(initial=0)) >= LARGEST:
        raise UsageError(
            f"node '{key}': its weights or biases are beyond 62 bits in units of the layer's sums; give w and the"
            " states before it fewer bits"
        )
    codes: IntArray = found.astype(np.int64)
    return codes
