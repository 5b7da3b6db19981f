"""Neurons of a plugin's kind, computed by the plugin's own implementation."""

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


class PluginNeurons(AbstractProcess):  # type: ignore[misc]
    """Calls ``neurons``: ``reset()`` before every sample, ``advance(x, t)`` at every timestep of one.

    ``neurons`` sees values as the program has them; ``order[i]`` is the flat index in the program of
    element i here.
    """

    def __init__(self, *, shape: Any, neurons: Any, order: Any, timesteps: int, recorder: Any, name: str) -> None:
        super().__init__(shape=shape, neurons=neurons, order=order, timesteps=timesteps, recorder=recorder, name=name)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)


@implements(proc=PluginNeurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPluginNeurons(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`PluginNeurons`; before the first and after the last sample it is silent."""

    a_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        for key in ("shape", "neurons", "order", "timesteps", "recorder"):
            setattr(self, key, proc_params[key])

    def run_spk(self) -> None:
        """Advance one timestep."""
        received = self.a_in.recv()
        if not self.recorder.covers(self.time_step):
            self.s_out.send(np.zeros(self.shape, np.int64))
            return
        x = np.empty(received.size, np.int64)
        x[self.order] = received.ravel()
        t = self.recorder.row(self.time_step) % self.timesteps
        if t == 0:
            self.neurons.reset()
        emitted, state, overflowed = self.neurons.advance(x.reshape(self.neurons.shape), t)
        sent = self.laid(emitted)
        states = {f"state_{name}": self.laid(value) for name, value in state.items()}
        self.recorder.write(self.time_step, spikes=sent, saturations=overflowed, **states)
        self.s_out.send(sent)

    def laid(self, values: Any) -> Any:
        """Rearrange values of the program as they lie here."""
        return values.ravel()[self.order].reshape(self.shape)
