"""Which processes feed which: values that arrive too early, in another order or from the last timestep pass a relay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikequant.program import Add, Concat, Edge, Flatten, Input, IntArray, Node, Pool, Program, Weighted
from spikequant_lava.lags import lags_of, steps_taken
from spikequant_lava.layout import Layout


@dataclass(frozen=True, eq=False)
class Relay:
    """A process that hands on the sum of what it receives.

    Attributes:
        name: No node has it.
        sources: Processes whose values it adds up.
        node: The node whose value that is.
        depth: Steps that it keeps the value.
        masked: Whether the last timestep of each sample is replaced by zero: a delayed edge, which
            carries nothing from one sample to the next.
        order: Which element becomes the first, second and so on, -1 for a zero; or as they are.
        laid_as: The node whose layout the relay's own value has.
    """

    name: str
    sources: tuple[str, ...]
    node: str
    depth: int
    masked: bool
    order: IntArray | None
    laid_as: str


class Wiring:
    """The processes' connections, and where each node's value lies in Lava and when.

    ``flatten``, ``add`` and ``concat`` have no process: the first moves nothing in Lava, and ports add up what they
    receive; for a ``concat`` relays bring each part at its place among zeros.

    Args:
        program: What is run.
        late: Kinds whose processes send a step after they receive.
        masks: Whether delayed edges are kept from carrying anything from one sample to the next.

    Attributes:
        steps: Steps that each dense and conv2d takes.
        lags: Steps by which each node's output lags behind the program.
        layouts: Layout of every node's output.
        feeds: Processes that feed each node, in the order of its edges.
        relays: All relays.
    """

    def __init__(self, program: Program, late: tuple[type[Node], ...] = (Weighted,), *, masks: bool = True) -> None:
        self._program = program
        self._masks = masks
        self.steps = steps_taken(program, late)
        self.lags = lags_of(program, self.steps)
        self.layouts: dict[str, Layout] = {}
        self.relays: list[Relay] = []
        self.feeds: dict[str, tuple[str, ...]] = {}
        for node in program.order:
            self._lay(node)
        for node in program.order:
            self._feed(node)

    def _lay(self, node: Node) -> Layout:
        """Return the layout of a node; a value that keeps its shape keeps its source's layout."""
        if node.name not in self.layouts:
            if isinstance(node, (Input, Weighted, Pool, Add, Concat)):
                layout = Layout.of(self._program.shapes[node.name])
            else:
                layout = self._lay(self._program.source_of(node.name))
                layout = layout.flattened() if isinstance(node, Flatten) else layout
            self.layouts[node.name] = layout
        return self.layouts[node.name]

    def _carriers(self, node: Node) -> tuple[str, ...]:
        """Processes whose sum is the node's value."""
        return self._feed(node) if isinstance(node, (Add, Concat, Flatten)) else (node.name,)

    def _feed(self, node: Node) -> tuple[str, ...]:
        if node.name not in self.feeds:
            feeds: list[str] = []
            place = 0
            for edge in self._program.inputs_of(node.name):
                carriers = self._along(edge, place)
                place += self._program.shapes[edge.source][0]
                for carrier in carriers:
                    # Lava connects two ports once, and add(a, a) needs a twice.
                    feeds.append(self._relay((carrier,), edge.source) if carrier in feeds else carrier)
            self.feeds[node.name] = tuple(feeds)
        return self.feeds[node.name]

    def _along(self, edge: Edge, place: int) -> tuple[str, ...]:
        """Processes that bring an edge's value in time; ``place`` is that of its first part in a concat."""
        target = self._program.by_name[edge.target]
        arrival = self.lags[edge.target] - self.steps.get(edge.target, 0) + edge.delayed
        depth = arrival - self.lags[edge.source]
        order = None
        if isinstance(target, Add):
            order = self._order(edge.source, edge.target)
        elif isinstance(target, Concat):
            order = self._place(edge.source, edge.target, place)
        carriers = self._carriers(self._program.by_name[edge.source])
        masked = edge.delayed and self._masks
        if depth == 0 and not masked and order is None:
            return carriers
        key = (carriers, depth, masked)
        for relay in self.relays if order is None else []:  # one relay serves all who want the same
            if (relay.sources, relay.depth, relay.masked) == key and relay.order is None:
                return (relay.name,)
        laid_as = edge.source if order is None else edge.target
        return (self._relay(carriers, edge.source, depth, masked, order, laid_as),)

    def _order(self, source: str, target: str) -> IntArray | None:
        """How to rearrange a value for a node of another layout; none if nothing moves."""
        before, after = self.layouts[source].order, self.layouts[target].order
        if np.array_equal(before, after):
            return None
        order: IntArray = np.argsort(before)[after]
        return order

    def _place(self, source: str, target: str, place: int) -> IntArray:
        """How to put a value at ``place`` of a concat's first axis, and zeros everywhere else."""
        part, whole = self._program.shapes[source], self._program.shapes[target]
        found = np.full(whole, -1, np.int64)
        found[place : place + part[0]] = np.argsort(self.layouts[source].order).reshape(part)
        order: IntArray = found.ravel()[self.layouts[target].order]
        return order

    def _relay(
        self,
        sources: tuple[str, ...],
        node: str,
        depth: int = 0,
        masked: bool = False,
        order: IntArray | None = None,
        laid_as: str | None = None,
    ) -> str:
        name = f"relay-{len(self.relays)}"  # a node's name holds no '-'
        self.relays.append(Relay(name, sources, node, depth, masked, order, laid_as or node))
        return name
