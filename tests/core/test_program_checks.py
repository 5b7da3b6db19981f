"""A program that breaks a rule of the semantics is refused, and the message says which node and why."""

import re

import numpy as np
import pytest

from spikequant.errors import ProgramError
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Input,
    Leak,
    Lif,
    PoolOr,
    Program,
    Readout,
    Reset,
    chain,
    integers,
)

FLAT = Input("input", (2,))
IMAGE = Input("input", (1, 4, 4))
ONES = np.ones((3, 2), int)
KERNEL = np.ones((2, 1, 3, 3), int)


def refused(message):
    return pytest.raises(ProgramError, match=f"^{re.escape(message)}$")


CASES = [
    (
        [Input("input", (2,), coding="rate")],
        "node 'input' (input): coding is 'rate'; it must be one of direct, per_step",
    ),
    ([Input("input", (2,), bits=0)], "node 'input' (input): bits is 0; it must be between 1 and 32"),
    ([Input("input", ())], "node 'input' (input): shape is (); it must be one or more positive sizes"),
    ([Input("input", (2, 0))], "node 'input' (input): shape is (2, 0); it must be one or more positive sizes"),
    (
        [FLAT, Dense("fc", ONES.astype(np.float32))],
        "node 'fc' (dense): codes is of type float32 array; it must be an integer array;"
        " use spikequant.program.integers()",
    ),
    (
        [FLAT, Dense("fc", ONES * 8, bits=4)],
        "node 'fc' (dense): codes is 8..8; it must be within 4 bits (two's complement)",
    ),
    (
        [FLAT, Dense("fc", ONES, bias=np.zeros(2, int))],
        "node 'fc' (dense): bias is an array of shape (2,); it must be shape (3,)",
    ),
    (
        [FLAT, Dense("fc", ONES, bias=np.full(3, 1 << 48))],
        "node 'fc' (dense): bias is 281474976710656..281474976710656; it must be within 48 bits",
    ),
    (
        [FLAT, Dense("fc", np.ones((3, 5), int))],
        "node 'fc': dense has codes (3, 5) and is fed (2,);"
        " it needs (5,), so put a flatten before it or mend the codes",
    ),
    (
        [FLAT, Conv2d("conv", KERNEL)],
        "node 'conv': conv2d has codes (2, 1, 3, 3) in 1 groups and is fed (2,); it needs (1, height, width)",
    ),
    (
        [IMAGE, Conv2d("conv", np.ones((2, 1, 5, 5), int))],
        "node 'conv' (conv2d): kernel (5, 5) does not fit into (4, 4)",
    ),
    (
        [Input("input", (3, 4, 4)), Conv2d("conv", KERNEL, groups=3)],
        "node 'conv' (conv2d): groups is 3; it must be a divisor of the 2 output channels",
    ),
    (
        [IMAGE, Conv2d("conv", KERNEL, stride=(0, 1))],
        "node 'conv' (conv2d): stride is (0, 1); it must be two integers of at least 1",
    ),
    (
        [IMAGE, PoolOr("pool")],
        "node 'pool': pool_or takes spikes in {0, 1}, and its input ranges 0..255;"
        " put it after a spiking node or use pool_sum",
    ),
    (
        [Input("input", (1, 4, 4), bits=1), PoolOr("pool", padding=(1, 2))],
        "node 'pool' (pool_or): padding is (1, 2); it must be at most half the kernel (2, 2)",
    ),
    ([FLAT, Lif("lif", u_bits=1)], "node 'lif' (lif): u_bits is 1; it must be between 2 and 32"),
    (
        [FLAT, Lif("lif", theta=np.ones(3, int))],
        "node 'lif' (lif): theta is an array of shape (3,); it must be of shape (), (2,) or (2,)",
    ),
    (
        [FLAT, Lif("lif", theta=np.array(1.5))],
        "node 'lif' (lif): theta is of type float64 array; it must be an integer array;"
        " use spikequant.program.integers()",
    ),
    (
        [FLAT, Lif("lif", order="leak_never")],
        "node 'lif' (lif): order is 'leak_never'; it must be one of leak_on_read, leak_on_store",
    ),
    (
        [FLAT, Lif("lif", overflow="explode")],
        "node 'lif' (lif): overflow is 'explode'; it must be one of symmetric, saturate, wrap",
    ),
    ([FLAT, Lif("lif", leak=Leak.by_shift(32))], "node 'lif' (lif): leak.shift is 32; it must be between 0 and 31"),
    (
        [FLAT, Lif("lif", leak=Leak("multiply", 2, 5))],
        "node 'lif' (lif): leak.multiplier is 5; it must be between 0 and 4",
    ),
    (
        [FLAT, Lif("lif", reset=Reset("value", 1 << 31))],
        "node 'lif' (lif): reset.value is 2147483648; it must be between -2147483648 and 2147483647",
    ),
    ([FLAT, Input("input", (2,))], "node name 'input' is used twice; give each node its own"),
    (
        [FLAT, Dense("fc.1", ONES)],
        "node name 'fc.1' is not usable; names are letters, digits and '_', at most 64, and start with no digit",
    ),
    ([FLAT, Add("sum")], "node 'sum' (add) takes two edges or more, and 1 lead into it"),
]


@pytest.mark.parametrize(("nodes", "message"), CASES, ids=[message[:50] for _, message in CASES])
def test_refused(nodes, message):
    with refused(message):
        chain(nodes, timesteps=2)


def test_zero_timesteps():
    with refused("timesteps is 0; it must be at least 1"):
        chain([FLAT], timesteps=0)


def test_an_edge_to_nowhere():
    with refused("edge input -> lif names 'lif', which is not a node"):
        Program((FLAT,), (Edge("input", "lif"),), 1)


def test_a_node_without_its_input():
    with refused("node 'lif' (lif) takes exactly one edge, and 0 lead into it"):
        Program((FLAT, Lif("lif")), (), 1)


def test_a_cycle_within_one_timestep():
    edges = (Edge("input", "sum"), Edge("lif", "sum"), Edge("sum", "lif"))
    with refused("nodes sum, lif form a cycle within one timestep; mark one edge between them as delayed"):
        Program((FLAT, Add("sum"), Lif("lif")), edges, 1)


def test_a_delayed_edge_that_does_not_start_at_spikes():
    edges = (Edge("input", "sum"), Edge("fc", "sum", delayed=True), Edge("sum", "fc"))
    message = (
        "edge fc -> sum is delayed, and 'fc' (dense) does not spike;"
        " a recurrent edge must start at a spiking node, else values could grow without bound"
    )
    with refused(message):
        Program((FLAT, Add("sum"), Dense("fc", np.ones((2, 2), int))), edges, 1)


def test_add_of_unequal_shapes():
    edges = (Edge("input", "fc"), Edge("fc", "sum"), Edge("input", "sum"))
    with refused("node 'sum': add joins (3,) and (2,); shapes must be equal"):
        Program((FLAT, Dense("fc", ONES), Add("sum")), edges, 1)


def test_concat_of_unequal_images():
    nodes = (IMAGE, Conv2d("conv", KERNEL), Concat("join"))
    edges = (Edge("input", "conv"), Edge("conv", "join"), Edge("input", "join"))
    with refused("node 'join': concat joins (2, 2, 2), (1, 4, 4); all but the first axis must agree"):
        Program(nodes, edges, 1)


def test_values_beyond_63_bits():
    high = ((1 << 32) - 1) * ((1 << 31) - 1)
    message = f"node 'fc' (dense): values reach 0..{high}, beyond 63 bits; use fewer bits or smaller constants"
    with refused(message):
        chain([Input("input", (1,), bits=32), Dense("fc", np.array([[(1 << 31) - 1]]), bits=32)], timesteps=1)


def test_integers_refuses_fractions():
    message = "^codes must be integers, and float64 values with a fraction were given$"
    with pytest.raises(TypeError, match=message):
        integers([0.5])
    assert integers([2.0, -1.0]).tolist() == [2, -1]


def test_ranges_and_widths_are_the_worst_case_of_the_real_weights():
    codes = np.array([[3, -2], [-1, -1]])
    nodes = [Input("input", (2,), bits=2), Dense("fc", codes, np.array([0, 5]), bits=4), Readout("readout")]
    program = chain(nodes, timesteps=4)
    assert program.ranges == {"input": (0, 3), "fc": (-6, 9), "readout": (-24, 36)}
    assert [program.acc_bits(name) for name in ("input", "fc", "readout")] == [3, 5, 7]


def test_two_convolutional_loops_after_one_another_find_their_shapes():
    """The second loop's walk back crosses the first one."""
    image = Input("input", (2, 4, 4), bits=1)
    same = np.ones((2, 2, 3, 3), int)
    loops = [(Add(f"sum{i}"), Lif(f"lif{i}"), Conv2d(f"back{i}", same, padding=(1, 1))) for i in range(2)]
    edges = [Edge("input", "sum0"), Edge("lif0", "sum1")]
    for i in range(2):
        edges += [Edge(f"sum{i}", f"lif{i}"), Edge(f"lif{i}", f"back{i}", delayed=True), Edge(f"back{i}", f"sum{i}")]
    program = Program((image, *(node for loop in loops for node in loop)), tuple(edges), 2)
    assert set(program.shapes.values()) == {(2, 4, 4)}
