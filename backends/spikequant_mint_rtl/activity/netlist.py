"""A netlist of library cells, as Yosys writes it, and the waves of all its nets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikequant.errors import BackendError
from spikequant_mint_rtl.activity.cells import Cell, Library
from spikequant_mint_rtl.activity.functions import Wave

Net = int | str  # a number, or the constants "0", "1" and "x"


@dataclass(frozen=True)
class Instance:
    """A cell of the netlist: its name, its kind and the net at each pin."""

    name: str
    cell: Cell
    nets: Mapping[str, Net]

    @property
    def outputs(self) -> list[str]:
        """Output pins that are connected."""
        return [pin for pin in self.nets if self.cell.pins[pin].output]


@dataclass(frozen=True)
class Netlist:
    """Cells and the nets of named signals, lowest bit first; ``clock`` is the clock's net."""

    instances: tuple[Instance, ...]
    signals: Mapping[str, tuple[Net, ...]]
    clock: Net


def read_netlist(written: Mapping[str, Any], library: Library, clock: str = "clk_i") -> Netlist:
    """Return the netlist that Yosys's ``write_json`` wrote.

    Raises:
        BackendError: A cell or a pin is not the library's, or a flip-flop has another clock.
    """
    module = max(written["modules"].values(), key=lambda one: len(one["cells"]))
    signals = {name: tuple(found["bits"]) for name, found in module["netnames"].items()}
    (clock_net,) = signals[clock]
    instances = []
    for name, found in module["cells"].items():
        cell = library.cell(found["type"])
        nets = {pin: bits[0] for pin, bits in found["connections"].items() if bits}
        for pin in nets:
            if pin not in cell.pins:
                raise BackendError(
                    f"cell '{cell.name}' of library '{library.name}' has no pin '{pin}' in its description"
                )
        if cell.flop is not None and nets[cell.flop.clock] != clock_net:
            raise BackendError(f"flip-flop {name} of the netlist is not clocked by {clock}")
        instances.append(Instance(name, cell, nets))
    return Netlist(tuple(instances), signals, clock_net)


def net_waves(netlist: Netlist, known: Mapping[str, Wave]) -> dict[Net, Wave]:
    """Return the wave of every net: the value that it settles to in each cycle, without delays.

    A flip-flop's output is its next state of the cycle before. Where a signal is known, the netlist must give the same
    wave; where registers are known this proves, cycle by cycle, that the netlist does what the model of it does.

    Args:
        netlist: Cells.
        known: Waves by signal: every input of the module, and every register. Shape (bits, ..., cycles).

    Returns:
        Waves by net, constants included; not the clock's.

    Raises:
        BackendError: The netlist gives another wave than is known, or a net's wave cannot be told.
    """
    waves: dict[Net, Wave] = {}
    for signal, wave in known.items():
        for net, bit in zip(netlist.signals[signal], wave, strict=True):
            waves[net] = bit
    shape = next(iter(waves.values())).shape
    for constant, value in (("0", False), ("1", True), ("x", False)):
        waves[constant] = np.full(shape, value)
    waiting = list(netlist.instances)
    while waiting:
        later = []
        for instance in waiting:
            if not _settle(instance, waves, shape):
                later.append(instance)
        if len(later) == len(waiting):
            raise BackendError(
                f"{len(later)} cells of the netlist wait for nets that nothing drives, {later[0].name} first"
            )
        waiting = later
    return waves


def _settle(instance: Instance, waves: dict[Net, Wave], shape: tuple[int, ...]) -> bool:
    """Compute a cell's outputs, or return ``False`` if an input is not known yet."""
    cell = instance.cell
    seen = {pin: waves[net] for pin, net in instance.nets.items() if not cell.pins[pin].output and net in waves}
    if cell.flop is not None:
        if not cell.flop.next_state.pins <= set(seen):
            return False
        state = np.full(shape, cell.flop.after_reset)
        state[..., 1:] = np.broadcast_to(cell.flop.next_state(seen), shape)[..., :-1]
        seen |= {cell.flop.state: state, cell.flop.inverse: ~state}
    for pin in instance.outputs:
        function = cell.pins[pin].function
        if function is None:
            raise BackendError(f"pin {cell.name}/{pin} has no function in the library; its net's wave cannot be told")
        if not function.pins <= set(seen):
            return False
        wave = np.broadcast_to(function(seen), shape)
        net = instance.nets[pin]
        if net in waves and not np.array_equal(waves[net], wave):
            raise BackendError(f"the netlist's {instance.name}/{pin} differs from the model of the processing element")
        waves[net] = wave
    return True
