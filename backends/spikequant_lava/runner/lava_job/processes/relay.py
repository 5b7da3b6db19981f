"""Hands a value on: later, rearranged, as a part of a larger one, or without what would pass to the next sample."""

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


class Relay(AbstractProcess):  # type: ignore[misc]
    """Sends at step t the sum of what it received at step t - ``depth``.

    With ``masked_every`` = T the last of every T values is zero, the first one being that of step
    ``lag`` + 1. ``order`` says which element becomes the first, second and so on; -1 stands for a zero.
    """

    def __init__(
        self, *, input_shape: Any, shape: Any, depth: int, order: Any, masked_every: int, lag: int, name: str
    ) -> None:
        super().__init__(shape=shape, depth=depth, order=order, masked_every=masked_every, lag=lag, name=name)
        self.a_in = InPort(shape=input_shape)
        self.s_out = OutPort(shape=shape)


@implements(proc=Relay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRelay(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`Relay`; one that waits sends before it receives, so that a loop can start."""

    a_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.order = proc_params["order"]
        self.masked_every = proc_params["masked_every"]
        self.lag = proc_params["lag"]
        self.shape = proc_params["shape"]
        self.waiting = [np.zeros(self.shape, np.int64) for _ in range(proc_params["depth"])]

    def run_spk(self) -> None:
        """Hand on one value."""
        if self.waiting:
            self.s_out.send(self.waiting.pop(0))
            self.waiting.append(self.received())
        else:
            self.s_out.send(self.received())

    def received(self) -> Any:
        """Receive one value and treat it."""
        x = self.a_in.recv().astype(np.int64)
        if self.masked_every and (self.time_step - self.lag) % self.masked_every == 0:
            x[...] = 0
        return x if self.order is None else np.append(x, 0)[self.order].reshape(self.shape)
