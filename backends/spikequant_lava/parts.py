"""Divide the nodes and relays of a job among a bounded number of Lava's processes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from typing import Any

Described = dict[str, Any]


def parts_of(described: Sequence[Described], limit: int) -> list[list[str]]:
    """Return the names of each process's nodes: one each if ``limit`` allows, else ``limit`` parts of one order.

    Args:
        described: The job's nodes and relays.
        limit: Largest number of processes.

    In that order every node comes after those whose value of the same step it takes, so values of a step
    travel from lower parts to higher ones only, and no part waits for one that waits for it.

    >>> line = [{"name": name, "process": "lif", "sources": list(before)} for name, before in [("b", "a"), ("a", "")]]
    >>> parts_of(line, 2), parts_of(line, 1)
    ([['b'], ['a']], [['a', 'b']])
    """
    if len(described) <= limit:
        return [[node["name"]] for node in described]
    names = _ordered(described)
    cuts = [len(names) * i // limit for i in range(limit + 1)]
    return [names[start:end] for start, end in itertools.pairwise(cuts)]


def gives_first(node: Described) -> bool:
    """Whether a node sends the value of a step before it receives: a relay that waits, weights of the step before."""
    if node["process"] == "relay":
        return bool(node["depth"])
    return "immediate" in node and not node["immediate"]


def _ordered(described: Sequence[Described]) -> list[str]:
    """Names, each after those that it waits for; as near to the given order as that allows, relays behind a source."""
    early = {node["name"] for node in described if gives_first(node)}
    place = {node["name"]: (i, 0) for i, node in enumerate(described)}
    for i, node in enumerate(described):
        if node["process"] == "relay":
            place[node["name"]] = (max(place[source][0] for source in node["sources"]), i)
    waits = {node["name"]: {s for s in node["sources"] if s not in early} for node in described}
    followers: dict[str, list[str]] = {name: [] for name in waits}
    for name, sources in waits.items():
        if name not in early:
            for source in sources:
                followers[source].append(name)
    open_ = {name: 0 if name in early else len(sources) for name, sources in waits.items()}
    ready = [(place[name], name) for name, count in open_.items() if not count]
    heapq.heapify(ready)
    ordered: list[str] = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(name)
        for follower in followers[name]:
            open_[follower] -= 1
            if not open_[follower]:
                heapq.heappush(ready, (place[follower], follower))
    return ordered
