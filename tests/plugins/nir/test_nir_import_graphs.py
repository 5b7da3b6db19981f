"""Graphs in graphs, ports, missing ends, cycles and names."""

import itertools
import sys
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nir_files import (
    affine,
    cubalif,
    edges_of,
    full,
    graph,
    having,
    if_,
    lif,
    line,
    linear,
    read,
    sink,
    source,
    without,
    written,
)

from spikequant.errors import NirError, UsageError
from spikequant_nir.graph import Graph
from spikequant_nir.read import sanitized


def nested(depth, inner):
    """Return a graph around a graph around ... ``inner``, all of three values."""
    for _ in range(depth):
        nodes = {"input": source(3), "inner": inner, "output": sink(3)}
        inner = graph(nodes, [("input", "inner"), ("inner", "output")])
    return inner


@pytest.mark.parametrize("depth", [1, 2, 7, 28])
def test_graphs_are_written_out_at_any_depth(depth, tmp_path):
    found, _ = read(written(tmp_path / "net.nir", nested(depth + 1, lif(3))))
    assert [(node.kind, node.shape) for node in found.nodes] == [("Input", (3,)), ("LIF", (3,)), ("Output", (3,))]
    assert found.nodes[1].origin == ".".join(["inner"] * (depth + 1))
    assert edges_of(found) == {("input", found.nodes[1].name), (found.nodes[1].name, "output")}


def recurrent():
    nodes = {"input": source(3), "lif": cubalif(3), "w": linear(3, 3), "output": sink(3)}
    return graph(nodes, [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")])


def test_recurrence_within_a_graph_in_a_graph_is_delayed_where_it_leaves_the_neuron(tmp_path):
    found, _ = read(written(tmp_path / "net.nir", line(source(2), linear(3, 2), recurrent(), recurrent(), sink(3))))
    assert edges_of(found, delayed=True) == {("c_lif", "c_w"), ("d_lif", "d_w")}
    assert ("c_lif", "d_lif") in edges_of(found)
    assert [node.name for node in found.nodes if node.kind == "CubaLIF"] == ["c_lif", "d_lif"]


def two_in_two_out(shape=3):
    nodes = {"p": source(3), "q": source(shape), "a": lif(3), "b": lif(shape), "r": sink(3), "s": sink(shape)}
    return graph(nodes, [("p", "a"), ("q", "b"), ("a", "r"), ("b", "s")])


def test_ports_of_a_graph_are_named_by_dots(tmp_path):
    nodes = {"x": source(3), "y": source(3), "g": two_in_two_out(), "u": sink(3), "v": sink(3)}
    edges = [("x", "g.p"), ("y", "g.q"), ("g.r", "u"), ("g.s", "v")]
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert edges_of(found) == {("x", "g_a"), ("y", "g_b"), ("g_a", "u"), ("g_b", "v")}
    assert [node.name for node in found.inputs] == ["x", "y"]
    assert [node.name for node in found.outputs] == ["u", "v"]


def test_ports_of_a_graph_are_told_by_their_names(tmp_path):
    nodes = {"p": source(3), "q": source(3), "g": two_in_two_out(), "r": sink(3), "s": sink(3)}
    edges = [("p", "g"), ("q", "g"), ("g", "r"), ("g", "s")]
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert edges_of(found) == {("p", "g_a"), ("q", "g_b"), ("g_a", "r"), ("g_b", "s")}


def test_ports_of_a_graph_are_told_by_their_shapes(tmp_path):
    nodes = {"x": source(5), "y": source(3), "g": two_in_two_out(5), "f": linear(2, 5), "u": sink(2), "v": sink(3)}
    edges = [("x", "g"), ("y", "g"), ("g", "f"), ("f", "u"), ("g", "v")]
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert edges_of(found) == {("x", "g_b"), ("y", "g_a"), ("g_b", "f"), ("f", "u"), ("g_a", "v")}


def test_port_that_cannot_be_told_is_asked_for(tmp_path):
    nodes = {"x": source(3), "g": two_in_two_out(), "u": sink(3)}
    text = r"graph 'g' has the Inputs p, q, and an edge with 'x' does not say which is meant; write the end as 'g.p'"
    with pytest.raises(NirError, match=rf"^.*/net.nir: {text}$"):
        read(written(tmp_path / "net.nir", graph(nodes, [("x", "g"), ("g.r", "u")])))


def test_output_of_a_graph_that_nothing_takes_goes_with_what_feeds_it_alone(tmp_path):
    nodes = {"x": source(3), "y": source(3), "g": two_in_two_out(), "u": sink(3)}
    edges = [("x", "g.p"), ("y", "g.q"), ("g.r", "u")]
    found, told = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert [node.name for node in found.nodes] == ["x", "g_a", "u"]
    assert "note: it leads to no Output, so it is left out (nodes y, g.b)" in told


def test_value_on_two_ways_counts_twice(tmp_path):
    inner = graph({"p": source(3), "q": source(3), "r": sink(3)}, [("p", "r"), ("q", "r")])
    nodes = {"x": source(3), "g": inner, "n": lif(3), "out": sink(3)}
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, [("x", "g.p"), ("x", "g.q"), ("g", "n"), ("n", "out")])))
    assert [(node.name, node.kind) for node in found.nodes if node.kind == "Scale"] == [("x_again", "Scale")]
    assert found.by_name["x_again"].arrays["scale"] == 1.0
    assert edges_of(found) == {("x", "n"), ("x", "x_again"), ("x_again", "n"), ("n", "out")}


def test_missing_input_and_output_are_added_as_nir_adds_them(tmp_path):
    network = graph({"fc": affine(3, 2), "n": lif(3)}, [("fc", "n")])
    found, told = read(written(tmp_path / "net.nir", network))
    assert [(node.name, node.kind, node.shape) for node in found.nodes] == [
        ("input_fc", "Input", (2,)),
        ("fc", "Affine", (3,)),
        ("n", "LIF", (3,)),
        ("output_n", "Output", (3,)),
    ]
    assert set(nir.read(tmp_path / "net.nir").nodes) == {node.name for node in found.nodes}
    assert told[0] == "note: node 'fc': no edge leads to it, so it takes an input of its own, as nir itself reads it"
    assert told[1] == "note: node 'n': it leads nowhere, so its value is an output, as nir itself reads it"


def test_single_node_without_edges_runs_between_its_own_ends(tmp_path):
    found, _ = read(written(tmp_path / "net.nir", graph({"fc": affine(3, 2)}, [])))
    assert [node.kind for node in found.nodes] == ["Input", "Affine", "Output"]


def test_node_that_no_edge_names_is_left_out(tmp_path):
    network = line(source(2), linear(2, 2), sink(2))
    network.nodes["alone"] = lif(7)
    found, told = read(written(tmp_path / "net.nir", network))
    assert "alone" not in found.by_name
    assert told == ["note: node 'alone': no edge leads to it or from it, so it is left out"]


def test_output_may_lead_on(tmp_path):
    nodes = {"x": source(2), "n": lif(2), "mid": sink(2), "fc": linear(3, 2), "out": sink(3)}
    found, _ = read(
        written(tmp_path / "net.nir", graph(nodes, [("x", "n"), ("n", "mid"), ("mid", "fc"), ("fc", "out")]))
    )
    assert edges_of(found) == {("x", "n"), ("n", "mid"), ("n", "fc"), ("fc", "out")}


def test_graph_written_out_with_dots_and_wired_port_by_port_is_one_network(tmp_path):
    nodes = {
        "x": source(2),
        "g.input": source(2),
        "g.lif": lif(2),
        "g.output": sink(2),
        "fc": linear(3, 2),
        "out": sink(3),
    }
    edges = [("x", "g.input"), ("g.input", "g.lif"), ("g.lif", "g.output"), ("g.output", "fc"), ("fc", "out")]
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert edges_of(found) == {("x", "g_lif"), ("g_lif", "fc"), ("fc", "out")}


def test_shapes_may_be_stored_as_floats_and_one_number(tmp_path):
    edit = having(a__shape=2, c__shape=np.array([3.0]))
    found, _ = read(written(tmp_path / "net.nir", line(source(2), linear(3, 2), sink(3)), edit))
    assert [node.shape for node in found.nodes] == [(2,), (3,), (3,)]


def test_flatten_may_keep_its_input_type_as_nir_has_it_in_memory(tmp_path):
    network = line(source(2, 3), nir.Flatten(np.array([2, 3]), 0), linear(3, 6), sink(3))
    path = written(
        tmp_path / "net.nir", network, without("node/nodes/b/input_type"), having(b__input_type__input=np.array([2, 3]))
    )
    found, _ = read(path)
    assert found.by_name["b"].shape == (6,)


def test_branches_and_residual_edges_are_summed(tmp_path):
    nodes = {"x": source(3), "a": lif(3), "w": linear(3, 3), "b": lif(3), "out": sink(3)}
    edges = [("x", "a"), ("a", "w"), ("w", "b"), ("a", "b"), ("b", "out")]
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert {edge.source for edge in found.sources_of("b")} == {"a", "w"}
    assert not edges_of(found, delayed=True)


def cycle(*between, loop=()):
    """Return x -> n1 -> w1 -> n2 -> w2 -> n1, with what else ``loop`` says."""
    nodes = {"x": source(3), "n1": lif(3), "w1": linear(3, 3), "n2": if_(3), "w2": linear(3, 3), "out": sink(3)}
    edges = [("x", "n1"), ("n1", "w1"), ("w1", "n2"), ("n2", "w2"), ("w2", "n1"), ("n2", "out"), *loop]
    return graph(nodes, edges)


def test_cycle_of_two_neurons_is_delayed_once_where_it_returns(tmp_path):
    found, told = read(written(tmp_path / "net.nir", cycle()))
    assert edges_of(found, delayed=True) == {("n2", "w2")}
    assert (
        "ambiguous: node 'n1': a cycle of several neurons leads to it; it takes what leaves n2 one step later" in told
    )


def test_neurons_that_also_drive_themselves_are_delayed_there_too(tmp_path):
    found, _ = read(written(tmp_path / "net.nir", cycle(loop=[("n2", "n2"), ("n1", "w2")])))
    assert edges_of(found, delayed=True) == {("n2", "w2"), ("n2", "n2"), ("n1", "w2")}


def test_edge_that_drives_the_own_neuron_and_others_is_delayed_for_all(tmp_path):
    nodes = {"x": source(3), "n": lif(3), "w": linear(3, 3), "m": lif(3), "out": sink(3)}
    edges = [("x", "n"), ("n", "w"), ("w", "n"), ("w", "m"), ("m", "out")]
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, edges)))
    assert edges_of(found, delayed=True) == {("n", "w")}


def test_cycle_without_a_neuron_is_refused(tmp_path):
    nodes = {"x": source(3), "a": linear(3, 3), "b": linear(3, 3), "n": lif(3), "out": sink(3)}
    edges = [("x", "a"), ("a", "b"), ("b", "a"), ("b", "n"), ("n", "out")]
    text = r"node 'a': a cycle without a neuron leads to it, whose value would depend on itself within one step; .*"
    with pytest.raises(NirError, match=rf"^.*/net.nir: {text}$"):
        read(written(tmp_path / "net.nir", graph(nodes, edges)))


def test_nodes_come_in_the_order_of_computation(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"n{index}" for index in range(30)]
    nodes = {"x": source(3), **{name: lif(3) if rng.random() < 0.5 else linear(3, 3) for name in names}, "out": sink(3)}
    order = [*names]
    rng.shuffle(order)
    edges = {("x", order[0]), (order[-1], "out"), *itertools.pairwise(order)}
    edges |= {(order[a], order[b]) for a, b in rng.integers(0, 30, (60, 2)) if a < b}
    found, _ = read(written(tmp_path / "net.nir", graph(nodes, sorted(edges))))
    place = {node.name: index for index, node in enumerate(found.nodes)}
    assert all(place[edge.source] < place[edge.target] for edge in found.edges)
    assert Graph.from_text(found.to_text()).to_text() == found.to_text()


def _has_order(names, edges):
    """Return whether the edges among ``names`` close no circle."""
    left = set(names)
    while left:
        free = {name for name in left if not any((other, name) in edges for other in left)}
        if not free:
            return False
        left -= free
    return True


@pytest.mark.parametrize("seed", range(10))
def test_any_wiring_of_neurons_is_put_in_order(seed, tmp_path):
    rng = np.random.default_rng(seed)
    names = [f"n{index}" for index in range(12)]
    nodes = {"x": source(3), **{name: lif(3) if rng.random() < 0.6 else nir.Scale(full(2.0, 3)) for name in names}}
    edges = {("x", names[0]), *((names[int(a)], names[int(b)]) for a, b in rng.integers(0, 12, (25, 2)))}
    edges |= set(itertools.pairwise(names)) | {(names[-1], "out")}
    network = graph({**nodes, "out": sink(3)}, sorted(edges))
    scales = [name for name in names if isinstance(nodes[name], nir.Scale)]
    path = written(tmp_path / "net.nir", network)
    if not _has_order(scales, edges):
        with pytest.raises(NirError, match=r"^.*: node '.*': a cycle without a neuron leads to it, .*$"):
            read(path)
        return
    found, _ = read(path)
    assert {(edge.source, edge.target) for edge in found.edges} == edges
    kinds = {node.name: node.kind for node in found.nodes}
    assert all(kinds[source] == "LIF" for source, _ in edges_of(found, delayed=True))
    Graph.from_text(found.to_text())


def test_delay_of_nothing_vanishes_and_another_stays(tmp_path):
    network = line(source(2), nir.Delay(full(0.0, 2)), lif(2), nir.Delay(full(3e-3, 2)), sink(2))
    found, _ = read(written(tmp_path / "net.nir", network))
    assert [(node.name, node.kind) for node in found.nodes] == [
        ("a", "Input"),
        ("c", "LIF"),
        ("d", "Delay"),
        ("e", "Output"),
    ]
    assert found.by_name["d"].settings == {"delay": 3e-3}


NAMES = [
    "0",
    "lif1.lif",
    "lif1_lif",
    "input",
    "a b",
    "Ω",
    "x" * 100,
    "y" * 64,
    "a'b",
    "(1): Conv",
    "..",
    "a\nb",
    "__class__",
]


def test_any_name_is_made_usable_and_unique(tmp_path):
    found = sanitized([(name,) for name in NAMES] + [("x" * 100, "x"), ("a_b",)])
    assert len(set(found.values())) == len(found)
    assert all(name.isidentifier() and name.isascii() and len(name) <= 64 for name in found.values())
    network = line(source(2), linear(2, 2), sink(2))
    written(tmp_path / "net.nir", network)
    for name in ("a b", "Ω", "x" * 100, "a\nb", "a\u202eb"):
        with h5py.File(tmp_path / "net.nir", "r+") as file:
            nodes = file["node/nodes"]
            nodes.move(next(key for key in nodes if key not in ("a", "c")), name)
            edges = [("a", name), (name, "c")]
            del file["node/edges"]
            file["node"].create_dataset("edges", data=np.array(edges, dtype=object), dtype=h5py.string_dtype())
        read_graph, _ = read(tmp_path / "net.nir")
        assert read_graph.nodes[1].origin.isprintable()
        assert len(read_graph.nodes[1].origin) <= 80


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"version":2}', '{"version":1,"nodes":[[1]],"edges":[]}', "[" * 5000]
)
def test_damaged_text_of_a_graph_is_refused(text):
    with pytest.raises(UsageError, match=r"^the recipe's graph is damaged \(.*\); import the network again$"):
        Graph.from_text(text)


def test_text_with_edges_against_the_order_or_of_huge_arrays_is_refused(tmp_path):
    good, _ = read(written(tmp_path / "net.nir", line(source(2), linear(2, 2), sink(2))))
    text = good.to_text()
    for old, new in (
        ('["b","c",0]', '["c","b",0]'),
        ('["b","c",0]', '["b","d",0]'),
        ('["float32",[2,2]]', '["float32",[1000000,1000000]]'),
        ('["float32",[2,2]]', '["object",[2,2]]'),
        ('["b","Linear",[2]', '["b","Linear",[-2]'),
        ('["b","Linear"', '["a","Linear"'),
        ('["b","Linear"', '["b","Transformer"'),
    ):
        assert old in text
        with pytest.raises(UsageError, match=r"^the recipe's graph is damaged \(.*\); import the network again$"):
            Graph.from_text(text.replace(old, new))


def test_arrays_of_another_graph_are_refused(tmp_path):
    good, _ = read(written(tmp_path / "net.nir", line(source(2), linear(2, 2), sink(2))))
    with pytest.raises(UsageError, match=r"^the graph and the arrays disagree about 'b.weight'; pass exactly .*$"):
        good.with_arrays({})
    with pytest.raises(UsageError, match=r"^array 'b.weight' has shape \(3,\), and the graph's is \(2, 2\)$"):
        good.with_arrays({"b.weight": np.zeros(3)})


def test_hostile_names_in_edges_are_named_on_one_line(tmp_path):
    path = written(tmp_path / "net.nir", line(source(2), linear(2, 2), sink(2)))
    with h5py.File(path, "r+") as file:
        del file["node/edges"]
        edges = np.array([("a", "b"), ("b", "no\nsuch" + "z" * 1000)], dtype=object)
        file["node"].create_dataset("edges", data=edges, dtype=h5py.string_dtype())
    text = (
        r"the graph: edge b -> no\\nsuchz+\.\.\. ends at 'no\\nsuchz+\.\.\.', which is no node; there are a, b, c; .*"
    )
    with pytest.raises(NirError, match=rf"^.*/net.nir: {text}$"):
        read(path)


def test_many_layers_are_read_in_little_time(tmp_path):
    network = line(source(2), *[lif(2) for _ in range(20)], sink(2))
    path = written(tmp_path / "net.nir", network, having(b__tau=np.array([1e-3, 2e-3])))
    found, _ = read(path)
    assert found.by_name["b"].arrays["tau"].tolist() == [1e-3, 2e-3]
    assert len(found.nodes) == 22
