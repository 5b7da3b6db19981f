"""A program: named nodes and edges, checked when it is made, so that executors need not check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from spikequant.errors import ProgramError
from spikequant.program.bounds import Range, node_range
from spikequant.program.checks import check_constants, check_node
from spikequant.program.nodes import Add, Concat, Dense, Input, Node, Readout, Shape
from spikequant.program.shapes import node_shape
from spikequant.program.spiking import SpikingNode

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True)
class Edge:
    """A value's way from one node to the next; ``delayed`` carries the value of timestep t - 1 (0 at t = 0)."""

    source: str
    target: str
    delayed: bool = False


@dataclass(frozen=True, eq=False)
class Program:
    """A graph of nodes, run once per timestep in topological order.

    Attributes:
        nodes: Every node once; names match ``[A-Za-z_][A-Za-z0-9_]*``.
        edges: Their order is the order of a node's inputs.
        timesteps: Number of steps T of one inference.
        dt: Real duration of one step in seconds (for NIR; no arithmetic uses it).
        provenance: Where the program came from: plain strings and numbers.

    Raises:
        ProgramError: A rule of the semantics is broken; the message names the node.

    >>> import numpy as np
    >>> from spikequant.program import Dense, Lif, chain
    >>> program = chain([Input("input", (2,)), Dense("fc", np.ones((3, 2), int)), Lif("lif")], timesteps=4)
    >>> print(program)
    program of 3 nodes, 4 timesteps
      input  input      (2,)
      fc     dense      (3,)
      lif    lif        (3,)
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    timesteps: int
    dt: float = 1e-4
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names(self.nodes, self.edges)
        if self.timesteps < 1:
            raise ProgramError(f"timesteps is {self.timesteps}; it must be at least 1")
        for node in self.order:
            _check_arity(node, self.inputs_of(node.name))
            check_node(node)
        for node in self.order:
            check_constants(node, self.shapes[node.name])
        _ = self.ranges

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Each node under its name."""
        return {node.name: node for node in self.nodes}

    def inputs_of(self, name: str) -> tuple[Edge, ...]:
        """Edges into ``name``, in order."""
        return self._incoming.get(name, ())

    @cached_property
    def _incoming(self) -> dict[str, tuple[Edge, ...]]:
        incoming: dict[str, tuple[Edge, ...]] = {}
        for edge in self.edges:
            incoming[edge.target] = (*incoming.get(edge.target, ()), edge)
        return incoming

    @cached_property
    def order(self) -> tuple[Node, ...]:
        """Nodes in topological order of the undelayed edges, ties as listed."""
        done: dict[str, Node] = {}
        waiting = list(self.nodes)
        while waiting:
            ready = next(
                (n for n in waiting if all(e.delayed or e.source in done for e in self.inputs_of(n.name))), None
            )
            if ready is None:
                names = ", ".join(n.name for n in waiting)
                raise ProgramError(
                    f"nodes {names} form a cycle within one timestep; mark one edge between them as delayed"
                )
            done[ready.name] = ready
            waiting.remove(ready)
        return tuple(done.values())

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of every node's output, without timesteps and batch."""
        shapes: dict[str, Shape] = {}
        for node in self.order:
            sources = [self._source_shape(edge, shapes) for edge in self.inputs_of(node.name)]
            shapes[node.name] = node_shape(node, sources)
        for edge in self.edges:
            joins = edge.delayed and isinstance(self.by_name[edge.target], Add)
            if joins and shapes[edge.source] != shapes[edge.target]:
                raise ProgramError(
                    f"node '{edge.target}': add joins {shapes[edge.target]} and, delayed, {shapes[edge.source]};"
                    " shapes must be equal"
                )
        return shapes

    def _source_shape(self, edge: Edge, shapes: dict[str, Shape]) -> Shape | None:
        """Shape at an edge's start; a delayed source that comes later in order is not known yet."""
        if edge.source in shapes:
            return shapes[edge.source]
        node = self.by_name[edge.target]
        if isinstance(node, Add):
            return None
        return self._declared_shape(edge.source, {edge.target})

    def _declared_shape(self, name: str, seen: set[str]) -> Shape | None:
        """Shape of a node found by walking back, for a delayed edge from a later node."""
        if name in seen:
            return None
        node = self.by_name[name]
        sources = [self._declared_shape(e.source, seen | {name}) for e in self.inputs_of(name)]
        if sources and not any(sources) and not isinstance(node, Dense):
            return None  # another cycle on the way; some other path tells its shape
        return node_shape(node, sources)

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """Worst-case (lowest, highest) value that each node's output can take over all inputs."""
        ranges: dict[str, Range] = {}
        for node in self.order:
            sources = []
            for edge in self.inputs_of(node.name):
                source = self.by_name[edge.source]
                known = ranges.get(edge.source, source.emitted_limits if isinstance(source, SpikingNode) else None)
                if known is None:
                    raise ProgramError(
                        f"edge {edge.source} -> {edge.target} is delayed, and '{edge.source}' ({source.kind}) does not"
                        " spike; a recurrent edge must start at a spiking node, else values could grow without bound"
                    )
                sources.append((min(known[0], 0), max(known[1], 0)) if edge.delayed else known)
            ranges[node.name] = node_range(node, sources, self.timesteps, self.shapes[node.name])
        return ranges

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The input nodes."""
        return tuple(node for node in self.nodes if isinstance(node, Input))

    @property
    def input(self) -> Input:
        """The only input node."""
        if len(self.inputs) != 1:
            raise ProgramError(f"the program has {len(self.inputs)} input nodes; exactly one is needed here")
        return self.inputs[0]

    @property
    def spiking(self) -> tuple[SpikingNode, ...]:
        """The spiking nodes in topological order."""
        return tuple(node for node in self.order if isinstance(node, SpikingNode))

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """The readout nodes in topological order."""
        return tuple(node for node in self.order if isinstance(node, Readout))

    @property
    def recurrent(self) -> bool:
        """Whether any edge is delayed."""
        return any(edge.delayed for edge in self.edges)

    def source_of(self, name: str) -> Node:
        """The only node that feeds ``name``."""
        (edge,) = self.inputs_of(name)
        return self.by_name[edge.source]

    def acc_bits(self, name: str) -> int:
        """Two's complement width that holds every value node ``name`` can put out."""
        low, high = self.ranges[name]
        return max(low.bit_length() if low >= 0 else (-low - 1).bit_length(), high.bit_length()) + 1

    def __str__(self) -> str:
        width = max(len(node.name) for node in self.nodes)
        rows = [f"  {n.name:{width}}  {n.kind:10} {self.shapes[n.name]}" for n in self.order]
        steps = "1 timestep" if self.timesteps == 1 else f"{self.timesteps} timesteps"
        return "\n".join([f"program of {len(self.nodes)} nodes, {steps}", *rows])


def chain(nodes: Iterable[Node], timesteps: int, **fields: Any) -> Program:
    """Return the program in which each node feeds the next one."""
    listed = tuple(nodes)
    edges = tuple(Edge(a.name, b.name) for a, b in pairwise(listed))
    return Program(listed, edges, timesteps, **fields)


def check_name(name: str) -> None:
    """Raise :class:`ProgramError` unless ``name`` can stand in files, paths and generated code."""
    if not NAME.fullmatch(name):
        raise ProgramError(
            f"node name {name!r} is not usable; names are letters, digits and '_', at most 64, and start with no digit"
        )


def _check_names(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> None:
    names = [node.name for node in nodes]
    for name in names:
        check_name(name)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ProgramError(f"node name '{min(twice)}' is used twice; give each node its own")
    for edge in edges:
        for end in (edge.source, edge.target):
            if end not in names:
                raise ProgramError(f"edge {edge.source} -> {edge.target} names '{end}', which is not a node")


def _check_arity(node: Node, edges: tuple[Edge, ...]) -> None:
    if isinstance(node, Input):
        least, most = 0, 0
    elif isinstance(node, (Add, Concat)):
        least, most = 2, 1_000_000
    else:
        least, most = 1, 1
    if not least <= len(edges) <= most:
        wanted = "no edge" if most == 0 else "exactly one edge" if most == 1 else "two edges or more"
        raise ProgramError(f"node '{node.name}' ({node.kind}) takes {wanted}, and {len(edges)} lead into it")
