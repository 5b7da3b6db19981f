"""Nodes that no backend knows, to see whether it refuses them by name or runs them exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Input,
    IntArray,
    Lif,
    Node,
    Operation,
    PoolSum,
    Program,
    Readout,
    Shape,
    SpikingNode,
    State,
    chain,
)


@dataclass(frozen=True, eq=False)
class Stranger(Node):
    """An operator of a kind outside the semantics."""

    kind: ClassVar[str] = "stranger"


@dataclass(frozen=True, eq=False)
class Toggle(SpikingNode):
    """A neuron plugin's kind: its potential flips sign at every timestep and fires when positive."""

    kind: ClassVar[str] = "toggle"

    @property
    def potential_limits(self) -> tuple[int, int]:
        """Symmetric."""
        top = (1 << (self.u_bits - 1)) - 1
        return -top, top

    def step(self, x: IntArray, u: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """U = clamp(X - U); S = [U > 0]."""
        h = x - u
        stored = np.clip(h, *self.potential_limits)
        return (stored > 0).astype(np.int64), stored, (stored != h).astype(np.int64)

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """One add, one compare, one register write."""
        return Operation("add", x_bits), Operation("compare", x_bits), Operation("register", self.u_bits)


@dataclass(frozen=True, eq=False)
class LateLif(Lif):
    """A neuron plugin's kind made from ``lif``: it fires only strictly above theta."""

    kind: ClassVar[str] = "late_lif"

    def step(self, x: IntArray, u: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Like ``lif`` with its input lowered by one."""
        return super().step(x - 1, u)


@dataclass(frozen=True, eq=False)
class Riser(SpikingNode):
    """A neuron plugin's kind with two state variables that start at 3 and 1, and a leak at odd timesteps.

    The threshold rises by one with each spike; the potential keeps what lies below it.
    """

    kind: ClassVar[str] = "riser"
    variables: ClassVar[tuple[str, ...]] = ("potential", "threshold")

    @property
    def potential_limits(self) -> tuple[int, int]:
        """Two's complement."""
        return -(1 << (self.u_bits - 1)), (1 << (self.u_bits - 1)) - 1

    @property
    def state_bits(self) -> tuple[int, ...]:
        """The threshold has three bits and no sign."""
        return self.u_bits, 3

    @property
    def state_limits(self) -> tuple[tuple[int, int], ...]:
        """The threshold starts at 1 and stops at 7."""
        return self.potential_limits, (1, 7)

    def initial(self, batch: int, shape: Shape) -> State:
        """U = 3, threshold = 1."""
        return np.full((batch, *shape), 3), np.full((batch, *shape), 1)

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """H = X + U - (t mod 2); S = [H >= threshold]; U = clamp(S ? H - threshold : H)."""
        u, threshold = state
        h = x + u - t % 2
        fires = h >= threshold
        kept = np.where(fires, h - threshold, h)
        stored = np.clip(kept, *self.potential_limits)
        risen = np.minimum(threshold + fires, 7)
        return fires.astype(np.int64), (stored, risen), (stored != kept).astype(np.int64)

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """Three adds, one compare, two register writes."""
        writes = tuple(Operation("register", bits) for bits in self.state_bits)
        return Operation("add", x_bits, 3), Operation("compare", x_bits), *writes


@dataclass(frozen=True, eq=False)
class Gauge(SpikingNode):
    """A neuron plugin's kind that puts out its potential, which halves at every step and may be negative."""

    kind: ClassVar[str] = "gauge"
    variables: ClassVar[tuple[str, ...]] = ("potential", "peak")
    graded: ClassVar[bool] = True

    @property
    def potential_limits(self) -> tuple[int, int]:
        """Two's complement."""
        return -(1 << (self.u_bits - 1)), (1 << (self.u_bits - 1)) - 1

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Both as wide as the potential."""
        return self.u_bits, self.u_bits

    @property
    def state_limits(self) -> tuple[tuple[int, int], ...]:
        """Both may be negative."""
        return self.potential_limits, self.potential_limits

    def initial(self, batch: int, shape: Shape) -> State:
        """U = 0, and the lowest peak there is."""
        return np.zeros((batch, *shape), np.int64), np.full((batch, *shape), self.potential_limits[0])

    def advance(self, x: IntArray, state: State, t: int) -> tuple[IntArray, State, IntArray]:
        """U = clamp(X + floor(U / 2)), put out as it is; peak = max(peak, U)."""
        h = x + (state[0] >> 1)
        stored = np.clip(h, *self.potential_limits)
        return stored, (stored, np.maximum(state[1], stored)), (stored != h).astype(np.int64)

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """One shift, one add, one compare, two register writes."""
        writes = tuple(Operation("register", bits) for bits in self.state_bits)
        return Operation("shift", self.u_bits), Operation("add", x_bits), Operation("compare", self.u_bits), *writes


@dataclass(frozen=True, eq=False)
class Burst(SpikingNode):
    """A neuron plugin's kind that puts out up to ``most`` spikes at a timestep, one for each 3 of its potential."""

    most: int = 5
    kind: ClassVar[str] = "burst"

    @property
    def potential_limits(self) -> tuple[int, int]:
        """Two's complement."""
        return -(1 << (self.u_bits - 1)), (1 << (self.u_bits - 1)) - 1

    @property
    def emitted_limits(self) -> tuple[int, int]:
        """None to ``most``."""
        return 0, self.most

    def step(self, x: IntArray, u: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """H = X + U; n = min(max(floor(H / 3), 0), most); U = clamp(H - 3 n)."""
        h = x + u
        spikes = np.clip(h // 3, 0, self.most)
        kept = h - 3 * spikes
        stored = np.clip(kept, *self.potential_limits)
        return spikes, stored, (stored != kept).astype(np.int64)

    def operations(self, x_bits: int) -> tuple[Operation, ...]:
        """Two adds, as many compares as spikes, one register write."""
        compares = Operation("compare", x_bits, self.most)
        return Operation("add", x_bits, 2), compares, Operation("register", self.u_bits)


def with_neuron(node: SpikingNode) -> Program:
    """Return a small program around ``node``, named in it as it is."""
    codes = np.array([[2, -1, 3], [1, 1, -2]])
    nodes = [Input("input", (3,), bits=1), Dense("fc", codes, bits=4), node]
    return chain([*nodes, Dense("out", np.array([[1, -2]]), bits=4), Readout("readout")], timesteps=4)


def graded_programs() -> dict[str, Program]:
    """Return programs around a :class:`Gauge` named ``cell``: small, wider than float32, over images, in a loop."""
    wide = [
        Input("input", (3,), bits=28, signed=True, coding="per_step"),
        Gauge("cell", u_bits=30),
        Dense("out", np.array([[1, -2, 3]]), bits=4),
        Readout("readout"),
    ]
    image = [
        Input("input", (2, 5, 4), bits=4, signed=True, coding="per_step"),
        Gauge("cell", u_bits=4),
        Conv2d("conv", np.arange(-9, 9).reshape(1, 2, 3, 3), bits=6, padding=(1, 1)),
        Lif("lif", theta=np.array(40), u_bits=9),
    ]
    looped = (
        Input("input", (3,), bits=3, coding="per_step"),
        Add("sum"),
        Gauge("cell", u_bits=5),
        Dense("back", np.array([[0, -2, 1], [1, 0, -1], [-3, 1, 0]]), bits=4),
    )
    edges = (Edge("input", "sum"), Edge("back", "sum"), Edge("sum", "cell"), Edge("cell", "back", delayed=True))
    return {
        "small": with_neuron(Gauge("cell", u_bits=4)),
        "wide": chain(wide, timesteps=4),
        "over images": chain(image, timesteps=4),
        "in a loop": Program(looped, edges, timesteps=5),
    }


def counted_programs() -> dict[str, Program]:
    """Return programs around a :class:`Burst` named ``cell``: small, with 255 spikes, over images, in a loop."""
    many = [
        Input("input", (3,), bits=12, signed=True, coding="per_step"),
        Burst("cell", u_bits=16, most=255),
        Dense("out", np.array([[1, -2, 3]]), bits=4),
        Readout("readout"),
    ]
    image = [
        Input("input", (2, 5, 4), bits=5, signed=True, coding="per_step"),
        Burst("cell", u_bits=4),
        PoolSum("pool", stride=(1, 1)),
        Conv2d("conv", np.arange(-9, 9).reshape(1, 2, 3, 3), bits=6, padding=(1, 1)),
        Lif("lif", theta=np.array(40), u_bits=9),
    ]
    looped = (
        Input("input", (3,), bits=3, coding="per_step"),
        Add("sum"),
        Burst("cell", u_bits=5),
        Dense("back", np.array([[0, -2, 1], [1, 0, -1], [-3, 1, 0]]), bits=4),
    )
    edges = (Edge("input", "sum"), Edge("back", "sum"), Edge("sum", "cell"), Edge("cell", "back", delayed=True))
    return {
        "small": with_neuron(Burst("cell", u_bits=4, most=2)),
        "255 spikes": chain(many, timesteps=4),
        "over images": chain(image, timesteps=4),
        "in a loop": Program(looped, edges, timesteps=5),
    }


def with_stranger() -> Program:
    """Return a program with an operator of a kind that nobody knows, named ``odd``."""
    codes = np.array([[2, -1, 3], [1, 1, -2]])
    nodes = [Input("input", (3,), bits=1), Dense("fc", codes, bits=4), Stranger("odd"), Lif("lif", theta=np.array(2))]
    return chain(nodes, timesteps=4)
