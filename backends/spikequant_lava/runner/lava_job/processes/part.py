"""A part of the program in one process of Lava: one kernel, or many where processes are scarce."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

PORT = re.compile(r"(in|out)_\d+")


class Part(AbstractProcess):  # type: ignore[misc]
    """Steps ``cells`` in their order.

    A cell is ``(name, kernel, sources)``: the names of the cells, here or elsewhere, whose values it takes the
    sum of. ``inlets`` holds the shape of each value that comes from elsewhere, ``outlets`` those that are
    wanted elsewhere, both under the name of the cell that gives them.
    """

    def __init__(self, *, cells: Any, inlets: Any, outlets: Any, name: str) -> None:
        self.inlet_of = {source: f"in_{i}" for i, source in enumerate(inlets)}
        self.outlet_of = {source: f"out_{i}" for i, source in enumerate(outlets)}
        super().__init__(cells=cells, inlet_of=self.inlet_of, outlet_of=self.outlet_of, name=name)
        for source, port in self.inlet_of.items():
            setattr(self, port, InPort(shape=inlets[source]))
        for source, port in self.outlet_of.items():
            setattr(self, port, OutPort(shape=outlets[source]))


class _AnyNumberOfPorts(type(PyLoihiProcessModel)):  # type: ignore[misc]
    """Answers Lava's question for the type of any port of a :class:`Part`, of which there may be any number."""

    def __getattr__(cls, name: str) -> Any:
        if found := PORT.fullmatch(name):
            return LavaPyType((PyInPort if found[1] == "in" else PyOutPort).VEC_DENSE, np.int64)
        raise AttributeError(name)


@implements(proc=Part, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPart(PyLoihiProcessModel, metaclass=_AnyNumberOfPorts):  # type: ignore[misc]
    """Python model of :class:`Part`.

    Early kernels give first and take last. So no part waits for another that waits for it: whatever a kernel
    needs at once comes from an earlier one of the one order that all parts share.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.cells = proc_params["cells"]
        self.inlet_of = proc_params["inlet_of"]
        self.outlet_of = proc_params["outlet_of"]

    def run_spk(self) -> None:
        """Run one step."""
        values: dict[str, Any] = {}
        for name, kernel, _ in self.cells:
            if kernel.early:
                self.give(values, name, kernel.ready())
        for late in (False, True):
            for name, kernel, sources in self.cells:
                if kernel.early is late:
                    value = kernel.step(self.taken(values, kernel, sources), self.time_step)
                    if not late:
                        self.give(values, name, value)

    def give(self, values: dict[str, Any], name: str, value: Any) -> None:
        """Keep a value for this part, and send it to the others that want it."""
        values[name] = value
        if name in self.outlet_of:
            getattr(self, self.outlet_of[name]).send(value)

    def taken(self, values: dict[str, Any], kernel: Any, sources: Any) -> Any:
        """Return the sum of what a kernel takes, receiving what has not come yet."""
        for name in sources:
            if name not in values:
                values[name] = getattr(self, self.inlet_of[name]).recv().astype(np.int64)
        if kernel.input_shape is None:
            return None
        first, *others = (values[name].reshape(kernel.input_shape) for name in sources)
        return sum(others, first) if others else first
