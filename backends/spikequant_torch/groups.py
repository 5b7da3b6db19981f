"""Which nodes must step through time together: the cycles; everything else runs all timesteps at once."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant.program import Node, Program


@dataclass(frozen=True)
class Group:
    """Nodes that run together, in topological order; ``cyclic`` ones one timestep after the other."""

    nodes: tuple[Node, ...]
    cyclic: bool


def groups(program: Program) -> tuple[Group, ...]:
    """Split a program into its cycles and its other nodes, sources before targets.

    A delayed edge outside a cycle does not force a loop: the whole series of its source is known.
    """
    after = {node.name: _reached(program, node.name) for node in program.nodes}
    waiting = list(program.order)
    done: set[str] = set()
    found: list[Group] = []
    while waiting:
        for node in waiting:
            members = [m for m in waiting if m is node or (m.name in after[node.name] and node.name in after[m.name])]
            names = {member.name for member in members}
            if all(edge.source in done | names for m in members for edge in program.inputs_of(m.name)):
                break
        found.append(Group(tuple(members), node.name in after[node.name]))
        done |= names
        waiting = [m for m in waiting if m.name not in names]
    return tuple(found)


def _reached(program: Program, start: str) -> set[str]:
    """Names of the nodes that ``start`` influences, now or later."""
    targets: dict[str, list[str]] = {}
    for edge in program.edges:
        targets.setdefault(edge.source, []).append(edge.target)
    reached: set[str] = set()
    frontier = [start]
    while frontier:
        for name in targets.get(frontier.pop(), ()):
            if name not in reached:
                reached.add(name)
                frontier.append(name)
    return reached
