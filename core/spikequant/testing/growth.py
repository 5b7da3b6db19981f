"""Grow a random program, node by node, so that it is valid by construction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    IntArray,
    Lateral,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Shape,
)
from spikequant.program.nodes import Pair
from spikequant.program.shapes import node_shape
from spikequant.testing.choices import Choices, chance
from spikequant.testing.lifs import random_lif
from spikequant.testing.limits import Limits

LARGE = 1 << 24


@dataclass(frozen=True)
class Port:
    """A value to build on: its node, shape, whether it spikes, and about how large it is."""

    name: str
    shape: Shape
    spikes: bool
    size: float


class Growth:
    """A program in the making."""

    def __init__(self, choices: Choices, limits: Limits) -> None:
        self.choices, self.limits = choices, limits
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.timesteps = choices.number(1, limits.timesteps)

    def program(self) -> Program:
        """Grow blocks on an input, end in a readout or in spikes, and return the whole."""
        port = self.input(self._input_shape())
        if self.limits.inputs > 1 and "add" in self.limits.kinds and chance(self.choices, 15):
            port = self.add(port, self.input(port.shape))
        for _ in range(self.choices.number(1, self.limits.blocks)):
            port = self._block(port)
        if "readout" in self.limits.kinds and chance(self.choices, 70):
            port = self._dense(self._flat(port))
            self._node(Readout(self._name("readout")), port)
        return Program(tuple(self.nodes), tuple(self.edges), self.timesteps)

    def input(self, shape: Shape) -> Port:
        """Add an input node."""
        bits = self.choices.pick(self.limits.input_bits)
        signed = bits > 1 and self.limits.signed and chance(self.choices, 30)
        node = Input(self._name("input"), shape, bits, signed, self.choices.pick(self.limits.codings))
        self.nodes.append(node)
        return Port(node.name, shape, bits == 1, 0.5 * max(node.limits))

    def add(self, a: Port, b: Port, delayed: bool = False) -> Port:
        """Add two values of equal shape."""
        port = self._node(Add(self._name("add")), a, a.size + b.size)
        self._edge(b.name, port.name, delayed)
        return port

    def _input_shape(self) -> Shape:
        if "conv2d" in self.limits.kinds and chance(self.choices, 50):
            side = self.limits.side
            return self.choices.number(1, 3), self.choices.number(2, side), self.choices.number(2, side)
        return (self.choices.number(1, self.limits.features),)

    def _block(self, port: Port) -> Port:
        """Some operators, then neurons."""
        start = port
        if len(port.shape) == 3:
            for _ in range(self.choices.number(0, 2)):
                port = self._image_operator(port)
            if "flatten" in self.limits.kinds and chance(self.choices, 25):
                port = self._dense(self._flat(port))
        elif chance(self.choices, 85):
            port = self._dense(port)
        if "concat" in self.limits.kinds and chance(self.choices, 15):
            port = self._concat(port)
        if "lateral" in self.limits.kinds and chance(self.choices, 10):
            port = self._lateral(port)
        if port is not start and port.shape == start.shape and "add" in self.limits.kinds and chance(self.choices, 40):
            port = self.add(port, start, delayed=self._delay(start))
        if self.limits.recurrent and "add" in self.limits.kinds and chance(self.choices, 20):
            return self._recurrent(port)
        if port is start and len(port.shape) == 3:  # neurons on neurons say little
            port = self._conv(port)
        return self._lif(port)

    def _image_operator(self, port: Port) -> Port:
        allowed = ["conv2d", "pool_sum", *(["pool_or"] if port.spikes else [])]
        kind = self.choices.pick([k for k in allowed if k in self.limits.kinds])
        if kind == "conv2d":
            return self._conv(port)
        kernel = self._pair(1, 3, port.shape)
        padding = self.choices.number(0, kernel[0] // 2), self.choices.number(0, kernel[1] // 2)
        made = PoolOr if kind == "pool_or" else PoolSum
        node = made(self._name("pool"), kernel, self._pair(1, 3), padding)
        return self._node(node, port, port.size * (1 if kind == "pool_or" else math.prod(kernel)))

    def _conv(self, port: Port, same: bool = False) -> Port:
        port = self._tamed(port)
        channels = port.shape[0]
        if same:
            kernel, stride, padding, dilation, groups, out = (3, 3), (1, 1), (1, 1), (1, 1), 1, channels
        else:
            padding, stride = self._pair(0, 2), self._pair(1, 3)
            kernel = self._pair(1, 3, (channels, port.shape[1] + 2 * padding[0], port.shape[2] + 2 * padding[1]))
            dilation = self._dilation(port, kernel, padding, 0), self._dilation(port, kernel, padding, 1)
            groups = self.choices.pick([g for g in (1, 2, 3, 4) if channels % g == 0])
            out = groups * self.choices.number(1, max(1, self.limits.features // (2 * groups)))
        codes, bits, signed = self._codes((out, channels // groups, *kernel))
        node = Conv2d(
            self._name("conv"),
            codes,
            self._bias(out, bits),
            bits,
            signed=signed,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        return self._node(node, port, _typical(codes, port.size), delayed=self._delay(port))

    def _dilation(self, port: Port, kernel: Pair, padding: Pair, axis: int) -> int:
        """One, or two where the kernel still fits."""
        room = port.shape[axis + 1] + 2 * padding[axis]
        return self.choices.number(1, 2) if (kernel[axis] - 1) * 2 + 1 <= room else 1

    def _tamed(self, port: Port) -> Port:
        """Put neurons after a value so large that another sum could leave 63 bits."""
        return port if port.size < LARGE else self._lif(port)

    def _dense(self, port: Port, out: int | None = None) -> Port:
        port = self._tamed(port)
        out = self.choices.number(1, self.limits.features) if out is None else out
        codes, bits, signed = self._codes((out, port.shape[0]))
        node = Dense(self._name("dense"), codes, self._bias(out, bits), bits, signed=signed)
        return self._node(node, port, _typical(codes, port.size), delayed=self._delay(port))

    def _flat(self, port: Port) -> Port:
        return self._node(Flatten(self._name("flatten")), port) if len(port.shape) == 3 else port

    def _concat(self, port: Port) -> Port:
        """Join with itself or with another value of the same height and width."""
        others = [self._port(n) for n in self.nodes if isinstance(n, Input)]
        fitting = [p for p in others if p.shape[1:] == port.shape[1:]]
        other = self.choices.pick([port, *fitting])
        joined = Concat(self._name("concat"))
        shape = (port.shape[0] + other.shape[0], *port.shape[1:])
        self.nodes.append(joined)
        self._edge(port.name, joined.name)
        self._edge(other.name, joined.name)
        return Port(joined.name, shape, port.spikes and other.spikes, max(port.size, other.size))

    def _recurrent(self, port: Port) -> Port:
        """Neurons whose spikes come back later: directly, through weights, or as lateral inhibition."""
        total = self._node(Add(self._name("add")), port, port.size)
        spikes = self._lif(total)
        if "lateral" in self.limits.kinds and chance(self.choices, 40):
            joined = self._lateral(self._lif(spikes, delayed=True), delayed=True)
            self._edge(joined.name, total.name)
        elif chance(self.choices, 60):
            back = self._conv(spikes, same=True) if len(spikes.shape) == 3 else self._dense(spikes, spikes.shape[0])
            self._delay_inputs(back.name)
            self._edge(back.name, total.name)
        else:
            self._edge(spikes.name, total.name, delayed=True)
        return spikes

    def _delay_inputs(self, name: str) -> None:
        self.edges = [Edge(e.source, e.target, True) if e.target == name else e for e in self.edges]

    def _lateral(self, port: Port, delayed: bool = False) -> Port:
        port = self._tamed(port)
        top = self._top(self.choices.pick(self.limits.code_bits))
        code = int(self.choices.rng.integers(-top, top + 1))
        size = max(1.0, abs(code) * port.size * math.sqrt(math.prod(port.shape)))
        return self._node(Lateral(self._name("lateral"), code), port, size, delayed)

    def _lif(self, port: Port, delayed: bool = False) -> Port:
        lif = random_lif(self._name("lif"), port.shape, port.size, self.choices, self.limits)
        made = self._node(lif, port, delayed=delayed)
        return Port(made.name, made.shape, True, 0.5)

    def _node(self, node: Node, source: Port, size: float | None = None, delayed: bool = False) -> Port:
        self.nodes.append(node)
        self._edge(source.name, node.name, delayed)
        spikes = source.spikes and isinstance(node, (PoolOr, Flatten))
        return Port(node.name, node_shape(node, [source.shape]), spikes, source.size if size is None else size)

    def _edge(self, source: str, target: str, delayed: bool = False) -> None:
        self.edges.append(Edge(source, target, delayed))

    def _delay(self, port: Port) -> bool:
        """Sometimes delay an edge from neurons."""
        kinds = {node.name: node.kind for node in self.nodes}
        return self.limits.recurrent and kinds[port.name] == "lif" and chance(self.choices, 10)

    def _port(self, node: Input) -> Port:
        return Port(node.name, node.shape, node.bits == 1, 0.5 * max(node.limits))

    def _name(self, kind: str) -> str:
        return f"{kind}{sum(node.name.startswith(kind) for node in self.nodes)}"

    def _pair(self, low: int, high: int, shape: Shape = (1, 99, 99)) -> tuple[int, int]:
        return self.choices.number(low, min(high, shape[1])), self.choices.number(low, min(high, shape[2]))

    def _codes(self, shape: Shape) -> tuple[IntArray, int, bool]:
        """Weights, their width, and whether they are signed."""
        bits = self.choices.pick(self.limits.code_bits)
        if self.limits.unsigned and chance(self.choices, 15):
            return self.choices.rng.integers(0, 1 << bits, shape), bits, False
        top = self._top(bits)
        return self.choices.rng.integers(-top, top + 1, shape), bits, True

    @staticmethod
    def _top(bits: int) -> int:
        return (1 << (bits - 1)) - 1

    def _bias(self, size: int, bits: int) -> IntArray | None:
        if not self.limits.bias or not chance(self.choices, 40):
            return None
        return self.choices.rng.integers(-(1 << bits), 1 << bits, size)


def _typical(codes: IntArray, size: float) -> float:
    """About how large a sum is: codes of both signs add up like a random walk, others altogether."""
    per_output = codes.astype(np.float64).reshape(len(codes), -1)
    if codes.min() >= 0:
        return max(1.0, float(per_output.sum(axis=1).mean()) * size)
    return max(1.0, float(np.sqrt(np.square(per_output).sum(axis=1).mean())) * size)
