"""Pooling over windows of an image: the sum of each window, or its maximum."""

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

JOINS = {"sum": np.add, "max": np.maximum}


class IntegerPool(AbstractProcess):  # type: ignore[misc]
    """Joins each window of (width, height, channels) by ``join``, in the step in which ``s_in`` arrives.

    ``window`` holds kernel, stride and padding, the horizontal one first; padding is zero.
    """

    def __init__(self, *, input_shape: Any, output_shape: Any, window: Any, join: str, name: str) -> None:
        super().__init__(output_shape=output_shape, window=window, join=join, name=name)
        self.s_in = InPort(shape=input_shape)
        self.a_out = OutPort(shape=output_shape)


@implements(proc=IntegerPool, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerPool(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`IntegerPool`; a window is joined along one axis, then along the other."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window = proc_params["window"]
        self.output_shape = proc_params["output_shape"]
        self.join = JOINS[proc_params["join"]]

    def run_spk(self) -> None:
        """Receive, join, send."""
        (px, py), (sx, sy), (kx, ky) = (self.window[key] for key in ("padding", "stride", "kernel"))
        x = np.pad(self.s_in.recv().astype(np.int64), ((px, px), (py, py), (0, 0)))
        x = self.joined(x, kx, sx, self.output_shape[0]).swapaxes(0, 1)
        self.a_out.send(np.ascontiguousarray(self.joined(x, ky, sy, self.output_shape[1]).swapaxes(0, 1)))

    def joined(self, x: Any, kernel: int, stride: int, windows: int) -> Any:
        """Join ``kernel`` neighbours along the first axis, every ``stride``, ``windows`` times."""
        last = (windows - 1) * stride + 1
        result = x[:last:stride].copy()
        for tap in range(1, kernel):
            self.join(result, x[tap : tap + last : stride], out=result)
        return result
