"""A plain file holds what other readers know, and its graph alone computes the oracle's spikes."""

import dataclasses
from types import SimpleNamespace

import h5py
import nir
import numpy as np
import pytest

from spikequant.errors import NirError
from spikequant.nir_profile import PlainForm, plain_graph, read_graph, write_plain
from spikequant.oracle import run_oracle
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Leak,
    Lif,
    PoolSum,
    Program,
    Reset,
    chain,
)

HALF = Leak.by_shift(1)


def recurrent(bias=None):
    rng = np.random.default_rng(1)
    nodes = (
        Input("x", (6,), 1, coding="per_step"),
        Dense("fc", rng.integers(-7, 8, (5, 6)), bits=4),
        Dense("back", rng.integers(-7, 8, (5, 5)), rng.integers(-2, 3, 5), bits=4),
        Add("sum"),
        Lif("lif", u_bits=16, theta=np.array(6), leak=HALF, bias=bias),
    )
    pairs = (("x", "fc"), ("fc", "sum"), ("back", "sum"), ("sum", "lif"))
    return Program(nodes, (*(Edge(*pair) for pair in pairs), Edge("lif", "back", delayed=True)), 12)


def convolutional(bias=None):
    rng = np.random.default_rng(2)
    return chain(
        [
            Input("x", (2, 4, 4), 1, coding="per_step"),
            Conv2d("conv", rng.integers(-7, 8, (3, 2, 3, 3)), bits=4, padding=(1, 1)),
            Lif("lif1", u_bits=16, theta=np.array([5, 6, 7]), leak=HALF, bias=bias),
            PoolSum("pool"),
            Flatten("flat"),
            Dense("fc", rng.integers(-7, 8, (4, 12)), bits=4),
            Lif("lif2", u_bits=16, theta=np.array(6), leak=HALF, reset=Reset("value", 2)),
        ],
        9,
    )


def flat(graph):
    """Nodes and edges with nested graphs taken apart; only neurons stand before and behind them here."""
    nodes, edges = {}, list(graph.edges)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            ends = {n for n, inner in node.nodes.items() if isinstance(inner, (nir.Input, nir.Output))}
            nodes |= {n: inner for n, inner in node.nodes.items() if n not in ends}
            edges += [edge for edge in node.edges if not ends & set(edge)]
        else:
            nodes[name] = node
    return SimpleNamespace(nodes=nodes, edges=edges)


def euler(graph, x, dt=1e-4):
    """Spikes per LIF, by Euler steps of NIR's equations alone; ``x`` is ``(T, N, *shape)``."""
    value = dict.fromkeys(graph.nodes)
    v = {name: 0.0 for name, node in graph.nodes.items() if isinstance(node, nir.LIF)}
    seen = {name: [] for name in v}
    for step in x:
        before = dict(value)
        for name, node in graph.nodes.items():
            ready = list(graph.nodes)[: list(graph.nodes).index(name)]
            fed = [value[a] if a in ready else before[a] for a, b in graph.edges if b == name]
            total = step.astype(np.float32) if isinstance(node, nir.Input) else sum(f for f in fed if f is not None)
            value[name] = apply(node, total, v, name, len(step), np.float32(dt))
            if name in seen:
                seen[name].append(value[name])
    return {name: np.stack(spikes) for name, spikes in seen.items()}


def apply(node, total, v, name, batch, dt):
    if isinstance(node, nir.Affine):
        return (total if np.ndim(total) else np.zeros((batch, node.weight.shape[1]))) @ node.weight.T + node.bias
    if isinstance(node, nir.Conv2d):
        padded = np.pad(total, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, node.weight.shape[2:], (2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, node.weight) + node.bias[:, None, None]
    if isinstance(node, nir.SumPool2d):
        n, c, height, width = total.shape
        return total.reshape(n, c, height // 2, 2, width // 2, 2).sum((3, 5))
    if isinstance(node, nir.Flatten):
        return total.reshape(batch, -1)
    if isinstance(node, nir.LIF):
        pre = v[name] + dt / node.tau * (node.v_leak - v[name] + node.r * total)
        fired = pre > node.v_threshold
        v[name] = np.where(fired, node.v_reset, pre)
        return fired.astype(np.float32)
    return total


PROGRAMS = {
    "recurrent": recurrent(),
    "recurrent, biased": recurrent(np.array([1, -2, 0, 1, 1])),
    "conv": convolutional(),
    "conv, biased": convolutional(np.array([1, -1, 2])),
}


@pytest.mark.parametrize("unit_gain", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_plain_graph_alone_computes_the_spikes_of_the_oracle(name, unit_gain, tmp_path):
    program = PROGRAMS[name]
    x = np.random.default_rng(3).random((program.timesteps, 20, *program.input.shape)) < 0.5
    trace = run_oracle(program, x.astype(int))
    assert trace.counts.saturations == 0
    assert trace.counts.fires > 100
    write_plain(program, tmp_path / "plain.nir", PlainForm(unit_gain=unit_gain))
    spikes = euler(flat(read_graph(tmp_path / "plain.nir")), x)
    assert set(spikes) == set(trace.spikes)
    for node, expected in trace.spikes.items():
        assert np.array_equal(spikes[node], expected), node


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_plain_graph_holds_no_metadata_no_node_that_only_adds_and_no_linear(name):
    graph = plain_graph(PROGRAMS[name])
    assert graph.metadata == {}
    assert all(node.metadata == {} for node in graph.nodes.values())
    assert not {"Scale", "Linear"} & {type(node).__name__ for node in flat(graph).nodes.values()}


def test_a_flatten_counts_from_the_end_so_that_a_batch_does_not_matter():
    flatten = plain_graph(PROGRAMS["conv"]).nodes["flat"]
    assert (flatten.start_dim, flatten.end_dim) == (-3, -1)
    assert flatten.output_type["output"].tolist() == [12]


def test_with_the_unit_gain_every_lif_has_r_one_and_no_leak_potential():
    graph = plain_graph(PROGRAMS["conv, biased"], unit_gain=True)
    lifs = [node for node in graph.nodes.values() if isinstance(node, nir.LIF)]
    assert len(lifs) == 2
    assert all(np.all(lif.r == 1) and np.all(lif.v_leak == 0) for lif in lifs)
    conv = PROGRAMS["conv, biased"].by_name["conv"]
    assert np.array_equal(graph.nodes["conv"].weight, 2 * conv.codes)
    assert graph.nodes["conv"].bias.tolist() == [2, -2, 4]


def test_a_reader_meets_the_nodes_after_what_feeds_them(tmp_path):
    write_plain(PROGRAMS["recurrent"], tmp_path / "plain.nir")
    graph = nir.read(tmp_path / "plain.nir")
    assert list(graph.nodes) == ["x", "fc", "lif", "lif__output"]
    assert list(graph.nodes["lif"].nodes) == ["input", "back", "lif", "output"]


def test_neurons_and_their_recurrent_weights_are_a_graph_of_their_own():
    graph = plain_graph(PROGRAMS["recurrent"])
    assert sorted(graph.edges) == [("fc", "lif"), ("lif", "lif__output"), ("x", "fc")]
    inner = graph.nodes["lif"]
    assert not inner.nodes["back"].bias.any()  # it is in fc, where it acts in the first timestep too
    assert np.array_equal(graph.nodes["fc"].bias, PROGRAMS["recurrent"].by_name["back"].bias)
    assert sorted(inner.edges) == [("back", "lif"), ("input", "lif"), ("lif", "back"), ("lif", "output")]


def test_names_inside_differ_from_those_of_the_layer():
    program = recurrent()
    renamed = {"lif": "input", "back": "output"}
    nodes = tuple(dataclasses.replace(node, name=renamed.get(node.name, node.name)) for node in program.nodes)
    edges = tuple(
        Edge(renamed.get(e.source, e.source), renamed.get(e.target, e.target), e.delayed) for e in program.edges
    )
    graph = plain_graph(Program(nodes, edges, program.timesteps))
    assert list(graph.nodes["input"].nodes) == ["input__input", "output", "input", "input__output"]


def test_weights_that_join_two_layers_stay_where_they_are():
    nodes = (
        Input("x", (4,), 1, coding="per_step"),
        Dense("fc", np.eye(4, dtype=int)),
        Dense("back", np.eye(4, dtype=int)),
        Add("sum"),
        Lif("one", leak=HALF),
        Lif("two", leak=HALF),
    )
    pairs = (("x", "fc"), ("fc", "sum"), ("back", "sum"), ("sum", "one"), ("one", "two"))
    program = Program(nodes, (*(Edge(*pair) for pair in pairs), Edge("two", "back", delayed=True)), 3)
    graph = plain_graph(program)
    assert not [node for node in graph.nodes.values() if isinstance(node, nir.NIRGraph)]
    assert ("two", "back") in graph.edges


def test_the_layout_of_1_0_4_has_no_v_reset_and_no_metadata(tmp_path):
    write_plain(PROGRAMS["recurrent"], tmp_path / "old.nir", PlainForm("1.0.4"))
    names = []
    with h5py.File(tmp_path / "old.nir", "r") as file:
        file.visit(names.append)
        assert file["version"][()] == b"1.0.4"
    assert "node/nodes/lif/nodes/lif/v_threshold" in names
    assert not [name for name in names if name.endswith(("v_reset", "metadata"))]


def test_the_layout_of_1_0_4_refuses_a_reset_to_a_value(tmp_path):
    with pytest.raises(NirError, match=r"^node 'lif2': it resets to 2, and nir 1\.0\.4 has no v_reset; .*$"):
        write_plain(PROGRAMS["conv"], tmp_path / "old.nir", PlainForm("1.0.4"))
    assert not list(tmp_path.iterdir())


def test_a_version_that_is_not_offered_is_refused_by_name():
    with pytest.raises(NirError, match=r"^nir_version is '1\.0\.2'; it must be one of 1\.0\.8, 1\.0\.4$"):
        PlainForm("1.0.2")


def test_a_gain_that_no_layer_can_take_up_is_refused():
    lif = Lif("lif", u_bits=16, theta=np.array(6), leak=HALF)
    fed_by_input = chain([Input("x", (4,), 1, coding="per_step"), lif], 2)
    with pytest.raises(
        NirError, match=r"^node 'lif': its gain cannot go into 'x' \(Input\), which has no weights; .*$"
    ):
        plain_graph(fed_by_input, unit_gain=True)
    nodes = (Input("x", (4,), 1, coding="per_step"), Dense("fc", np.eye(4, dtype=int)), lif, Lif("two", leak=HALF))
    edges = (Edge("x", "fc"), Edge("fc", "lif"), Edge("fc", "two"))
    with pytest.raises(NirError, match=r"^node 'lif': its gain cannot go into 'fc', which also feeds 'two'; .*$"):
        plain_graph(Program(nodes, edges, 2), unit_gain=True)


def test_a_gain_that_is_not_exact_in_float32_is_refused():
    lif = Lif("lif", u_bits=16, theta=np.array(6), leak=Leak("multiply", 3, 5, "nearest"))
    program = chain([Input("x", (4,), 1, coding="per_step"), Dense("fc", 7 * np.eye(4, dtype=int)), lif], 2)
    with pytest.raises(NirError, match=r"^node 'fc': a weight or bias times the gain .* is not exact in float32; .*$"):
        plain_graph(program, unit_gain=True)


def test_an_edge_that_would_appear_twice_is_refused():
    nodes = (
        Input("x", (4,), 1, coding="per_step"),
        Dense("fc", np.eye(4, dtype=int)),
        Add("sum"),
        Lif("lif", leak=HALF),
    )
    edges = (Edge("x", "fc"), Edge("fc", "sum"), Edge("sum", "lif"), Edge("lif", "sum", delayed=True))
    graph = plain_graph(Program(nodes, edges, 2))
    assert ("lif", "lif") in graph.edges
    two = (*nodes[:3], Dense("fc2", np.eye(4, dtype=int)), Add("more"), nodes[3])
    pairs = (("x", "fc"), ("x", "fc2"), ("fc", "sum"), ("fc2", "sum"), ("sum", "more"), ("fc", "more"), ("more", "lif"))
    with pytest.raises(NirError, match=r"^edge fc -> \w+: without the node '\w+' it would appear twice, .*$"):
        plain_graph(Program(two, tuple(Edge(*pair) for pair in pairs), 2))
