"""What a run did, in numbers: operations by width, memory traffic, spikes, saturations, cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spikequant.program import Operation

Json = dict[str, Any]


@dataclass(frozen=True)
class Traffic:
    """Bits moved between a level of memory (``register``, ``scratchpad``, ``sram``, ``dram``) and the datapath."""

    level: str
    what: str
    bits: int


@dataclass(frozen=True)
class NodeCounts:
    """Counts of one node over a whole run.

    Attributes:
        kind: The node's kind.
        operations: Operations with their widths.
        traffic: Memory bits moved.
        steps: Neuron updates (neurons x timesteps x samples).
        fires: Spikes put out.
        saturations: Stored potentials that overflow changed.
        inputs: Input values seen (for sparsity), and ``active`` those that were not zero.
    """

    kind: str
    operations: tuple[Operation, ...] = ()
    traffic: tuple[Traffic, ...] = ()
    steps: int = 0
    fires: int = 0
    saturations: int = 0
    inputs: int = 0
    active: int = 0

    def __add__(self, other: NodeCounts) -> NodeCounts:
        """Join the counts of two runs of the same node."""
        return replace(
            self,
            operations=_summed(Operation, (*self.operations, *other.operations), "count"),
            traffic=_summed(Traffic, (*self.traffic, *other.traffic), "bits"),
            **{key: getattr(self, key) + getattr(other, key) for key in _PLAIN},
        )


_PLAIN = ("steps", "fires", "saturations", "inputs", "active")


def _summed(kind: type, items: Iterable[Any], amount: str) -> tuple[Any, ...]:
    """Add up equal operations or traffic."""
    totals: dict[tuple[Any, ...], int] = {}
    for item in items:
        key = tuple((k, v) for k, v in vars(item).items() if k != amount)
        totals[key] = totals.get(key, 0) + getattr(item, amount)
    return tuple(kind(**dict(key), **{amount: total}) for key, total in totals.items())


@dataclass(frozen=True)
class Counts:
    """Counts of a run, node by node.

    Attributes:
        backend: Name of the backend that counted.
        samples: Samples run.
        nodes: Counts under each node's name.
        cycles: Clock cycles, where the backend has a clock.
        notes: Plain words about what was or was not counted.
    """

    backend: str
    samples: int
    nodes: Mapping[str, NodeCounts] = field(default_factory=dict)
    cycles: int | None = None
    notes: tuple[str, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        """Join the counts of two runs of the same program on the same backend."""
        names = dict.fromkeys([*self.nodes, *other.nodes])
        nodes = {name: _joined(self.nodes.get(name), other.nodes.get(name)) for name in names}
        known = self.cycles is not None and other.cycles is not None
        cycles = (self.cycles or 0) + (other.cycles or 0) if known else None
        notes = tuple(dict.fromkeys([*self.notes, *other.notes]))
        return Counts(self.backend, self.samples + other.samples, nodes, cycles, notes)

    @property
    def fires(self) -> int:
        """All spikes."""
        return sum(node.fires for node in self.nodes.values())

    @property
    def saturations(self) -> int:
        """All potentials that overflow changed."""
        return sum(node.saturations for node in self.nodes.values())

    def to_json(self) -> Json:
        """Return plain JSON data, read back by :meth:`from_json`."""
        return {
            "backend": self.backend,
            "samples": self.samples,
            "cycles": self.cycles,
            "notes": list(self.notes),
            "nodes": {name: _node_json(node) for name, node in self.nodes.items()},
        }

    @classmethod
    def from_json(cls, data: Json) -> Counts:
        """Rebuild counts from :meth:`to_json`."""
        nodes = {
            name: NodeCounts(
                entry["kind"],
                tuple(Operation(**item) for item in entry["operations"]),
                tuple(Traffic(**item) for item in entry["traffic"]),
                *(entry[key] for key in _PLAIN),
            )
            for name, entry in data["nodes"].items()
        }
        return cls(data["backend"], data["samples"], nodes, data["cycles"], tuple(data["notes"]))


def _joined(a: NodeCounts | None, b: NodeCounts | None) -> NodeCounts:
    if a is None or b is None:
        present = a or b
        if present is None:
            raise ValueError("counts of a node are missing on both sides")
        return present
    return a + b


def _node_json(node: NodeCounts) -> Json:
    return {
        "kind": node.kind,
        "operations": [vars(item) for item in node.operations],
        "traffic": [vars(item) for item in node.traffic],
        **{key: getattr(node, key) for key in _PLAIN},
    }
