"""The real files of other tools: their structure, their parameters, and what is said about each."""

import sys
from pathlib import Path

import nir
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nir_files import DATA, NEEDS_DATA, REJECTED, VALID, edges_of, read

from spikequant.errors import NirError
from spikequant_nir import NirImporter
from spikequant_nir.graph import Graph

pytestmark = pytest.mark.skipif(not VALID, reason=NEEDS_DATA)


def summary(graph):
    return [(node.name, node.kind, node.shape) for node in graph.nodes]


def test_lif_norse_is_one_neuron_behind_one_weight():
    graph, _ = read(DATA / "valid" / "lif_norse.nir")
    assert summary(graph) == [
        ("input", "Input", (1,)),
        ("n0", "Affine", (1,)),
        ("n1", "LIF", (1,)),
        ("output", "Output", (1,)),
    ]
    constants = {key: float(value) for key, value in graph.by_name["n1"].arrays.items()}
    assert constants == {
        "tau": float(np.float32(0.0025)),
        "r": 1.0,
        "v_leak": 0.0,
        "v_threshold": float(np.float32(0.1)),
        "v_reset": 0.0,
    }
    assert graph.by_name["n0"].origin == "0"
    assert all(array.dtype == np.float32 for array in graph.by_name["n0"].arrays.values())


def test_cnn_sinabs_has_its_shapes_and_settings():
    graph, found = read(DATA / "valid" / "cnn_sinabs.nir")
    assert [(node.kind, node.shape) for node in graph.nodes] == [
        ("Input", (2, 34, 34)),
        ("Conv2d", (16, 16, 16)),
        ("IF", (16, 16, 16)),
        ("Conv2d", (16, 16, 16)),
        ("IF", (16, 16, 16)),
        ("SumPool2d", (16, 8, 8)),
        ("Conv2d", (8, 8, 8)),
        ("IF", (8, 8, 8)),
        ("SumPool2d", (8, 4, 4)),
        ("Flatten", (128,)),
        ("Affine", (256,)),
        ("IF", (256,)),
        ("Affine", (10,)),
        ("IF", (10,)),
        ("Output", (10,)),
    ]
    assert graph.nodes[1].settings == {"stride": (2, 2), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    assert graph.nodes[5].settings == {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0)}
    assert graph.nodes[9].settings == {"start_dim": 0, "end_dim": 2}
    assert {key: value.tolist() for key, value in graph.nodes[2].arrays.items()} == {
        "r": 1,
        "v_threshold": 1,
        "v_reset": 0,
    }
    assert found == [
        "ambiguous: it has no v_reset, as older files; 0 is taken, as NIR does (nodes n1, n3, n6, n10, n12)"
    ]


@pytest.mark.parametrize("name", ["brandy_100", "brandy_50", "brandy_10", "brandy_4"])
def test_brandy_ends_in_a_flatten_of_ten_maps_of_one(name):
    graph, _ = read(DATA / "valid" / f"{name}.nir")
    kinds = [node.kind for node in graph.nodes]
    assert kinds == ["Input", *["Conv2d", "IF"] * 5, "Flatten", "Output"]
    assert [node.shape for node in graph.nodes[-3:]] == [(10, 1, 1), (10,), (10,)]


@pytest.mark.parametrize(
    ("name", "recurrent", "weight", "hidden"),
    [
        ("braille_noDelay_bias_zero", "lif1_lif", "lif1_w_rec", 38),
        ("braille_noDelay_noBias_subtract", "lif1_lif", "lif1_w_rec", 40),
        ("spyx_braille_noDelay_noBias_subtract_subgraph", "lif1_lif1", "lif1_lin", 40),
    ],
)
def test_braille_is_delayed_where_it_leaves_its_neurons(name, recurrent, weight, hidden):
    graph, _ = read(DATA / "valid" / f"{name}.nir")
    assert edges_of(graph, delayed=True) == {(recurrent, weight)}
    assert edges_of(graph) == {
        ("input", "fc1"),
        ("fc1", recurrent),
        (weight, recurrent),
        (recurrent, "fc2"),
        ("fc2", "lif2"),
        ("lif2", "output"),
    }
    assert graph.by_name[recurrent].shape == graph.by_name[weight].shape == (hidden,)
    assert graph.state_kinds == {"CubaLIF"}


def test_nested_and_flat_braille_have_the_same_weights():
    flat, _ = read(DATA / "valid" / "braille_noDelay_noBias_subtract.nir")
    nested, _ = read(DATA / "valid" / "spyx_braille_noDelay_noBias_subtract_subgraph.nir")
    for one, other in (("fc1", "fc1"), ("lif1_w_rec", "lif1_lin"), ("fc2", "fc2")):
        assert np.array_equal(flat.by_name[one].arrays["weight"], nested.by_name[other].arrays["weight"])


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_parameters_are_those_that_nir_itself_reads(path):
    graph, _ = read(path)
    read_by_nir = {}

    def collect(inner, prefix):
        for name, node in inner.nodes.items():
            if isinstance(node, nir.NIRGraph):
                collect(node, f"{prefix}{name}.")
            else:
                read_by_nir[prefix + name] = node

    collect(nir.read(path), "")
    for node in graph.nodes:
        other = read_by_nir[node.origin]
        assert type(other).__name__ == node.kind
        for key, array in node.arrays.items():
            assert np.array_equal(np.broadcast_to(array, np.shape(getattr(other, key))), getattr(other, key)), (
                node.name,
                key,
            )
        if node.kind in ("Input", "Output", "IF", "CubaLIF", "LIF"):
            assert node.shape == tuple(other.output_type["output"])


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_text_and_arrays_give_the_same_graph(path):
    graph, _ = read(path)
    again = Graph.from_text(graph.to_text()).with_arrays(graph.arrays_by_key())
    assert again.to_text() == graph.to_text()
    assert all(
        np.array_equal(a, b)
        for a, b in zip(again.arrays_by_key().values(), graph.arrays_by_key().values(), strict=True)
    )


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_inspection_shows_every_node_with_its_ranges(path):
    seen = NirImporter().inspect(path)
    assert seen.format.startswith("NIR ")
    assert all(node.shape for node in seen.nodes)
    for node in seen.nodes:
        assert ("weight" in node.parameters) == (node.kind in ("Affine", "Linear", "Conv2d"))
        assert all(
            text.startswith("float32 (") and " to " in text for k, text in node.parameters.items() if k == "weight"
        )
    assert any("--dt" in str(finding) for finding in seen.findings)
    assert any("--reset " in str(finding) for finding in seen.findings)


REFUSED = {
    "braille_subgraph": r"node 'hidden.input': its shape is \(12,\), and \(38,\) enters it; import it with --repair"
    r" and what enters it is taken, or export it again",
    "braille_v2": r"node 'lif1': edges name it, but its graph is written out with dots; import it with --repair and"
    r" edges to it are led to 'lif1.input', and edges from it are led from 'lif1.output', or export it again",
    "lif_rockpool": r"node 'output': its shape is \(1, 1, 1\), and \(1,\) enters it; import it with --repair and what"
    r" enters it is taken, or export it again",
    "resiliency_nir_model": r"the graph has no edges, so the file was not written to its end; export the network again",
    "scnn_mnist_batches": r"node 'input': its shape \(1, 2, 34, 34\) begins with \(1,\), which is a batch and not of"
    r" the network; import it with --repair and \(2, 34, 34\) is taken, or export it again",
}


@pytest.mark.parametrize("path", REJECTED, ids=lambda path: path.stem)
def test_file_that_nir_refuses_gives_one_line(path):
    for way in (NirImporter().inspect, NirImporter().read):
        with pytest.raises(NirError, match=f"^.*/{path.name}: {REFUSED[path.stem]}$"):
            way(path)


def test_truncated_write_is_refused_with_repair_too():
    path = DATA / "rejected" / "resiliency_nir_model.nir"
    with pytest.raises(NirError, match=f"^.*/{path.name}: {REFUSED[path.stem]}$"):
        read(path, repair=True)


def repaired(name):
    graph, found = read(DATA / "rejected" / f"{name}.nir", repair=True)
    return graph, [text for text in found if text.startswith("repaired: ")]


def test_repaired_scnn_is_the_sound_cnn():
    graph, told = repaired("scnn_mnist_batches")
    sound, _ = read(DATA / "valid" / "cnn_sinabs.nir")
    assert summary(graph) == summary(sound)
    assert [node.settings for node in graph.nodes] == [node.settings for node in sound.nodes]
    assert all(np.array_equal(a, sound.arrays_by_key()[key]) for key, a in graph.arrays_by_key().items())
    assert told == [
        "repaired: node 'input': its shape (1, 2, 34, 34) begins with (1,), which is a batch and not of the network;"
        " (2, 34, 34) is taken",
        "repaired: it has no input_shape, which NIR needs; it is worked out from the Input (nodes n0, n2, n5)",
        "repaired: its constants begin with axes of 1 that nothing fills; they are taken for an axis of batches"
        " (nodes n1, n3, n6, n10, n12)",
        "repaired: node 'output': its shape is (1, 10), and (10,) enters it; what enters it is taken",
    ]


def test_repaired_braille_v2_is_wired_as_the_sound_one():
    graph, told = repaired("braille_v2")
    sound, _ = read(DATA / "valid" / "braille_noDelay_bias_zero.nir")
    assert summary(graph) == summary(sound)
    assert edges_of(graph) == edges_of(sound)
    assert edges_of(graph, delayed=True) == edges_of(sound, delayed=True)
    assert told[1:] == [
        "repaired: node 'input': its shape (256, 12) begins with (256,), which is batch or time and not of the network;"
        " (12,) is taken",
    ]


def test_repaired_braille_subgraph_and_rockpool_have_their_shapes():
    graph, told = repaired("braille_subgraph")
    assert edges_of(graph, delayed=True) == {("hidden_lif", "hidden_lin")}
    assert graph.by_name["hidden_lif"].shape == (38,)
    assert len(told) == 1
    graph, told = repaired("lif_rockpool")
    assert [node.shape for node in graph.nodes] == [(1,)] * 4
    assert told == ["repaired: node 'output': its shape is (1, 1, 1), and (1,) enters it; what enters it is taken"]
