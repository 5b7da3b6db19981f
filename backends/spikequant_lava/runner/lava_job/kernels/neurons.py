"""What keeps a state from one timestep to the next: integrate-and-fire neurons, a plugin's neurons, readouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Kernel


class Lif(Kernel):
    """``H = X + bias + leak(U); S = [H >= theta]; U = overflow(S ? reset(H) : H)``.

    ``rules`` holds leak, order, reset, u_bits and overflow as the program states them. U returns to 0
    every ``timesteps`` steps, when the next sample arrives: the recorder knows this node's delay.
    Written apart from the oracle, so that the two check each other.
    """

    def __init__(self, *, shape: Any, theta: Any, bias: Any, rules: Any, timesteps: int, recorder: Any) -> None:
        self.shape = self.input_shape = shape
        self.theta = theta
        self.bias = bias
        self.rules = rules
        self.timesteps = timesteps
        self.recorder = recorder
        self.u = np.zeros(shape, np.int64)

    def step(self, x: Any, time_step: int) -> Any:
        """Advance one timestep."""
        if self.recorder.row(time_step) % self.timesteps == 0:
            self.u = np.zeros(self.shape, np.int64)
        reads = self.rules["order"] == "leak_on_read"
        h = x + self.bias + (self.leaked(self.u) if reads else self.u)
        spikes = h >= self.theta
        kept = np.where(spikes, self.after_spike(h), h)
        kept = kept if reads else self.leaked(kept)
        self.u = self.stored(kept)
        self.recorder.write(
            time_step, spikes=spikes, state_potential=self.u, saturations=np.count_nonzero(self.u != kept)
        )
        return spikes.astype(np.int64)

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


class Plugin(Kernel):
    """Calls ``neurons``: ``reset()`` before every sample, ``advance(x, t)`` at every timestep of one.

    ``neurons`` sees values as the program has them; ``order[i]`` is the flat index in the program of
    element i here. Before the first and after the last sample it gives zero.
    """

    def __init__(self, *, shape: Any, neurons: Any, order: Any, timesteps: int, recorder: Any) -> None:
        self.shape = self.input_shape = shape
        self.neurons = neurons
        self.order = order
        self.timesteps = timesteps
        self.recorder = recorder

    def step(self, x: Any, time_step: int) -> Any:
        """Advance one timestep."""
        if not self.recorder.covers(time_step):
            return np.zeros(self.shape, np.int64)
        given = np.empty(x.size, np.int64)
        given[self.order] = x.ravel()
        t = self.recorder.row(time_step) % self.timesteps
        if t == 0:
            self.neurons.reset()
        emitted, state, overflowed = self.neurons.advance(given.reshape(self.neurons.shape), t)
        sent = self.laid(emitted)
        states = {f"state_{name}": self.laid(value) for name, value in state.items()}
        self.recorder.write(time_step, spikes=sent, saturations=overflowed, **states)
        return sent

    def laid(self, values: Any) -> Any:
        """Rearrange values of the program as they lie here."""
        return values.ravel()[self.order].reshape(self.shape)


class Readout(Kernel):
    """``A(t) = A(t-1) + X / 2**shift + bias``; A returns to 0 every ``timesteps`` steps.

    X is a multiple of ``2**shift``, which is not 0 only where stock neurons need larger sums.
    """

    def __init__(self, *, shape: Any, bias: Any, timesteps: int, recorder: Any, shift: int = 0) -> None:
        self.shape = self.input_shape = shape
        self.bias = bias
        self.timesteps = timesteps
        self.recorder = recorder
        self.shift = shift
        self.a = np.zeros(shape, np.int64)

    def step(self, x: Any, time_step: int) -> Any:
        """Accumulate and record."""
        if self.recorder.row(time_step) % self.timesteps == 0:
            self.a = np.zeros(self.shape, np.int64)
        self.a = self.a + (x >> self.shift) + self.bias
        self.recorder.write(time_step, output=self.a)
        return self.a
