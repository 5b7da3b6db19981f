"""The integer LIF neuron of the program, every rule a parameter (stock LIF can do none of them exactly)."""

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


class IntegerLif(AbstractProcess):  # type: ignore[misc]
    """``H = X + bias + leak(U); S = [H >= theta]; U = overflow(S ? reset(H) : H)``.

    ``rules`` holds leak, order, reset, u_bits and overflow as the program states them. U returns to 0
    every ``timesteps`` steps, when the next sample arrives: the recorder knows this process's delay.
    """

    def __init__(
        self, *, shape: Any, theta: Any, bias: Any, rules: Any, timesteps: int, recorder: Any, name: str
    ) -> None:
        super().__init__(rules=rules, timesteps=timesteps, recorder=recorder, name=name)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.u = Var(shape=shape, init=0)
        self.theta = Var(shape=shape, init=theta)
        self.bias = Var(shape=shape, init=bias)


@implements(proc=IntegerLif, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerLif(PyLoihiProcessModel):  # type: ignore[misc]
    """Python model of :class:`IntegerLif`, written apart from the oracle so that the two check each other."""

    a_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    u: Any = LavaPyType(np.ndarray, np.int64)
    theta: Any = LavaPyType(np.ndarray, np.int64)
    bias: Any = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rules = proc_params["rules"]
        self.timesteps = proc_params["timesteps"]
        self.recorder = proc_params["recorder"]

    def run_spk(self) -> None:
        """Advance one timestep."""
        x = self.a_in.recv()
        if self.recorder.row(self.time_step) % self.timesteps == 0:
            self.u[:] = 0
        reads = self.rules["order"] == "leak_on_read"
        h = x + self.bias + (self.leaked(self.u) if reads else self.u)
        spikes = h >= self.theta
        kept = np.where(spikes, self.after_spike(h), h)
        kept = kept if reads else self.leaked(kept)
        self.u[:] = self.stored(kept)
        self.recorder.write(
            self.time_step, spikes=spikes, state_potential=self.u, saturations=np.count_nonzero(self.u != kept)
        )
        self.s_out.send(spikes.astype(np.int64))

    def leaked(self, u: Any) -> Any:
        """Return ``u * multiplier / 2**shift``, rounded as the rule says."""
        leak = self.rules["leak"]
        if leak["kind"] == "none":
            return u
        divisor = 1 << leak["shift"]
        scaled = u * leak["multiplier"] if leak["kind"] == "multiply" else u
        if leak["rounding"] == "toward_zero":
            return np.sign(scaled) * (np.abs(scaled) // divisor)
        return (scaled + (divisor // 2 if leak["rounding"] == "nearest" else 0)) // divisor

    def after_spike(self, h: Any) -> Any:
        """What a spike leaves behind."""
        reset = self.rules["reset"]
        if reset["kind"] == "subtract":
            return h - self.theta
        return np.full_like(h, reset["value"] if reset["kind"] == "value" else 0)

    def stored(self, value: Any) -> Any:
        """What the register of ``u_bits`` keeps."""
        half = 1 << (self.rules["u_bits"] - 1)
        if self.rules["overflow"] == "wrap":
            return (value + half) % (2 * half) - half
        low = -half if self.rules["overflow"] == "saturate" else 1 - half
        return np.minimum(np.maximum(value, low), half - 1)
