"""What a run did, in numbers: operations by width, memory traffic, spikes, saturations, cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spikequant.errors import UsageError
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
        fires: Values other than zero put out; several spikes of a neuron at one timestep count once.
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


CLAIM = "claim: "
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
        notes: Plain words about what was or was not counted. One that begins ``claim: `` says what a backend
            that approximates claims of all samples that its executable has run, so the last one replaces others.
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
        kept = [note for note in self.notes if not (other.claims and note.startswith(CLAIM))]
        notes = tuple(dict.fromkeys([*kept, *other.notes]))
        return Counts(self.backend, self.samples + other.samples, nodes, cycles, notes)

    @property
    def claims(self) -> tuple[str, ...]:
        """The notes that state a claim."""
        return tuple(note for note in self.notes if note.startswith(CLAIM))

    @property
    def fires(self) -> int:
        """All spikes, and the values other than zero of graded nodes."""
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
        """Rebuild counts from :meth:`to_json`.

        Raises:
            UsageError: The data is not of that form: a key is missing or unknown, or a number is no whole
                number from 0 to 2**63-1.
        """
        table = _table(data, "the counts", ("backend", "samples", "cycles", "notes", "nodes"))
        cycles = None if table["cycles"] is None else _whole(table["cycles"], "cycles")
        notes = tuple(_text(note, "a note") for note in _list(table["notes"], "notes"))
        if not isinstance(table["nodes"], dict):
            raise UsageError("'nodes' is not a table of nodes")
        nodes = {name: _node(name, entry) for name, entry in table["nodes"].items()}
        return cls(_text(table["backend"], "backend"), _whole(table["samples"], "samples"), nodes, cycles, notes)


LARGEST = (1 << 63) - 1


def _node(name: str, entry: Any) -> NodeCounts:
    where = f"node '{name}'"
    table = _table(entry, where, ("kind", "operations", "traffic", *_PLAIN))
    operations = [
        _table(item, f"{where}, operation", ("name", "bits", "count")) for item in _list(table["operations"], where)
    ]
    traffic = [_table(item, f"{where}, traffic", ("level", "what", "bits")) for item in _list(table["traffic"], where)]
    return NodeCounts(
        _text(table["kind"], f"{where}, kind"),
        tuple(
            Operation(
                _text(i["name"], where), _whole(i["bits"], f"{where}, bits"), _whole(i["count"], f"{where}, count")
            )
            for i in operations
        ),
        tuple(
            Traffic(_text(i["level"], where), _text(i["what"], where), _whole(i["bits"], f"{where}, bits"))
            for i in traffic
        ),
        *(_whole(table[key], f"{where}, {key}") for key in _PLAIN),
    )


def _table(data: Any, where: str, keys: tuple[str, ...]) -> Json:
    if not isinstance(data, dict) or set(data) != set(keys):
        raise UsageError(f"{where}: it is not a table of {', '.join(keys)}")
    return data


def _list(data: Any, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise UsageError(f"{where}: {data!r:.40} stands where a list is needed")
    return data


def _text(data: Any, where: str) -> str:
    if not isinstance(data, str):
        raise UsageError(f"{where}: {data!r:.40} stands where a text is needed")
    return data


def _whole(data: Any, where: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data <= LARGEST:
        raise UsageError(f"{where}: {data!r:.40} is not a whole number from 0 to 2**63-1")
    return data


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
        "operations": [dict(vars(item)) for item in node.operations],
        "traffic": [dict(vars(item)) for item in node.traffic],
        **{key: getattr(node, key) for key in _PLAIN},
    }
