"""Pooling and concat give the oracle's integers on Lava, at every shape, stride and padding."""

import itertools

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Lif,
    PoolOr,
    PoolSum,
    Program,
    Readout,
)
from spikequant.testing.limits import Limits
from spikequant.testing.programs import accepted_programs, random_inputs
from spikequant.verify import compare
from spikequant_lava.backend import LavaBackend, LavaExecutable
from spikequant_lava.wiring import Wiring


def assert_equal(program, python, batch=3, seed=0):
    inputs = random_inputs(program, batch, seed)
    expected, got = run_oracle(program, inputs), LavaExecutable(program, python).run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


def edges_of(text):
    """Read ``a > b`` as an edge and ``a ~ b`` as a delayed one; chains and several of them are fine."""
    found = []
    for path in text.split(","):
        words = path.split()
        for source, arrow, target in zip(words[::2], words[1::2], words[2::2], strict=False):
            found.append(Edge(source, target, delayed=arrow == "~"))
    return tuple(found)


WINDOWS = [
    ((1, 1), (1, 1), (0, 0)),
    ((2, 2), (2, 2), (0, 0)),
    ((3, 2), (1, 2), (1, 0)),
    ((2, 3), (3, 1), (1, 1)),
    ((5, 4), (2, 3), (2, 2)),
    ((1, 5), (4, 1), (0, 2)),
    ((7, 6), (1, 1), (0, 0)),
    ((2, 1), (3, 4), (0, 0)),
]


@pytest.mark.parametrize("kind", [PoolOr, PoolSum])
def test_every_window_equals_the_oracle(kind, lava_python):
    """One job per kind, all windows side by side on a 3 x 7 x 6 image; each pooled value is read out."""
    names = [f"pool{i}" for i in range(len(WINDOWS))]
    pools = [kind(name, *window) for name, window in zip(names, WINDOWS, strict=True)]
    spikes = kind is PoolOr
    nodes = [Input("x", (3, 7, 6), 1 if spikes else 6, signed=not spikes, coding="per_step"), *pools]
    edges = []
    for name in names:
        nodes.append(Readout(f"{name}_sum"))
        edges.append(f"x > {name} > {name}_sum")
    trace = assert_equal(Program(tuple(nodes), edges_of(",".join(edges)), timesteps=4), lava_python)
    assert all((trace.outputs[f"{name}_sum"] != 0).any() for name in names)


def test_a_pool_by_hand(lava_python):
    """2 x 3 windows, stride 1 x 2, padding 1 x 0 over a 2 x 5 image; rows before columns."""
    image = np.array([[[1, 2, 3, 4, 5], [-6, 7, -8, 9, 10]]])
    nodes = (Input("x", (1, 2, 5), 6, signed=True), PoolSum("pool", (2, 3), (1, 2), (1, 0)), Readout("out"))
    program = Program(nodes, edges_of("x > pool > out"), timesteps=1)
    trace = LavaExecutable(program, lava_python).run(image[None])
    assert trace.outputs["out"][0, 0].tolist() == [[[6, 12], [-1, 23], [-7, 11]]]


def test_pools_between_convolutions_and_on_delayed_edges_equal_the_oracle(lava_python):
    """A pool in a loop, one that follows weights with a bias, one whose spikes are flattened, one over large sums."""
    rng = np.random.default_rng(1)
    conv = lambda name, out, size, **more: Conv2d(name, rng.integers(-4, 5, (out, size, 3, 3)), bits=4, **more)  # noqa: E731
    nodes = (
        Input("x", (2, 6, 5), 2, coding="per_step"),
        conv("conv", 3, 2, padding=(1, 1), bias=np.array([1, -2, 3])),
        PoolSum("mean", (3, 3), (1, 1), (1, 1)),
        Add("sum"),
        Lif("lif", u_bits=8, theta=rng.integers(1, 12, 3)),
        PoolOr("or", (3, 3), (1, 1), (1, 1)),
        conv("back", 3, 3, padding=(1, 1)),
        PoolOr("small", (2, 2), (2, 2)),
        Flatten("flat"),
        Dense("out", rng.integers(-4, 5, (4, 18)), bits=4),
        Readout("votes"),
        Conv2d("large", rng.integers(0, 1 << 31, (1, 3, 1, 1)), bits=32),
        PoolSum("larger", (6, 5), (1, 1)),
        Readout("largest"),
    )
    edges = edges_of(
        "x > conv > mean > sum > lif ~ or > back > sum, lif > small > flat > out > votes,lif > large > larger > largest"
    )
    trace = assert_equal(Program(nodes, edges, timesteps=9), lava_python)
    assert trace.counts.nodes["lif"].fires > 50
    assert trace.outputs["largest"].max() > 1 << 33


def test_concat_joins_parts_of_unlike_layouts_lags_and_delays(lava_python):
    """Flat and image parts, one of them twice, a delayed one, and a concat of a concat."""
    rng = np.random.default_rng(2)
    nodes = (
        Input("x", (2, 3, 4), 3, signed=True, coding="per_step"),
        Conv2d("conv", rng.integers(-4, 5, (3, 2, 3, 3)), bits=4, padding=(1, 1)),
        Lif("lif", u_bits=8, theta=rng.integers(1, 9, 3)),
        Concat("channels"),
        Conv2d("wide", rng.integers(-4, 5, (2, 10, 2, 2)), rng.integers(-4, 5, 2), bits=4),
        Lif("lif2", u_bits=8, theta=np.array(5)),
        Flatten("flat"),
        Flatten("flat2"),
        Dense("fc", rng.integers(-4, 5, (5, 36)), bits=4),
        Concat("features"),
        Concat("more"),
        Dense("out", rng.integers(-8, 8, (4, 12 + 36 + 5 + 5)), bits=4),
        Readout("votes"),
        Readout("joined"),
    )
    edges = edges_of(
        "x > conv > lif > channels, lif ~ channels, x > channels, x > channels, channels > wide > lif2,"
        "lif > flat > fc, lif2 > flat2, flat2 > features, flat > features, fc > features,"
        "features > more, fc > more, more > out > votes, more > joined"
    )
    trace = assert_equal(Program(nodes, edges, timesteps=6), lava_python, batch=4)
    assert trace.counts.nodes["lif"].fires
    assert trace.counts.nodes["lif2"].fires


def test_concat_by_hand(lava_python):
    """What the second part of a sample was is gone when the next one starts."""
    nodes = (Input("x", (2,), 4), Lif("a", theta=np.array(3)), Concat("c"), Readout("out"))
    program = Program(nodes, edges_of("x > c, x > a ~ c, c > out"), timesteps=2)
    trace = LavaExecutable(program, lava_python).run(np.array([[3, 1], [0, 5]]))
    assert trace.outputs["out"].swapaxes(0, 1).tolist() == [[[3, 1, 0, 0], [6, 2, 1, 0]], [[0, 5, 0, 0], [0, 10, 0, 1]]]


def test_a_concat_is_relays_and_a_pool_takes_no_step():
    nodes = (
        Input("x", (1, 2, 2), 1),
        Conv2d("conv", np.ones((1, 1, 1, 1), int)),
        PoolSum("pool", (1, 1), (1, 1)),
        Concat("c"),
    )
    wiring = Wiring(Program(nodes, edges_of("x > conv > pool > c, x > c"), timesteps=1))
    assert wiring.lags == {"x": 0, "conv": 1, "pool": 1, "c": 1}
    assert [(relay.sources, relay.depth, relay.laid_as) for relay in wiring.relays] == [
        (("pool",), 0, "c"),
        (("x",), 1, "c"),
    ]
    assert [relay.order.tolist() for relay in wiring.relays] == [
        [0, -1, 1, -1, 2, -1, 3, -1],
        [-1, 0, -1, 1, -1, 2, -1, 3],
    ]


def test_random_programs_with_pools_and_concats_equal_the_oracle(lava_python):
    """What the contract's kit draws, with a pool or a concat in each; nothing of it is refused."""
    kinds = {"pool_or", "pool_sum", "concat"}
    wanted = itertools.cycle(sorted(kinds))
    need = next(wanted)

    def accept(program):
        nonlocal need
        found = need in {node.kind for node in program.nodes} and not LavaBackend().refusals(program)
        need = next(wanted) if found else need
        return found

    for seed, program in accepted_programs(accept, 6, Limits(), Limits(recurrent=False)):
        assert_equal(program, lava_python, seed=seed)
