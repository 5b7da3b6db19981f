"""Runs a network over time: weights and pooling for all timesteps at once, neurons and cycles step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from spikequant_nir.engine_groups import groups

Values = dict[str, Tensor]
State = list[Tensor]
Watch = Callable[[str, int, Tensor, Sequence[Tensor]], None]
"""Called with a layer of neurons, the timestep, what it put out, and its state, each ``(batch, *shape)``."""


class Link(Protocol):
    """An edge, of a graph or of a program."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def target(self) -> str: ...  # noqa: D102
    @property
    def delayed(self) -> bool: ...  # noqa: D102


class Neurons(Protocol):
    """A layer with a state."""

    def start(self, x: Tensor) -> State:
        """Return the state before the first timestep, for driven inputs like ``x`` ``(batch, *shape)``."""

    def driven(self, x: Tensor) -> Tensor:
        """Return inputs ``(steps, batch, *shape)`` as :meth:`step` takes them."""

    def step(self, driven: Tensor, state: State, t: int) -> tuple[Tensor, State]:
        """Return what timestep ``t`` puts out, and the new state."""


class Buffered(Protocol):
    """A layer that holds values back."""

    def advance(self, x: Tensor, t: int, steps: int, memory: dict[str, State]) -> Tensor:
        """Return the values of ``steps`` timesteps from ``t`` on."""


Plain = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Runner:
    """A network ready to run; what enters a node by several edges adds up.

    Values are ``(steps, batch, *shape)``, where steps is T, or 1 for a constant.

    Args:
        names: All nodes, in topological order of the undelayed edges.
        edges: Between them.
        shapes: Of each node's value, without time and batch.
        layers: What each node that is no input does.
        neurons: Layers with a state, instead.
        buffered: Layers that hold values back, instead.
        outputs: Nodes whose values are wanted.
        device: Where to run.
    """

    names: Sequence[str]
    edges: Sequence[Link]
    shapes: Mapping[str, tuple[int, ...]]
    layers: Mapping[str, Plain]
    neurons: Mapping[str, Neurons]
    buffered: Mapping[str, Buffered]
    outputs: Sequence[str]
    device: torch.device

    def run(self, inputs: Mapping[str, Tensor], timesteps: int, watch: Watch | None = None) -> Values:
        """Return the values of the outputs, ``(timesteps, batch, *shape)``.

        Args:
            inputs: For each input floats ``(timesteps, batch, *shape)``, or ``(1, batch, *shape)`` where the same is
                shown at every timestep.
            timesteps: Number of steps.
            watch: Hears of every step of every layer of neurons.
        """
        return _Run(self, inputs, timesteps, watch).outputs()


class _Run:
    """One batch on its way through the network."""

    def __init__(self, runner: Runner, inputs: Mapping[str, Tensor], timesteps: int, watch: Watch | None) -> None:
        self.runner, self.timesteps, self.watch = runner, timesteps, watch
        self.values: Values = {name: value.to(runner.device) for name, value in inputs.items()}
        self.batch = next(iter(self.values.values())).shape[1]
        self.readers = Counter(edge.source for edge in runner.edges) + Counter(runner.outputs)
        self.sources: dict[str, list[Link]] = {name: [] for name in runner.names}
        self.targets: dict[str, list[str]] = {name: [] for name in runner.names}
        for edge in runner.edges:
            self.sources[edge.target].append(edge)
            self.targets[edge.source].append(edge.target)
        self.states: dict[str, State] = {}

    def outputs(self) -> Values:
        """Run every node and return the values of the outputs."""
        given = set(self.values)
        for names in groups(self.runner.names, self.targets):
            if names[0] in given:
                continue
            edges = [edge for name in names for edge in self.sources[name]]
            if len(names) > 1 or names[0] in self.targets[names[0]]:
                self._cycle(names, edges)
            else:
                total = _added([self._series(edge) for edge in edges])
                self.values[names[0]] = self._advance(names[0], total, 0, self.timesteps)
            for edge in edges:
                self._release(edge.source)
        return {
            name: self.values[name].expand(self.timesteps, *self.values[name].shape[1:]) for name in self.runner.outputs
        }

    def _cycle(self, names: Sequence[str], edges: Sequence[Link]) -> None:
        """Run a cycle: every timestep of all its nodes before the next timestep."""
        inside = set(names)
        outside = {id(edge): self._series(edge) for edge in edges if edge.source not in inside}
        series: dict[str, list[Tensor]] = {name: [] for name in names}
        before: Values = {}
        for t in range(self.timesteps):
            now: Values = {}
            for name in names:
                parts = []
                for edge in self.sources[name]:
                    if id(edge) in outside:
                        parts.append(_at(outside[id(edge)], t))
                    elif not edge.delayed:
                        parts.append(now[edge.source])
                    elif t:
                        parts.append(before[edge.source])
                    else:
                        shape = self.runner.shapes[edge.source]
                        parts.append(torch.zeros((1, self.batch, *shape), device=self.runner.device))
                now[name] = self._advance(name, _added(parts), t, 1)
                series[name].append(now[name])
            before = now
        for name in names:
            self.values[name] = torch.cat(series[name])

    def _series(self, edge: Link) -> Tensor:
        """Return what an edge carries over all timesteps; delayed: zero first, the last value dropped."""
        value = self.values[edge.source]
        if not edge.delayed:
            return value
        value = value.expand(self.timesteps, *value.shape[1:])
        return torch.cat([torch.zeros_like(value[:1]), value[:-1]])

    def _release(self, name: str) -> None:
        """Drop a value after its last reader."""
        self.readers[name] -= 1
        if not self.readers[name]:
            self.values.pop(name, None)

    def _advance(self, name: str, x: Tensor, t: int, steps: int) -> Tensor:
        """Run a node from timestep ``t`` on for ``steps`` timesteps."""
        if name in self.runner.layers:
            return self.runner.layers[name](x)
        if name in self.runner.buffered:
            return self.runner.buffered[name].advance(x, t, steps, self.states)
        neurons = self.runner.neurons[name]
        driven, emitted = neurons.driven(x), []
        state = self.states.pop(name, None) or neurons.start(driven[0])
        for k in range(steps):
            out, state = neurons.step(driven[k if len(driven) > 1 else 0], state, t + k)
            emitted.append(out)
            if self.watch is not None:
                self.watch(name, t + k, out, state)
        if t + steps < self.timesteps:
            self.states[name] = state
        return torch.stack(emitted) if steps > 1 else emitted[0].unsqueeze(0)


def _at(value: Tensor, t: int) -> Tensor:
    """Return timestep ``t`` of a series, or the value that holds at every timestep."""
    return value[t : t + 1] if value.shape[0] > 1 else value


def _added(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
