"""Programs that between them use all of the core: random ones, and some made for its rarer paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    IntArray,
    Leak,
    Lif,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.testing import Limits, accepted_programs, random_inputs
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.backend import MintRtlBackend

BITS = 8  # of weights and potentials in all programs, so that one build runs them
RANDOM = Limits(
    recurrent=False,
    inputs=1,
    signed=False,
    input_bits=(1, 8),
    kinds=("dense", "conv2d", "pool_or", "pool_sum", "add", "flatten", "lif", "readout"),
    code_bits=(8, 4, 2),
    leaks=("shift", "none"),
    roundings=("floor", "toward_zero"),
    resets=("zero", "subtract"),
    overflows=("symmetric",),
    per_neuron=False,
)
Neuron = Callable[[str], Lif | ScaledLif]


@dataclass(frozen=True)
class Case:
    """A program with its inputs, and how to run it."""

    name: str
    program: Program
    inputs: IntArray | dict[str, IntArray]
    zero_skip: bool
    uq: bool


def all_cases(count: int) -> Iterator[Case]:
    """Yield ``count`` random programs and the directed ones, each with and without zero skipping.

    Args:
        count: Random programs; the same ones in every run.
    """
    mint, baseline = MintRtlBackend(), MintRtlBackend(lanes="uq")
    found = accepted_programs(lambda program: not mint.refusals(narrowed(program)), count, RANDOM)
    for index, (seed, grown) in enumerate(found):
        program, zero_skip = narrowed(grown), index % 4 != 3
        for uq in (False, True)[: 1 + (not baseline.refusals(program))]:
            yield Case(f"random {seed}", program, random_inputs(program, 2, seed), zero_skip, uq)
    for neuron, uq in ((lif, False), (plain_lif, True), (scaled_lif, True)):
        for name, program, values in directed(neuron):
            for zero_skip in (True, False):
                yield Case(f"{name} {neuron.__name__}", program, values, zero_skip, uq)


def narrowed(program: Program) -> Program:
    """Return the program with every potential as wide as the built core's."""
    nodes = tuple(replace(node, u_bits=BITS) if isinstance(node, Lif) else node for node in program.nodes)
    return Program(nodes, program.edges, program.timesteps)


def directed(neuron: Neuron) -> Iterator[tuple[str, Program, IntArray]]:
    """Yield programs of several tiles, passes and blocks, with bit-planes, pools and shortcuts."""
    rng = np.random.default_rng(0)
    for coding in ("direct", "per_step"):
        image = Input("x", (3, 6, 6), bits=BITS, coding=coding)
        program = _residual(rng, neuron, image)
        yield f"residual {coding}", program, _values(rng, program)
        wide = Input("x", (1300,), bits=1, coding=coding)
        dense = [Dense("fc1", _codes(rng, 140, 1300), rng.integers(-99, 99, 140)), neuron("lif1")]
        program = chain([wide, *dense, Dense("fc2", _codes(rng, 3, 140)), Readout("out")], timesteps=3)
        yield f"wide {coding}", program, _values(rng, program)


def lif(name: str) -> Lif:
    """Return a neuron that fires often and reaches both ends of its register."""
    return Lif(name, theta=np.array(200), u_bits=BITS, leak=Leak.by_shift(1, "toward_zero"), reset=Reset("subtract"))


def plain_lif(name: str) -> Lif:
    """Return a neuron of the one rule that the baseline's lanes have."""
    return Lif(name, theta=np.array(200), u_bits=BITS, leak=Leak.by_shift(1, "floor"))


def scaled_lif(name: str) -> ScaledLif:
    """Return vanilla UQ's neuron, which needs the baseline's multiplier."""
    return ScaledLif(name, u_bits=BITS, multiplier=np.array([3]), theta=np.array([600]), fraction=4, leak_shift=1)


def _residual(rng: np.random.Generator, neuron: Neuron, image: Input) -> Program:
    nodes: list[Node] = [
        image,
        Conv2d("c1", _codes(rng, 40, 3, 3, 3), rng.integers(-99, 99, 40), padding=(1, 1)),
        neuron("l1"),
        Conv2d("c2", _codes(rng, 40, 40, 3, 3), padding=(1, 1)),
        Conv2d("skip", rng.integers(20, 90, (40, 1, 1, 1)), groups=40),
        Add("sum"),
        neuron("l2"),
        PoolOr("or", kernel=(2, 2), stride=(2, 2)),
        PoolSum("mean", kernel=(2, 2), stride=(1, 1)),
        Conv2d("c3", _codes(rng, 130, 40, 1, 1)),
        neuron("l3"),
        Flatten("flat"),
        Dense("fc", _codes(rng, 10, 520)),
        Readout("out"),
    ]
    straight = ["x", "c1", "l1", "c2", "sum", "l2", "or", "mean", "c3", "l3", "flat", "fc", "out"]
    pairs = [*pairwise(straight), ("l1", "skip"), ("skip", "sum")]
    return Program(tuple(nodes), tuple(Edge(source, target) for source, target in pairs), timesteps=3)


def _codes(rng: np.random.Generator, *shape: int) -> IntArray:
    return rng.integers(-128, 128, shape)


def _values(rng: np.random.Generator, program: Program) -> IntArray:
    node = program.input
    lead = (2,) if node.coding == "direct" else (program.timesteps, 2)
    values: IntArray = rng.integers(0, 1 << node.bits, (*lead, *node.shape))
    return values * (rng.random(values.shape) < 0.3)
