"""The order of computation: which edges of a cycle carry the value of the step before.

A cycle is cut where it leaves a neuron: a neuron that drives itself takes its own value of the step before; of a
cycle through several neurons, the edges are cut whose value returns to the neuron that is nearest to an Input.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping

from spikequant.errors import NirError
from spikequant_nir.findings import Notes
from spikequant_nir.flatten import Flat
from spikequant_nir.graph import SPIKING_KINDS, STATE_KINDS
from spikequant_nir.raw import Path, RawNode, name_of

NEURONS = SPIKING_KINDS | STATE_KINDS
MAX_WORK = 500_000
Edge = tuple[Path, Path]


def ordered(flat: Flat, notes: Notes) -> tuple[list[RawNode], dict[Edge, bool]]:
    """Return the nodes in the order of computation, Inputs first, and for each edge whether it is delayed.

    Raises:
        NirError: A cycle goes through no neuron, so its value depends on itself within one step.
    """
    _check_neurons(flat)
    delayed = _Cuts(flat, notes).edges()
    order = _topological(flat.nodes, [edge for edge in flat.edges if edge not in delayed])
    order.sort(key=lambda path: flat.nodes[path].kind != "Input")
    return [flat.nodes[path] for path in order], {edge: edge in delayed for edge in flat.edges}


def _check_neurons(flat: Flat) -> None:
    plain = [edge for edge in flat.edges if flat.nodes[edge[0]].kind not in NEURONS]
    order = set(_topological(flat.nodes, plain))
    left = {path for path in flat.nodes if path not in order}
    if left:
        loop = min(name_of(path) for path in left)
        raise NirError(
            f"node '{loop}': a cycle without a neuron leads to it, whose value would depend on itself within one step;"
            " export it again with a neuron in the cycle"
        )


def _topological(nodes: Iterable[Path], edges: Iterable[Edge]) -> list[Path]:
    """Return the nodes in an order that fits the edges; those behind a cycle are missing."""
    waits: dict[Path, int] = dict.fromkeys(nodes, 0)
    out_of: dict[Path, list[Path]] = defaultdict(list)
    for source, target in edges:
        waits[target] += 1
        out_of[source].append(target)
    ready = deque(path for path, count in waits.items() if not count)
    order = []
    while ready:
        path = ready.popleft()
        order.append(path)
        for target in out_of[path]:
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return order


class _Cuts:
    """Finds the delayed edges of a graph; its work is bounded, however its cycles are entangled."""

    def __init__(self, flat: Flat, notes: Notes) -> None:
        self.flat, self.notes = flat, notes
        self.rank = _distances(flat)
        self.found: set[Edge] = set()
        self.work = 0

    def edges(self) -> set[Edge]:
        """Return the delayed edges."""
        waiting = self._components(list(self.flat.nodes), self.flat.edges)
        while waiting:
            nodes, edges = waiting.pop()
            self._spend(len(edges))
            cut = self._own(edges) or self._nearest(nodes, edges)
            self.found |= cut
            waiting += self._components(nodes, [edge for edge in edges if edge not in cut])
        return self.found

    def _components(self, nodes: list[Path], edges: list[Edge]) -> list[tuple[list[Path], list[Edge]]]:
        """Return the parts that lie on cycles, each with the edges within it."""
        self._spend(len(nodes) + len(edges))
        part = strong_parts(nodes, edges)
        inside: dict[int, list[Edge]] = defaultdict(list)
        for source, target in edges:
            if part[source] == part[target]:
                inside[part[source]].append((source, target))
        members: dict[int, list[Path]] = defaultdict(list)
        for path in nodes:
            members[part[path]].append(path)
        return [(members[index], kept) for index, kept in inside.items()]

    def _own(self, edges: list[Edge]) -> set[Edge]:
        """Return the edges by which neurons drive themselves through no other neuron."""
        into, out_of = _links(edges)
        cut = set()
        for neuron in {source for source, _ in edges if self._is_neuron(source)}:
            behind = self._reach({neuron}, into)
            cut |= {(neuron, target) for target in out_of[neuron] if target == neuron or target in behind}
        return cut

    def _nearest(self, nodes: list[Path], edges: list[Edge]) -> set[Edge]:
        """Return the edges whose value returns, through no other neuron, to the neuron nearest to an Input."""
        into, out_of = _links(edges)
        neuron = min((path for path in nodes if self._is_neuron(path)), key=lambda path: self.rank[path])
        behind = self._reach({neuron}, into)
        cut = {
            (source, target)
            for source in nodes
            if self._is_neuron(source)
            for target in out_of[source]
            if target == neuron or target in behind
        }
        names = sorted({name_of(source) for source, _ in cut})
        text = f"a cycle of several neurons leads to it; it takes what leaves {', '.join(names[:6])} one step later"
        self.notes.add("ambiguous", name_of(neuron), text)
        return cut

    def _reach(self, start: set[Path], into: Mapping[Path, list[Path]]) -> set[Path]:
        """Return the nodes, none of them neurons, that lead to ``start`` through no neuron."""
        seen: set[Path] = set()
        waiting = list(start)
        while waiting:
            for source in into[waiting.pop()]:
                self._spend(1)
                if source not in seen and not self._is_neuron(source):
                    seen.add(source)
                    waiting.append(source)
        return seen

    def _is_neuron(self, path: Path) -> bool:
        return self.flat.nodes[path].kind in NEURONS

    def _spend(self, amount: int) -> None:
        self.work += amount
        if self.work > MAX_WORK:
            raise NirError(
                "its cycles are entangled beyond what can be put in order; no network is, so export it again"
            )


def _links(edges: Iterable[Edge]) -> tuple[dict[Path, list[Path]], dict[Path, list[Path]]]:
    into: dict[Path, list[Path]] = defaultdict(list)
    out_of: dict[Path, list[Path]] = defaultdict(list)
    for source, target in edges:
        into[target].append(source)
        out_of[source].append(target)
    return into, out_of


def _distances(flat: Flat) -> dict[Path, tuple[int, int]]:
    """Return for each node how far it is from the nearest Input, and its place in the file."""
    _, out_of = _links(flat.edges)
    far = {path: 0 for path, node in flat.nodes.items() if node.kind == "Input"}
    ready = deque(far)
    while ready:
        path = ready.popleft()
        for target in out_of[path]:
            if target not in far:
                far[target] = far[path] + 1
                ready.append(target)
    return {path: (far.get(path, len(flat.nodes)), index) for index, path in enumerate(flat.nodes)}


def strong_parts(nodes: Iterable[Path], edges: Iterable[Edge]) -> dict[Path, int]:
    """Return a number for each node, equal for two nodes if and only if each can be reached from the other.

    Source: Tarjan, "Depth-first search and linear graph algorithms", 1972; with a list for the recursion.

    >>> parts = strong_parts([("a",), ("b",), ("c",)], [(("a",), ("b",)), (("b",), ("a",)), (("b",), ("c",))])
    >>> parts[("a",)] == parts[("b",)], parts[("a",)] == parts[("c",)]
    (True, False)
    """
    _, out_of = _links(edges)
    index: dict[Path, int] = {}
    low: dict[Path, int] = {}
    part: dict[Path, int] = {}
    stack: list[Path] = []
    for root in nodes:
        if root in index:
            continue
        trail = [(root, iter(out_of[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while trail:
            path, rest = trail[-1]
            following = next(rest, None)
            if following is None:
                trail.pop()
                if trail:
                    low[trail[-1][0]] = min(low[trail[-1][0]], low[path])
                if low[path] == index[path]:
                    while True:
                        member = stack.pop()
                        part[member] = index[path]
                        if member == path:
                            break
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                trail.append((following, iter(out_of[following])))
            elif following not in part:
                low[path] = min(low[path], index[following])
    return part
