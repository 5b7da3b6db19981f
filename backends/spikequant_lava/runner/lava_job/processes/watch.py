"""Looks on: records the spikes and the state of a process of Lava's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

LIMIT = (1 << 23) - 1
"""Where stock LIF's potential saturates."""


class Watch(AbstractProcess):  # type: ignore[misc]
    """Receives spikes, and reads each of ``variables``, the potential first, after every step."""

    def __init__(self, *, shape: Any, variables: Any, recorder: Any, name: str) -> None:
        super().__init__(variables=variables, recorder=recorder, name=name)
        self.s_in = InPort(shape=shape)
        for variable in variables:
            setattr(self, f"ref_{variable}", RefPort(shape=shape))


class _AnyVariables(type(PyLoihiProcessModel)):  # type: ignore[misc]
    """Answers Lava's question for the type of any variable's port of a :class:`Watch`."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("ref_"):
            return LavaPyType(PyRefPort.VEC_DENSE, np.int32)
        raise AttributeError(name)


@implements(proc=Watch, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyWatch(PyLoihiProcessModel, metaclass=_AnyVariables):  # type: ignore[misc]
    """Python model of :class:`Watch`."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.variables = proc_params["variables"]
        self.recorder = proc_params["recorder"]

    def run_spk(self) -> None:
        """Record spikes."""
        self.recorder.write(self.time_step, spikes=self.s_in.recv())

    def post_guard(self) -> bool:
        """Ask for the phase in which variables may be read."""
        return True

    def run_post_mgmt(self) -> None:
        """Record the state, and how many potentials lie where they saturate."""
        states = {name: getattr(self, f"ref_{name}").read() for name in self.variables}
        full = np.count_nonzero(np.abs(states["potential"]) >= LIMIT)
        self.recorder.write(
            self.time_step, saturations=full, **{f"state_{key}": value for key, value in states.items()}
        )
