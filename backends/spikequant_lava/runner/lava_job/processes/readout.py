"""Integrator without spikes: the readout of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class IntegerReadout(AbstractProcess):  # type: ignore[misc]
    """``A(t) = A(t-1) + X + bias``; A returns to 0 every ``timesteps`` steps."""

    def __init__(self, *, shape: Any, bias: Any, timesteps: int, recorder: Any, name: str) -> None:
        super().__init__(timesteps=timesteps, recorder=recorder, name=name)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.a = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)


@implements(proc=IntegerReadout, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerReadout(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`IntegerReadout`."""

    a_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    a: Any = LavaPyType(np.ndarray, np.int64)
    bias: Any = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.timesteps = proc_params["timesteps"]
        self.recorder = proc_params["recorder"]

    def run_spk(self) -> None:
        """Accumulate and record."""
        x = self.a_in.recv()
        if self.recorder.row(self.time_step) % self.timesteps == 0:
            self.a[:] = 0
        self.a[:] = self.a + x + self.bias
        self.recorder.write(self.time_step, output=self.a)
        self.s_out.send(self.a)
