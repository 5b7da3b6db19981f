"""Lateral connections: every neuron reaches all the others with one weight."""

from __future__ import annotations

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


class IntegerLateral(AbstractProcess):  # type: ignore[misc]
    """``a_out[n] = code * sum(s_in[m] for m != n)``, in the step in which ``s_in`` arrives."""

    def __init__(self, *, shape: Any, code: int, name: str) -> None:
        super().__init__(code=code, name=name)
        self.s_in = InPort(shape=shape)
        self.a_out = OutPort(shape=shape)


@implements(proc=IntegerLateral, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerLateral(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`IntegerLateral`."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.code = proc_params["code"]

    def run_spk(self) -> None:
        """Receive, weigh, send."""
        x = self.s_in.recv()
        self.a_out.send((np.sum(x) - x) * self.code)
