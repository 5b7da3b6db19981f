"""Input of a run: one array after the other, each shown for some steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class FrameSource(AbstractProcess):  # type: ignore[misc]
    """Sends ``frames[(t - 1) // repeat]`` at step t, and zeros after the last frame."""

    def __init__(self, *, frames: Any, repeat: int, name: str) -> None:
        super().__init__(frames=frames, repeat=repeat, name=name)
        self.s_out = OutPort(shape=frames.shape[1:])


@implements(proc=FrameSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFrameSource(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`FrameSource`."""

    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.frames = proc_params["frames"]
        self.repeat = proc_params["repeat"]

    def run_spk(self) -> None:
        """Send one frame."""
        index = (self.time_step - 1) // self.repeat
        frame = self.frames[index] if index < len(self.frames) else np.zeros(self.frames.shape[1:])
        self.s_out.send(frame.astype(np.int64))
