"""Energy of a netlist from the transitions of its nets and the tables of its cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spikequant_mint_rtl.activity.cells import Library, Pin, Power
from spikequant_mint_rtl.activity.functions import Wave
from spikequant_mint_rtl.activity.netlist import Instance, Net, Netlist
from spikequant_mint_rtl.activity.tables import Table


@dataclass(frozen=True)
class Energy:
    """Mean energy per clock cycle, in pJ.

    Attributes:
        switching: Charging nets, 1/2 C V^2 per transition; without the clock's.
        internal: Within cells; without that of clock pins.
        clock: Both for the clock's net and pins.
        leakage: Leakage power times the clock's period.
    """

    switching: float
    internal: float
    clock: float
    leakage: float

    @property
    def total(self) -> float:
        """All four."""
        return self.switching + self.internal + self.clock + self.leakage


def netlist_energy(
    netlist: Netlist, library: Library, waves: Mapping[Net, Wave], *, transition_s: float, period_s: float
) -> Energy:
    """Return the energy per cycle of a netlist.

    Transitions are those between a cycle's settled values and the next one's: without delays there are no glitches.
    The clock rises between two cycles, when pins still have the values before, and falls within a cycle.

    Args:
        netlist: Cells.
        library: Their costs.
        waves: By net, shape (..., cycles), as :func:`net_waves` returns them.
        transition_s: Input transition time at which all tables are read.
        period_s: Of the clock.
    """
    loads = _loads(netlist)
    half = library.voltage**2 / 2
    toggles = {net: _count(waves[net]) for net in loads if net in waves}
    edges = next(iter(waves.values()))[..., 1:].size
    switching = sum(half * load * toggles.get(net, 0) for net, load in loads.items())
    clock = 2 * half * loads.get(netlist.clock, 0.0) * edges
    internal = leakage = 0.0
    for instance in netlist.instances:
        for pin, joule in _internal(instance, library, waves, loads, transition_s):
            if instance.cell.flop is not None and pin == instance.cell.flop.clock:
                clock += joule
            else:
                internal += joule
        leakage += _leakage(instance, waves)
    pico = 1e12
    return Energy(switching / edges * pico, internal / edges * pico, clock / edges * pico, leakage * period_s * pico)


def _loads(netlist: Netlist) -> dict[Net, float]:
    """Capacitance of each net in F: of the input pins on it; there are no wires."""
    loads: dict[Net, float] = {}
    for instance in netlist.instances:
        for pin, net in instance.nets.items():
            if not instance.cell.pins[pin].output and net not in ("0", "1", "x"):
                loads[net] = loads.get(net, 0.0) + instance.cell.pins[pin].capacitance
    return loads


def _count(wave: Wave) -> int:
    return int(np.count_nonzero(wave[..., 1:] ^ wave[..., :-1]))


def _internal(
    instance: Instance, library: Library, waves: Mapping[Net, Wave], loads: Mapping[Net, float], transition_s: float
) -> Iterator[tuple[str, float]]:
    """Yield the energy in J of each pin that has internal power, over all cycles."""
    cell = instance.cell
    clock = cell.flop.clock if cell.flop else ""
    before = {pin: waves[net][..., :-1] for pin, net in instance.nets.items() if pin != clock}
    after = {pin: waves[net][..., 1:] for pin, net in instance.nets.items() if pin != clock}
    if clock:
        before[clock], after[clock] = np.array(False), np.array(True)  # data moves just after the rising edge
    for name, pin in cell.pins.items():
        if not pin.powers or name not in instance.nets:
            continue
        load = loads.get(instance.nets[name], 0.0) / library.farad if pin.output else 0.0
        if name == clock:
            always = np.ones(next(iter(after.values())).shape, bool)
            moments = ((True, always, before), (False, always, after))
        else:
            rising = (True, after[name] & ~before[name], after)
            moments = (rising, (False, before[name] & ~after[name], after))
        changed = {other: np.atleast_1d(before[other] ^ after[other]) for other in before}
        place = (transition_s / library.time_s, load)
        yield name, sum(_spent(pin, moment, changed, place) for moment in moments) * library.joule


def _spent(
    pin: Pin,
    moment: tuple[bool, Wave, Mapping[str, Wave]],
    changed: Mapping[str, Wave],
    place: tuple[float, float],
) -> float:
    """Return the energy, in the library's unit, of a pin's transitions in one direction.

    A transition costs what the description says whose state holds and whose related pin changed; the mean, where
    several do. A description without a state holds where no other does. An output's transition that fits none costs
    the mean of all.

    Args:
        pin: With descriptions.
        moment: Whether it rises, when it does, and the pins' values that states refer to.
        changed: When each pin changed.
        place: Input transition time and load at which tables are read, in the library's units.
    """
    rising, moved, state = moment
    total = 0.0
    for supply in sorted({power.supply for power in pin.powers}):
        described = [(power, table) for power in pin.powers if power.supply == supply and (table := _of(power, rising))]
        if not described:
            continue
        energies = [table.at(*place) for _, table in described]
        if pin.output and len(set(energies)) == 1:
            total += energies[0] * int(np.count_nonzero(moved))
            continue
        masks = _masks([power for power, _ in described], moved, state, changed)
        number = np.sum(masks, axis=0)
        spent = sum(mask * energy for mask, energy in zip(masks, energies, strict=True)) / np.maximum(number, 1)
        if pin.output:
            spent = np.where(number == 0, np.mean(energies), spent)
        total += float(np.sum(spent * moved))
    return total


def _masks(powers: Sequence[Power], moved: Wave, state: Mapping[str, Wave], changed: Mapping[str, Wave]) -> list[Wave]:
    """Say for each description when it holds."""
    full = moved.shape
    states = [None if power.when is None else np.broadcast_to(power.when(state), full) for power in powers]
    named = [one for one in states if one is not None]
    free = ~np.any(named, axis=0) if named else np.ones(full, bool)
    masks = []
    for power, own in zip(powers, states, strict=True):
        mask = free if own is None else own
        if power.related:
            mask = mask & np.any([np.broadcast_to(changed[name], full) for name in power.related], axis=0)
        masks.append(mask)
    return masks


def _of(power: Power, rising: bool) -> Table | None:
    return power.rise if rising else power.fall


def _leakage(instance: Instance, waves: Mapping[Net, Wave]) -> float:
    """Return the mean leakage power in W over all cycles; the clock is high for half of each."""
    cell = instance.cell
    if not cell.leakage:
        return cell.other_leakage
    pins = {pin: waves[net] for pin, net in instance.nets.items() if net in waves}
    halves = (False, True) if cell.flop is not None else (False,)
    powers = []
    for high in halves:
        if cell.flop is not None:
            pins[cell.flop.clock] = np.array(high)
        shape = np.broadcast_shapes(*(wave.shape for wave in pins.values()))
        masks = [np.broadcast_to(when(pins), shape) for when, _ in cell.leakage]
        number = np.sum(masks, axis=0)
        sums = sum(mask * power for mask, (_, power) in zip(masks, cell.leakage, strict=True))
        powers.append(float(np.mean(np.where(number == 0, cell.other_leakage, sums / np.maximum(number, 1)))))
    return sum(powers) / len(powers)
