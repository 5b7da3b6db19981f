"""The oracle's operators on integers worked out by hand."""

import numpy as np
import pytest

from spikequant.oracle import run_oracle, value_of
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Lif,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    chain,
)

IMAGE = np.arange(1, 10).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9


def test_dense_multiplies_adds_and_adds_the_bias():
    node = Dense("fc", np.array([[1, -2, 3], [0, 4, -1]]), bias=np.array([10, -10]))
    assert value_of(node, [np.array([[1, 2, 3], [0, -1, 0]])]).tolist() == [[16, -5], [12, -14]]


def test_conv2d_correlates_without_flipping_the_kernel():
    node = Conv2d("conv", np.array([[[[1, 0], [0, -1]]]]))
    assert value_of(node, [IMAGE]).tolist() == [[[[-4, -4], [-4, -4]]]]


def test_conv2d_adds_its_bias_per_channel():
    node = Conv2d("conv", np.array([[[[1]]], [[[2]]]]), bias=np.array([5, -5]))
    assert value_of(node, [IMAGE[:, :, :1, :2]]).tolist() == [[[[6, 7]], [[-3, -1]]]]


def test_conv2d_pads_with_zeros_and_strides():
    node = Conv2d("conv", np.ones((1, 1, 3, 3), int), stride=(2, 2), padding=(1, 1))
    assert value_of(node, [IMAGE]).tolist() == [[[[12, 16], [24, 28]]]]


def test_conv2d_stride_and_padding_are_rows_first():
    node = Conv2d("conv", np.ones((1, 1, 1, 1), int), stride=(2, 1), padding=(0, 1))
    assert value_of(node, [IMAGE]).tolist() == [[[[0, 1, 2, 3, 0], [0, 7, 8, 9, 0]]]]


def test_conv2d_dilation_spreads_the_taps():
    node = Conv2d("conv", np.array([[[[1, 10], [100, 1000]]]]), dilation=(2, 2))
    assert value_of(node, [IMAGE]).tolist() == [[[[1 + 30 + 700 + 9000]]]]


def test_conv2d_groups_see_only_their_own_channels():
    node = Conv2d("conv", np.array([[[[1]]], [[[10]]]]), groups=2)
    assert value_of(node, [np.array([[[[3]], [[4]]]])]).tolist() == [[[[3]], [[40]]]]


def test_pool_or_is_the_maximum_of_spikes_and_padding_is_no_spike():
    spikes = np.array([[[[1, 0, 0], [0, 0, 0], [0, 0, 1]]]])
    assert value_of(PoolOr("pool", (2, 2), (1, 1)), [spikes]).tolist() == [[[[1, 0], [0, 1]]]]
    assert value_of(PoolOr("pool", (2, 2), (2, 2), (1, 1)), [spikes]).tolist() == [[[[1, 0], [0, 1]]]]


def test_pool_sum_sums_and_leaves_out_incomplete_windows():
    assert value_of(PoolSum("pool"), [IMAGE]).tolist() == [[[[12]]]]
    assert value_of(PoolSum("pool", (3, 1), (1, 2)), [IMAGE]).tolist() == [[[[12, 18]]]]
    assert value_of(PoolSum("pool", (2, 2), (2, 2), (1, 1)), [IMAGE]).tolist() == [[[[1, 5], [11, 28]]]]


def test_add_concat_and_flatten():
    a, b = np.array([[[[1, 2]], [[3, 4]]]]), np.array([[[[10, 20]], [[30, 40]]]])
    assert value_of(Add("add"), [a, b, b]).tolist() == [[[[21, 42]], [[63, 84]]]]
    assert value_of(Concat("concat"), [b, a]).tolist() == [[[[10, 20]], [[30, 40]], [[1, 2]], [[3, 4]]]]
    assert value_of(Flatten("flatten"), [a]).tolist() == [[1, 2, 3, 4]]


def test_a_node_outside_the_semantics_is_named():
    class Odd(Node):
        kind = "odd"

    message = "^node 'x' has kind odd, which the integer semantics does not know$"
    with pytest.raises(TypeError, match=message):
        value_of(Odd("x"), [IMAGE])


def test_readout_adds_up_and_the_lowest_index_wins_a_tie():
    codes = np.array([[1, 0], [0, 1], [1, -1]])
    nodes = [Input("input", (2,), bits=1, coding="per_step"), Dense("fc", codes), Readout("readout")]
    spikes = np.array([[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[1, 1], [0, 0]]])
    trace = run_oracle(chain(nodes, timesteps=3), spikes)
    assert trace.outputs["readout"][:, 0].tolist() == [[1, 0, 1], [1, 1, 0], [2, 2, 0]]
    assert trace.outputs["readout"].dtype == np.int64
    assert trace.predictions().tolist() == [0, 0]


def test_a_direct_input_is_shown_at_every_timestep():
    nodes = [Input("input", (1,), bits=8), Dense("fc", np.array([[2]])), Readout("readout")]
    trace = run_oracle(chain(nodes, timesteps=3), np.array([[5], [255]]))
    assert trace.outputs["readout"][:, :, 0].tolist() == [[10, 510], [20, 1020], [30, 1530]]


def test_two_inputs_are_given_by_name():
    nodes = (Input("a", (1,), bits=4), Input("b", (1,), bits=1, coding="per_step"), Add("sum"), Readout("readout"))
    edges = (Edge("a", "sum"), Edge("b", "sum"), Edge("sum", "readout"))
    trace = run_oracle(Program(nodes, edges, 2), {"a": np.array([[7]]), "b": np.array([[[0]], [[1]]])})
    assert trace.outputs["readout"].ravel().tolist() == [7, 15]


def test_a_delayed_edge_carries_the_last_timestep_and_zero_at_first():
    """One neuron that excites its neighbour one timestep later: the spike walks and comes back."""
    ring = np.array([[0, 1], [1, 0]])
    nodes = (Input("input", (2,), bits=1, coding="per_step"), Dense("back", ring), Add("sum"), Lif("lif"))
    edges = (Edge("input", "sum"), Edge("lif", "back", delayed=True), Edge("back", "sum"), Edge("sum", "lif"))
    spikes = np.array([[1, 0], [0, 0], [0, 0], [0, 0]])[:, None]
    trace = run_oracle(Program(nodes, edges, 4), spikes)
    assert trace.spikes["lif"][:, 0].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_counts_by_hand():
    """Two timesteps of 3 = 0b11 and 4 = 0b100 into three outputs: (2 + 1) * 3 accumulates a step."""
    nodes = [Input("input", (2,), bits=3), Dense("fc", np.ones((3, 2), int), np.zeros(3, int), bits=4)]
    nodes += [Lif("lif", theta=np.array(8), u_bits=4), Dense("out", np.ones((2, 3), int), bits=2), Readout("readout")]
    counts = run_oracle(chain(nodes, timesteps=2), np.array([[3, 4]])).counts
    fc, lif, out, readout = (counts.nodes[name] for name in ("fc", "lif", "out", "readout"))
    assert [(o.name, o.bits, o.count) for o in fc.operations] == [("accumulate", 5, 18), ("add", 5, 6)]
    assert [(m.what, m.bits) for m in fc.traffic] == [("weights", 72), ("inputs", 12)]
    assert (fc.inputs, fc.active) == (4, 4)
    # H = 7, then 7 + 7 >> 1 = 10: it fires at the second step
    assert (lif.steps, lif.fires, lif.saturations) == (6, 3, 0)
    assert [(o.name, o.count) for o in lif.operations] == [("shift", 6), ("add", 6), ("compare", 6), ("register", 6)]
    assert [(o.name, o.count) for o in out.operations] == [("accumulate", 6)]
    assert (readout.steps, counts.samples, counts.backend) == (4, 1, "oracle")


def test_counts_of_a_padded_strided_conv_count_only_taps_inside():
    """3x3 windows at the four corners, stride 2, padding 1: each sees 4 of 9 pixels."""
    node = Conv2d("conv", np.ones((2, 1, 3, 3), int), stride=(2, 2), padding=(1, 1))
    trace = run_oracle(chain([Input("input", (1, 3, 3), bits=1), node, Lif("lif")], 1), np.ones((1, 1, 3, 3), int))
    assert trace.counts.nodes["conv"].operations[0].count == 4 * 4 * 2
