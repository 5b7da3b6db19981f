"""Tables of per-operation energies: read from TOML, each figure with its unit, technology and source."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from spikequant.errors import UsageError

_PJ = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3}
BUILT_IN = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Entry:
    """One figure of a table: the energy of an operation, or of moving ``bits`` to or from a memory level.

    ``value`` is in ``unit`` as published, ``energy_pj`` the same in pJ; ``note`` is printed with every
    report that uses the figure.
    """

    name: str
    bits: int
    value: float
    unit: str
    technology: str
    source: str
    energy_pj: float
    note: str = ""


@dataclass(frozen=True)
class Billed:
    """What one operation costs, the width of the entry that it was billed at, and what must be said about it."""

    energy_pj: float
    bits: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class EnergyTable:
    """Per-operation energies of one technology.

    Attributes:
        name: Short name, as reports print it.
        title: What it is, in words.
        technology: Node, clock or voltage.
        source: Where the figures come from, unless an entry says otherwise.
        operations: Entries by operation, in rising width.
        memory: One entry under each memory level.
        composed: Operations that the table bills as the sum of others of the same width.
        notes: Words that go with a composed operation, or with all ``memory``.
    """

    name: str
    title: str
    technology: str
    source: str
    operations: Mapping[str, tuple[Entry, ...]]
    memory: Mapping[str, Entry]
    composed: Mapping[str, tuple[str, ...]]
    notes: Mapping[str, str]

    def operation(self, name: str, bits: int) -> Billed:
        """Return the energy of one operation; a width between two entries takes the larger one.

        An operation up to twice as wide as the widest entry is put together from two of that entry; a
        multiply from four, whose partial sums are not billed.

        Raises:
            UsageError: The table has no such operation, or none half as wide.
        """
        if name in self.composed and name not in self.operations:
            parts = [self.operation(part, bits) for part in self.composed[name]]
            words = f"{name} is billed as {' + '.join(self.composed[name])} of the same width"
            notes = (self.notes.get(name, words), *(note for part in parts for note in part.notes))
            billed = max((part.bits for part in parts if part.energy_pj), default=bits)
            return Billed(sum(part.energy_pj for part in parts), billed, notes)
        entries = self.operations.get(name, ())
        entry = next((entry for entry in entries if entry.bits >= bits), None)
        if entry is None and entries and bits <= 2 * entries[-1].bits:
            return _two_halves(entries[-1], bits)
        if entry is None:
            known = ", ".join(sorted({*self.operations, *self.composed}))
            widest = f"its widest has {entries[-1].bits} bits" if entries else f"it has {known}"
            raise UsageError(
                f"energy table '{self.name}' has no operation '{name}' of {bits} bits; {widest};"
                " add an entry with its source, or bill with another table"
            )
        return Billed(entry.energy_pj, entry.bits, (entry.note,) if entry.note else ())

    def traffic(self, level: str) -> Billed:
        """Return the energy of moving one bit to or from ``level``; ``bits`` is the width of one access.

        Raises:
            UsageError: The table has no such level.
        """
        entry = self.memory.get(level)
        if entry is None:
            known = ", ".join(sorted(self.memory)) or "none"
            raise UsageError(
                f"energy table '{self.name}' has no memory level '{level}'; it has {known};"
                " add an entry with its source, or bill with another table"
            )
        words = f"{level} is billed per bit, in proportion to {entry.bits} bits"
        notes = tuple(note for note in (words, entry.note, self.notes.get("memory", "")) if note)
        return Billed(entry.energy_pj / entry.bits, entry.bits, notes)


def _two_halves(entry: Entry, bits: int) -> Billed:
    """Bill an operation of more bits than ``entry``, the widest there is, as operations on halves."""
    parts = 4 if entry.name.startswith("multiply") else 2
    words = f"{entry.name} wider than {entry.bits} bits is billed as {parts} of {entry.bits} bits"
    return Billed(parts * entry.energy_pj, bits, (words, *([entry.note] if entry.note else [])))


def load_table(name: str | os.PathLike[str], registered: Mapping[str, Path] | None = None) -> EnergyTable:
    """Read an energy table.

    Args:
        name: A path ending in ``.toml``, the name of a built-in table, or one of ``registered``.
        registered: Paths of further tables under their names.

    Raises:
        UsageError: There is no such table, or the file is no energy table.

    >>> load_table("sata32").operation("add", 8).energy_pj
    0.0422
    """
    path = Path(name)
    known = {**built_in_tables(), **(registered or {})}
    if path.suffix != ".toml":
        if str(name) not in known:
            raise UsageError(
                f"energy table '{name}' is not known; choose one of {', '.join(sorted(known))}, or give a .toml file"
            )
        path = known[str(name)]
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        data = toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise UsageError(f"energy table {path} cannot be read: {error}") from error
    try:
        return _table(data)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"lacks the key {error}" if isinstance(error, KeyError) else f"is not as it must be: {error}"
        raise UsageError(f"energy table {path} {what}; see docs/memory-and-energy.md for its form") from error


def built_in_tables() -> dict[str, Path]:
    """Paths of the tables that come with spikequant, under their names."""
    return {path.stem: path for path in sorted(BUILT_IN.glob("*.toml"))}


def _table(data: Mapping[str, Any]) -> EnergyTable:
    operations: dict[str, tuple[Entry, ...]] = {}
    for row in data["operation"]:
        entry = _entry(row["name"], row, data, operations)
        others = operations.get(entry.name, ())
        if any(entry.bits == other.bits for other in others):
            raise ValueError(f"operation '{entry.name}' of {entry.bits} bits is there twice")
        operations[entry.name] = tuple(sorted((*others, entry), key=lambda e: e.bits))
    memory = {row["level"]: _entry(row["level"], row, data, operations) for row in data.get("memory", ())}
    composed = {name: tuple(parts) for name, parts in data.get("composed", {}).items()}
    for name, parts in composed.items():
        missing = [part for part in parts if part not in operations]
        if missing or not parts:
            raise ValueError(f"'{name}' is composed of {', '.join(missing) or 'nothing'}, which is no operation here")
    text = {key: str(data[key]) for key in ("name", "title", "technology", "source")}
    return EnergyTable(**text, operations=operations, memory=memory, composed=composed, notes=data.get("notes", {}))


def _entry(
    name: str, row: Mapping[str, Any], data: Mapping[str, Any], operations: Mapping[str, tuple[Entry, ...]]
) -> Entry:
    unit = row.get("unit", data.get("unit"))
    value, bits = float(row["value"]), int(row["bits"])
    if not 0 <= value < float("inf") or bits < 1:
        raise ValueError(f"'{name}' has value {value} and {bits} bits; a value is at least 0 and bits at least 1")
    return Entry(
        name,
        bits,
        value,
        str(unit),
        str(row.get("technology", data["technology"])),
        str(row.get("source", data["source"])),
        value * _unit_pj(str(unit), operations),
        str(row.get("note", "")),
    )


def _unit_pj(unit: str, operations: Mapping[str, tuple[Entry, ...]]) -> float:
    """Size of ``unit`` in pJ; ``macN`` is one N-bit multiply plus one N-bit add of the same table."""
    if unit in _PJ:
        return _PJ[unit]
    if unit.startswith("mac") and unit[3:].isdecimal():
        parts = [e for name in ("multiply", "add") for e in operations.get(name, ()) if e.bits == int(unit[3:])]
        if len(parts) == 2:
            return parts[0].energy_pj + parts[1].energy_pj
        raise ValueError(f"unit '{unit}' needs a multiply and an add of {unit[3:]} bits in the same table")
    raise ValueError(f"unit '{unit}' is not known; use fJ, pJ, nJ or macN")
