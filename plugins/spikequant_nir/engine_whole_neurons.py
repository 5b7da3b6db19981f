"""Neurons of a program in torch: the node's own integers, and a smooth twin for gradients."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from spikequant.errors import UsageError
from spikequant.gradients import straight_through
from spikequant.program import IntArray, Lif, Program, SpikingNode
from spikequant_cuba import Cell, CubaLi, CubaLif, FixedLif
from spikequant_nir.engine import Neurons, State
from spikequant_nir.engine_neurons import fired
from spikequant_nir.engine_steps import FixedSteps, LifSteps

INT32 = (1 << 31) - 1


class Steps(Protocol):
    """One exact integer step."""

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return what is put out, and the new state; ``x`` is on the input's own grid, all whole numbers."""


def whole_neurons(program: Program, node: SpikingNode, device: torch.device, *, smooth: bool) -> Neurons:
    """Return the executor of ``node``.

    Args:
        program: With the node.
        node: ``lif``, or a kind of ``spikequant_cuba``.
        device: Where it runs.
        smooth: Let gradients pass.
    """
    count = len(node.variables)
    if isinstance(node, Cell) and node.rounding == "stochastic":
        exact: Neurons = StochasticNeurons(node)
    else:
        bound = _bound(program, node)
        dtype = torch.int32 if bound <= INT32 else torch.int64
        ndim = len(program.shapes[node.name])
        steps: Steps
        if isinstance(node, Lif):
            steps = LifSteps(node, dtype, device, ndim)
        elif isinstance(node, Cell):
            steps = FixedSteps(node, dtype, device, ndim)
        else:
            raise UsageError(f"node '{node.name}' has kind {node.kind}, which this model does not lower to")
        exact = WholeNeurons(steps, dtype, count)
    return SmoothNeurons(node, exact, device, len(program.shapes[node.name])) if smooth else exact


class WholeNeurons:
    """Integers throughout."""

    def __init__(self, steps: Steps, dtype: torch.dtype, count: int) -> None:
        self.steps, self.dtype, self.count = steps, dtype, count

    def start(self, x: Tensor) -> State:
        """Return zeros."""
        return [torch.zeros_like(x) for _ in range(self.count)]

    def driven(self, x: Tensor) -> Tensor:
        """Return the inputs as integers."""
        return x.to(self.dtype)

    def step(self, driven: Tensor, state: State, t: int) -> tuple[Tensor, State]:
        """Advance one timestep."""
        out, new = self.steps.step(driven, state)
        return out.to(torch.float64 if out is new[0] else torch.float32), new


class StochasticNeurons:
    """The node's normative NumPy code: its random numbers are keyed by timestep and neuron."""

    def __init__(self, node: SpikingNode) -> None:
        self.node = node

    def start(self, x: Tensor) -> State:
        """Return the node's own initial state."""
        return [_tensor(a, x.device) for a in self.node.initial(x.shape[0], tuple(x.shape[1:]))]

    def driven(self, x: Tensor) -> Tensor:
        """Return the inputs as integers."""
        return x.to(torch.int64)

    def step(self, driven: Tensor, state: State, t: int) -> tuple[Tensor, State]:
        """Advance one timestep."""
        spikes, stored, _ = self.node.advance(_array(driven), tuple(map(_array, state)), t)
        out = _tensor(np.asarray(spikes, np.int64), driven.device)
        return out.to(torch.float64), [_tensor(a, driven.device) for a in stored]


class SmoothNeurons:
    """The exact step, with the gradient of the same equations in real numbers and a surrogate of the spike."""

    def __init__(self, node: SpikingNode, exact: Neurons, device: torch.device, ndim: int) -> None:
        def real(value: IntArray) -> Tensor:
            found = torch.tensor(value, dtype=torch.float64, device=device)
            return found.reshape(-1, *[1] * (ndim - 1)) if found.dim() == 1 else found

        self.node, self.exact, self.graded = node, exact, node.graded
        self.bias = None if getattr(node, "bias", None) is None else real(node.bias)  # type: ignore[attr-defined]
        if isinstance(node, Lif):
            self.decay, self.i_decay = torch.tensor(node.leak.factor, device=device), None
            self.gain = self.i_gain = 1.0
            self.theta, self.reset, self.delay, self.most = real(node.theta), node.reset.kind, 0, 1
        elif isinstance(node, Cell):
            unit = 2.0**-node.decay_bits
            self.decay = real(node.decay) * unit
            cuba = isinstance(node, (CubaLif, CubaLi))
            self.i_decay = real(node.i_decay) * unit if isinstance(node, (CubaLif, CubaLi)) else None
            self.gain = 2.0**node.input_shift
            self.i_gain = 2.0**node.i_shift if isinstance(node, (CubaLif, CubaLi)) else 1.0
            self.old = cuba and node.order == "potential_first"  # type: ignore[attr-defined]
            if isinstance(node, (FixedLif, CubaLif)):
                self.theta, self.reset = real(node.theta), node.reset
                self.delay, self.most = node.reset_delay, node.most_spikes

    def start(self, x: Tensor) -> State:
        """Return zeros, and the spikes of the step before under a delayed reset."""
        return [torch.zeros_like(x) for _ in range(len(self.node.variables) + (not self.graded and bool(self.delay)))]

    def driven(self, x: Tensor) -> Tensor:
        """Return the inputs in float64, whose gradients reach the weights."""
        return x.double()

    def step(self, driven: Tensor, state: State, t: int) -> tuple[Tensor, State]:
        """Advance one timestep: exact values, smooth gradients."""
        count = len(self.node.variables)
        whole = [value.detach().to(torch.int64) for value in state[:count]]
        out, new = self.exact.step(self.exact.driven(driven.detach().unsqueeze(0))[0], _like(self.exact, whole), t)
        y, currents = driven * self.gain, []
        if self.i_decay is not None:
            current = straight_through(state[1] * self.i_decay + y, new[1])
            y, currents = (state[1] if self.old else current) * self.i_gain, [current]
        h = state[0] * self.decay + y
        if self.bias is not None:
            h = h + self.bias
        if self.graded:
            v = straight_through(h, new[0])
            return v, [v, *currents]
        if self.delay:
            h = self._reset(h, state[-1])
        n = straight_through(fired(h, out, self.theta, self.most), out)
        kept = h if self.delay else self._reset(h, n)
        return n, [straight_through(kept, new[0]), *currents, *([n] if self.delay else [])]

    def _reset(self, h: Tensor, n: Tensor) -> Tensor:
        if self.reset == "subtract":
            return h - n * self.theta
        return h * (n.detach() == 0)


def _like(exact: Neurons, whole: State) -> State:
    return [value.to(exact.dtype) for value in whole] if isinstance(exact, WholeNeurons) else whole


def _bound(program: Program, node: SpikingNode) -> int:
    """Return what no magnitude inside one step of ``node`` exceeds."""
    low, high = program.ranges[program.source_of(node.name).name]
    low, high = min(low, 0), max(high, 0)
    h = max(abs(value) for value in node.pre_reset_limits(low, high))
    stored = max(abs(end) for limits in node.state_limits for end in limits)
    if isinstance(node, Lif):
        theta = int(np.abs(node.theta).max())
        return max(2 * (h + theta), abs(node.reset.value), stored * node.leak.multiplier) + (1 << node.leak.shift)
    if not isinstance(node, Cell):
        return 1 << 62
    x = max(-low, high) << max(node.input_shift, 0)
    product = stored << node.decay_bits
    constants = [int(np.abs(value).max()) for value in node.constants.values() if value is not None]
    moved = stored << max(getattr(node, "i_shift", 0), 0)
    down = 1 << max(-node.input_shift, -getattr(node, "i_shift", 0), 0)
    most = getattr(node, "most_spikes", 1)
    return 2 * (max(product, h, x, moved, *constants) + down + (1 << node.decay_bits)) + most * max(constants)


def _array(value: Tensor) -> IntArray:
    return np.ascontiguousarray(value.to("cpu", torch.int64).numpy())


def _tensor(array: IntArray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(array, np.int64)).to(device)
