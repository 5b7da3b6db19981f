"""The cells of a Liberty library: what they compute, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spikequant.errors import BackendError
from spikequant_mint_rtl.activity.functions import Function, parse_function
from spikequant_mint_rtl.activity.liberty import Group, parse_liberty
from spikequant_mint_rtl.activity.tables import Table, read_table

_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}


@dataclass(frozen=True)
class Power:
    """Internal energy of a pin's transitions.

    Attributes:
        related: Input pins whose change caused it; empty for an input's own.
        when: State in which it holds; ``None`` in every state.
        rise: Table for a rising transition, if there is one.
        fall: Table for a falling transition, if there is one.
        supply: Supply pin that it is drawn from; energies of several supplies add up.
    """

    related: tuple[str, ...]
    when: Function | None
    rise: Table | None
    fall: Table | None
    supply: str


@dataclass(frozen=True)
class Pin:
    """A pin: ``function`` of an output, in F the ``capacitance`` that it puts on its net."""

    output: bool
    capacitance: float
    function: Function | None
    powers: tuple[Power, ...]


@dataclass(frozen=True)
class Flop:
    """State of a flip-flop: its name and its inverse's, next value, clock pin, and value after reset."""

    state: str
    inverse: str
    next_state: Function
    clock: str
    after_reset: bool


@dataclass(frozen=True)
class Cell:
    """A cell; ``leakage`` in W by state, ``other_leakage`` in states that none describes."""

    name: str
    pins: Mapping[str, Pin]
    flop: Flop | None
    leakage: tuple[tuple[Function, float], ...]
    other_leakage: float


class Library:
    """A Liberty library whose cells are read when they are asked for."""

    def __init__(self, text: str) -> None:
        self._top = parse_liberty(text)
        self.name = self._top.args[0] if self._top.args else "unnamed"
        self.voltage = self._number("nom_voltage") * self._unit("voltage_unit", "V", "1V")
        self.time_s = self._unit("time_unit", "s", "1ns")
        self.farad = self._capacitance_unit()
        self.joule = self.farad * self._unit("voltage_unit", "V", "1V") ** 2  # of internal energy
        self._cells = {group.args[0]: group for group in self._top.of("cell") if group.args}
        self._templates = {group.args[0]: group for group in self._top.of("power_lut_template") if group.args}
        self._read: dict[str, Cell] = {}

    def cell(self, name: str) -> Cell:
        """Return a cell.

        Raises:
            BackendError: The library has none of this name, or it is of a kind that cannot be evaluated.
        """
        if name not in self._read:
            group = self._cells.get(name)
            if group is None:
                raise BackendError(f"library '{self.name}' has no cell '{name}', which the netlist uses")
            try:
                self._read[name] = self._cell(name, group)
            except ValueError as error:
                raise BackendError(f"cell '{name}' of library '{self.name}' cannot be read: {error}") from error
        return self._read[name]

    def _cell(self, name: str, group: Group) -> Cell:
        for odd in group.of("latch", "statetable", "bus", "bundle", "ff_bank", "latch_bank"):
            raise BackendError(f"cell '{name}' of library '{self.name}' has a {odd.kind}, which cannot be evaluated")
        flops = [self._flop(found) for found in group.of("ff")]
        pins = {pin: self._pin(f"{name}/{pin}", found) for found in group.of("pin") for pin in found.args}
        states = [(one.values.get("when"), one.values.get("value", "0")) for one in group.of("leakage_power")]
        unit = self._unit("leakage_power_unit", "W", "1nW")
        other = next((value for when, value in states if not when), None)
        default = group.values.get("cell_leakage_power", other or self._top.values.get("default_cell_leakage_power"))
        return Cell(
            name,
            pins,
            flops[0] if flops else None,
            tuple((parse_function(when), float(value) * unit) for when, value in states if when),
            float(default or 0) * unit,
        )

    def _flop(self, group: Group) -> Flop:
        clock = parse_function(group.values.get("clocked_on", ""))
        if len(clock.pins) != 1 or len(group.args) != 2:
            raise BackendError(f"library '{self.name}' has a flip-flop clocked on {group.values.get('clocked_on')!r}")
        reset = "preset" in group.values and "clear" not in group.values
        return Flop(*group.args, parse_function(group.values.get("next_state", "")), next(iter(clock.pins)), reset)

    def _pin(self, name: str, group: Group) -> Pin:
        output = group.values.get("direction") == "output"
        edges = [group.values[key] for key in ("rise_capacitance", "fall_capacitance") if key in group.values]
        given = group.values.get("capacitance")
        if given is None and edges:
            given = str(sum(map(float, edges)) / len(edges))
        if given is None and not output:
            given = self._top.values.get("default_input_pin_cap")
            if given is None:
                raise BackendError(f"pin {name} of library '{self.name}' has no capacitance")
        function = group.values.get("function")
        return Pin(
            output,
            float(given or 0) * self.farad,
            parse_function(function) if function else None,
            tuple(self._power(found) for found in group.of("internal_power")),
        )

    def _power(self, group: Group) -> Power:
        tables = {kind: read_table(found, self._templates) for found in group.groups for kind in (found.kind,)}
        both = tables.get("power")
        when = group.values.get("when")
        return Power(
            tuple(group.values.get("related_pin", "").split()),
            parse_function(when) if when else None,
            tables.get("rise_power", both),
            tables.get("fall_power", both),
            group.values.get("related_pg_pin", ""),
        )

    def _number(self, name: str) -> float:
        try:
            return float(self._top.values[name])
        except (KeyError, ValueError) as error:
            raise BackendError(
                f"library '{self.name}' has no figure {name}; energy cannot be told without it"
            ) from error

    def _unit(self, name: str, symbol: str, default: str) -> float:
        text = self._top.values.get(name, default)
        found = re.fullmatch(rf"\s*([\d.]+)\s*([munpf]?){symbol}\s*", text)
        if found is None:
            raise BackendError(f"library '{self.name}' has {name} {text!r}; it must be like {default!r}")
        return float(found[1]) * _PREFIX[found[2]]

    def _capacitance_unit(self) -> float:
        found = self._top.lists.get("capacitive_load_unit", ())
        if len(found) != 2 or found[1].lower() not in ("ff", "pf"):
            raise BackendError(f"library '{self.name}' has no capacitive_load_unit (1, ff) or (1, pf)")
        return float(found[0]) * _PREFIX[found[1][0].lower()]
