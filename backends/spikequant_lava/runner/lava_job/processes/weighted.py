"""Exact integer dense and convolution, for programs that Lava's own processes would not compute exactly.

Like Lava's own, both send at step t what they accumulated at step t - 1, unless they are ``immediate``.
"""

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


class IntegerDense(AbstractProcess):  # type: ignore[misc]
    """``a_out = weights @ s_in + bias``; ``weights`` is int64, or float64 where that is exact and faster."""

    def __init__(self, *, weights: Any, bias: Any, immediate: bool, name: str) -> None:
        super().__init__(weights=weights, bias=bias, immediate=immediate, name=name)
        self.s_in = InPort(shape=(weights.shape[1],))
        self.a_out = OutPort(shape=(weights.shape[0],))
        self.a_buff = Var(shape=(weights.shape[0],), init=0)


class IntegerConv(AbstractProcess):  # type: ignore[misc]
    """Cross-correlation over (width, height, channels); ``weights`` is (kw, kh, out, in / groups)."""

    def __init__(
        self,
        *,
        weights: Any,
        bias: Any,
        input_shape: Any,
        output_shape: Any,
        window: Any,
        groups: int,
        immediate: bool,
        name: str,
    ) -> None:
        super().__init__(
            weights=weights,
            bias=bias,
            window=window,
            groups=groups,
            output_shape=output_shape,
            immediate=immediate,
            name=name,
        )
        self.s_in = InPort(shape=input_shape)
        self.a_out = OutPort(shape=output_shape)
        self.a_buff = Var(shape=output_shape, init=0)


class _Weighted(PyLoihiProcessModel):  # type: ignore[misc]
    """Sends the previous step's sums, or this step's if ``immediate``; a model says how to accumulate."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    a_buff: Any = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.weights = proc_params["weights"]
        self.bias = proc_params["bias"]
        self.immediate = proc_params["immediate"]

    def run_spk(self) -> None:
        """Send, receive, accumulate; or receive, accumulate, send."""
        if not self.immediate:
            self.a_out.send(self.a_buff)
        x = self.s_in.recv().astype(self.weights.dtype)
        self.a_buff = self.accumulated(x).astype(np.int64) + self.bias
        if self.immediate:
            self.a_out.send(self.a_buff)

    def accumulated(self, x: Any) -> Any:
        """Weighted sums of ``x`` without bias."""
        raise NotImplementedError


@implements(proc=IntegerDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerDense(_Weighted):
    """Python model of :class:`IntegerDense`."""

    def accumulated(self, x: Any) -> Any:
        """One matrix product."""
        return self.weights @ x


@implements(proc=IntegerConv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerConv(_Weighted):
    """Python model of :class:`IntegerConv`."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window = proc_params["window"]
        self.groups = proc_params["groups"]
        self.output_shape = proc_params["output_shape"]

    def accumulated(self, x: Any) -> Any:
        """One matrix product per group and kernel tap over the strided view that the tap sees."""
        (px, py), (sx, sy), (dx, dy) = (self.window[key] for key in ("padding", "stride", "dilation"))
        x = np.pad(x, ((px, px), (py, py), (0, 0)))
        columns, rows, out = self.output_shape
        kernel_w, kernel_h, _, per_group = self.weights.shape
        acc = np.zeros(self.output_shape, self.weights.dtype)
        for group in range(self.groups):
            outs = slice(group * out // self.groups, (group + 1) * out // self.groups)
            ins = slice(group * per_group, (group + 1) * per_group)
            for kx in range(kernel_w):
                for ky in range(kernel_h):
                    across = slice(kx * dx, kx * dx + (columns - 1) * sx + 1, sx)
                    down = slice(ky * dy, ky * dy + (rows - 1) * sy + 1, sy)
                    acc[:, :, outs] += x[across, down, ins] @ self.weights[kx, ky, outs].T
        return acc
