"""One chunk of samples on its way through a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from spikequant.program import Edge, Lateral, Node, Program, Readout, SpikingNode, Weighted
from spikequant_torch.exact import float_dtype, magnitude
from spikequant_torch.groups import Group
from spikequant_torch.neurons import Neurons, State
from spikequant_torch.recorder import Recorder
from spikequant_torch.stateless import Stateless
from spikequant_torch.tally import Tallies

Values = dict[str, Tensor]


class Chunk:
    """Values ``(steps, batch, *shape)`` of the nodes that ran; steps is T, or 1 for a constant value."""

    def __init__(
        self,
        program: Program,
        executors: tuple[Mapping[str, Stateless], Mapping[str, Neurons]],
        values: Values,
        recorder: Recorder,
        tallies: Tallies,
    ) -> None:
        self._program, self._values = program, values
        self._stateless, self._spiking = executors
        self._recorder, self._tallies = recorder, tallies
        self._states: dict[str, State] = {}
        self._sums: Values = {}
        self._readers = Counter(edge.source for edge in program.edges)

    def run(self, group: Group) -> None:
        """Run the nodes of ``group``; every value they need from outside is known."""
        edges = [edge for node in group.nodes for edge in self._program.inputs_of(node.name)]
        if group.cyclic:
            self._loop(group.nodes, edges)
        elif edges:
            node = group.nodes[0]
            xs = [self._series(edge) for edge in edges]
            self._values[node.name] = self._advance(node, xs, 0, self._program.timesteps)
        for edge in edges:
            self._release(edge.source)

    def _loop(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        """Run a cycle: every timestep of all its nodes before the next timestep."""
        inside: dict[str, list[Tensor]] = {node.name: [] for node in nodes}
        outside = {edge: self._series(edge) for edge in edges if edge.source not in inside}
        batch, device = next(iter((v.shape[1], v.device) for v in self._values.values()))
        shapes = self._program.shapes
        previous = {name: torch.zeros((1, batch, *shapes[name]), device=device, dtype=torch.float32) for name in inside}
        for t in range(self._program.timesteps):
            now: Values = {}
            for node in nodes:
                xs = [
                    _at(outside[edge], t) if edge in outside else (previous if edge.delayed else now)[edge.source]
                    for edge in self._program.inputs_of(node.name)
                ]
                now[node.name] = self._advance(node, xs, t, 1)
                inside[node.name].append(now[node.name])
            previous = now
        self._values.update({name: torch.cat(series) for name, series in inside.items()})

    def _series(self, edge: Edge) -> Tensor:
        """Return what an edge carries over all timesteps; delayed: zero first, the last value dropped."""
        value = self._values[edge.source]
        if not edge.delayed:
            return value
        value = value.expand(self._program.timesteps, *value.shape[1:])
        return torch.cat([torch.zeros_like(value[:1]), value[:-1]])

    def _release(self, name: str) -> None:
        """Drop a value after its last reader, so that its memory is used again while still in the cache."""
        self._readers[name] -= 1
        if not self._readers[name]:
            del self._values[name]

    def _advance(self, node: Node, xs: Sequence[Tensor], t: int, steps: int) -> Tensor:
        """Run ``node`` from timestep ``t`` on for ``steps`` timesteps."""
        if isinstance(node, SpikingNode):
            return self._spike(node, xs[0], t, steps)
        if isinstance(node, Readout):
            return self._read(node, xs[0], t, steps)
        if isinstance(node, (Weighted, Lateral)):
            self._tallies.saw(node, xs[0], steps // xs[0].shape[0])
        return self._stateless[node.name](xs)

    def _spike(self, node: SpikingNode, x: Tensor, t: int, steps: int) -> Tensor:
        neurons = self._spiking[node.name]
        if x.shape[0] < steps:  # the same input at every timestep: convert it once
            x = x.to(neurons.dtype)
        state = self._states.pop(node.name, None)
        if state is None:
            state = neurons.start(x[0])
        emitted = _empty(steps, x, float_dtype(magnitude(self._program, node.name)))
        for k in range(steps):
            fires, state, overflow = neurons.step(x[k % x.shape[0]], state, t + k)
            emitted[k].copy_(fires)
            self._tallies.stepped(node, fires, overflow)
            self._recorder.stepped(node, t + k, fires, state)
        if t + steps < self._program.timesteps:
            self._states[node.name] = state
        return emitted

    def _read(self, node: Readout, x: Tensor, t: int, steps: int) -> Tensor:
        total = x.to(torch.int64).expand(steps, *x.shape[1:]).cumsum(0)
        if node.name in self._sums:
            total += self._sums[node.name]
        self._sums[node.name] = total[-1]
        self._recorder.read(node.name, t, total)
        return total


def _at(value: Tensor, t: int) -> Tensor:
    """Return timestep ``t`` of a series, or the value that holds at every timestep."""
    return value[t : t + 1] if value.shape[0] > 1 else value


def _empty(steps: int, x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Return room for what ``steps`` timesteps put out, images with their channels innermost."""
    if x.dim() == 5:
        folded = (steps * x.shape[1], *x.shape[2:])
        room = torch.empty(folded, device=x.device, dtype=dtype, memory_format=torch.channels_last)
        return room.reshape(steps, *x.shape[1:])
    return torch.empty((steps, *x.shape[1:]), device=x.device, dtype=dtype)
