"""Shapes are worked out from the Input alone, and agree with PyTorch where nir's own inference does not."""

import itertools
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent))

from nir_files import affine, conv2d, full, having, if_, lif, line, linear, read, sink, source, without, written

from spikequant.errors import NirError

SETTINGS = [
    {"kernel": (3, 3)},
    {"kernel": (5, 3), "stride": (2, 1), "padding": (2, 1)},
    {"kernel": (1, 4), "padding": (0, 3), "dilation": (1, 2)},
    {"kernel": (3, 3), "groups": 2, "stride": 2},
    {"kernel": (2, 2), "groups": 4, "outputs": 8, "padding": 1},
    {"kernel": (3, 2), "padding": "valid", "dilation": 2},
    {"kernel": (3, 3), "padding": "same"},
    {"kernel": (5, 3), "padding": "same", "dilation": (1, 3)},
    {"kernel": (4, 3), "padding": "same"},
    {"kernel": (4, 2), "padding": "same", "dilation": (3, 1)},
    {"kernel": (2, 6), "padding": "same", "dilation": (2, 3), "groups": 2},
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("words", SETTINGS, ids=str)
def test_conv2d_computes_what_pytorch_computes(words, tmp_path):
    given = {"outputs": 4, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, **words}
    layer = conv2d(given.pop("outputs"), 4, shape=(9, 7), **given)
    x = torch.randn(1, 4, 9, 7, generator=torch.Generator().manual_seed(1))
    words = {key: given[key] for key in ("stride", "padding", "dilation", "groups")}
    expected = functional.conv2d(x, torch.from_numpy(layer.weight), torch.from_numpy(layer.bias), **words)
    path = written(tmp_path / "net.nir", line(source(4, 9, 7), layer, sink(*expected.shape[1:])))
    graph, _ = read(path)
    node = graph.by_name["b"]
    assert node.shape == tuple(expected.shape[1:])
    weight, bias = torch.from_numpy(node.arrays["weight"]), torch.from_numpy(node.arrays["bias"])
    found = functional.conv2d(x, weight, bias, **node.settings)
    # The zeros that 'same' adds change the order in which PyTorch sums; 1e-5 is some steps of float32 here.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [(3, 1, 1, 1, 1), (4, 2, 0, 1, 1), (3, 1, "same", 2, 2), (4, 1, "same", 1, 1), (2, 3, "valid", 2, 2)],
)
def test_conv1d_computes_what_pytorch_computes(kernel, stride, padding, dilation, groups, tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(0, 1, (6, 4 // groups, kernel)).astype("f4"), rng.normal(0, 1, 6).astype("f4")
    x = torch.randn(1, 4, 20, generator=torch.Generator().manual_seed(1))
    words = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected = functional.conv1d(x, torch.from_numpy(weight), torch.from_numpy(bias), **words)
    layer = nir.Conv1d(20, weight, stride, padding, dilation, groups, bias)
    graph, _ = read(written(tmp_path / "net.nir", line(source(4, 20), layer, sink(*expected.shape[1:]))))
    node = graph.by_name["b"]
    assert node.shape == tuple(expected.shape[1:])
    assert all(isinstance(node.settings[key], int) for key in ("stride", "padding", "dilation", "groups"))
    found = functional.conv1d(x, *(torch.from_numpy(node.arrays[key]) for key in ("weight", "bias")), **node.settings)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [nir.SumPool2d, nir.AvgPool2d])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 2), (1, 1)), (3, 3, 1)]
)
def test_poolings_have_pytorchs_shapes(kind, kernel, stride, padding, tmp_path):
    x = torch.zeros(1, 2, 10, 7)
    expected = functional.avg_pool2d(x, kernel, stride, padding).shape[1:]
    path = written(tmp_path / "net.nir", line(source(2, 10, 7), kind(kernel, stride, padding), sink(*expected)))
    graph, found = read(path)
    assert graph.by_name["b"].shape == tuple(expected)
    assert all(len(value) == 2 for value in graph.by_name["b"].settings.values())
    averages = "ambiguous: node 'b': it averages with padding, and NIR does not say whether the padding counts;"
    assert any(text.startswith(averages) for text in found) == (kind is nir.AvgPool2d and np.any(padding))


FLATTENED = [
    ({"start_dim": 0, "end_dim": -1}, 24, (0, 2), None),
    ({"start_dim": 0, "end_dim": 2}, 24, (0, 2), None),
    ({"start_dim": -3, "end_dim": -1}, 24, (0, 2), None),
    ({"start_dim": 1, "end_dim": -1}, 24, (0, 2), "its start_dim 1 would leave (2, 12)"),
    ({}, 24, (0, 2), "its start_dim 1 would leave (2, 12)"),
    ({"start_dim": 1, "end_dim": 3}, 24, (0, 2), "its start_dim is 1"),
]


@pytest.mark.parametrize(("dims", "inputs", "taken", "told"), FLATTENED)
def test_flatten_in_front_of_a_dense_layer_flattens_all(dims, inputs, taken, told, tmp_path):
    network = line(source(2, 3, 4), nir.Flatten(None if not dims else np.array([2, 3, 4])), linear(5, inputs), sink(5))
    edits = [having(**{f"b__{key}": value for key, value in dims.items()})]
    if not dims:
        edits = [without("node/nodes/b/start_dim", "node/nodes/b/end_dim")]
        network.nodes["b"].input_type = {"input": np.array([2, 3, 4])}
    graph, found = read(written(tmp_path / "net.nir", network, *edits))
    assert graph.by_name["b"].shape == (24,)
    assert tuple(graph.by_name["b"].settings.values()) == taken
    texts = [text for text in found if "start_dim" in text]
    assert len(texts) == (told is not None)
    if told:
        end = "for which a batch was counted as an axis; (24,) is taken"
        assert texts == [f"ambiguous: node 'b': {told}, {end}"]


def test_flatten_of_some_axes_stays_where_nothing_needs_all(tmp_path):
    network = line(source(2, 3, 4), nir.Flatten(np.array([2, 3, 4]), 1, 2), lif(2, 12), sink(2, 12))
    graph, found = read(written(tmp_path / "net.nir", network))
    assert graph.by_name["b"].shape == (2, 12)
    assert graph.by_name["b"].settings == {"start_dim": 1, "end_dim": 2}
    assert not [text for text in found if "start_dim" in text]


SHAPES = [(), (1,), (4,), (4, 1, 1), (4, 3, 3), (1, 4, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_constants_of_neurons_may_be_one_value_or_one_per_channel(shape, tmp_path):
    thresholds = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    values = {f"c__{key}": full(value, *shape) for key, value in (("tau", 2e-3), ("r", 1.0), ("v_leak", 0.0))}
    edit = having(**values, c__v_threshold=thresholds, c__v_reset=full(0.0, *shape))
    network = line(source(4, 5, 5), conv2d(4, 4, shape=(5, 5)), lif(4, 3, 3), sink(4, 3, 3))
    graph, found = read(written(tmp_path / "net.nir", network, edit), repair=True)
    node = graph.by_name["c"]
    assert node.shape == (4, 3, 3)
    assert node.arrays["tau"].shape == ()
    expected = thresholds.reshape(4, 1, 1) if shape == (4,) else thresholds
    assert np.array_equal(
        np.broadcast_to(node.arrays["v_threshold"], (4, 3, 3)), np.broadcast_to(expected, (1, 4, 3, 3))[0]
    )
    assert node.arrays["v_threshold"].dtype == np.float64
    assert node.arrays["v_threshold"].shape == (() if thresholds.size == 1 else (4, 3, 3))
    assert any("per channel" in text for text in found) == (shape == (4,))
    assert any(text.startswith("repaired") for text in found) == (len(shape) == 4)


def test_scale_and_threshold_take_one_value_or_one_each(tmp_path):
    network = line(source(3), nir.Scale(np.array([1.0, 2.0, 3.0])), nir.Threshold(np.array([0.5])), sink(3))
    graph, _ = read(written(tmp_path / "net.nir", network))
    assert graph.by_name["b"].arrays["scale"].tolist() == [1.0, 2.0, 3.0]
    assert graph.by_name["c"].arrays["threshold"].shape == ()
    assert graph.by_name["c"].shape == (3,)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i4", "u1"])
def test_weights_of_any_number_become_float32(dtype, tmp_path):
    weight = np.array([[1, 2], [3, 4]]).astype(dtype)
    graph, _ = read(written(tmp_path / "net.nir", line(source(2), nir.Linear(weight), sink(2))))
    assert graph.by_name["b"].arrays["weight"].dtype == np.float32
    assert graph.by_name["b"].arrays["weight"].tolist() == [[1, 2], [3, 4]]


def test_a_chain_of_all_layers_on_maps_keeps_its_shapes(tmp_path):
    network = line(
        source(2, 16, 16),
        conv2d(4, 2, (3, 3), shape=(16, 16), padding=1),
        if_(4, 16, 16),
        nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        conv2d(6, 4, (5, 3), shape=(8, 8), stride=(1, 2)),
        lif(6, 4, 3),
        nir.SumPool2d(np.array([2, 1]), np.array([2, 1]), np.array([0, 0])),
        nir.Flatten(np.array([6, 2, 3]), 0),
        affine(10, 36),
        lif(10),
        sink(10),
    )
    graph, _ = read(written(tmp_path / "net.nir", network))
    assert [node.shape for node in graph.nodes] == [
        *[(2, 16, 16), (4, 16, 16), (4, 16, 16), (4, 8, 8), (6, 4, 3), (6, 4, 3), (6, 2, 3)],
        *[(36,), (10,), (10,), (10,)],
    ]


@pytest.mark.parametrize("seed", range(20))
def test_random_convolutions_have_pytorchs_shape_or_are_refused_with_it(seed, tmp_path):
    rng = np.random.default_rng(seed)
    height, width, kernel = int(rng.integers(1, 12)), int(rng.integers(1, 12)), tuple(map(int, rng.integers(1, 5, 2)))
    words = {
        key: tuple(map(int, rng.integers(low, 4, 2))) for key, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    }
    layer = conv2d(3, 2, kernel, shape=(height, width), **words)
    network = line(source(2, height, width), layer, sink(1))
    try:
        x = torch.zeros(1, 2, height, width)
        expected = tuple(functional.conv2d(x, torch.from_numpy(layer.weight), **words).shape[1:])
    except RuntimeError:
        with pytest.raises(NirError, match=r"^.*: node 'b' \(Conv2d\): its kernel is larger than what enters it, .*$"):
            read(written(tmp_path / "net.nir", network))
        return
    network.nodes["c"] = sink(*expected)
    graph, _ = read(written(tmp_path / "net.nir", network))
    assert graph.by_name["b"].shape == expected


@pytest.mark.parametrize(("first", "second"), list(itertools.product([lif(3), affine(3, 3)], repeat=2)))
def test_sources_of_one_node_must_have_one_shape(first, second, tmp_path):
    nodes = {"x": source(3), "a": first, "b": second, "c": linear(4, 3), "out": sink(3)}
    edges = [("x", "a"), ("x", "b"), ("x", "c"), ("a", "out"), ("b", "out"), ("c", "out")]
    with pytest.raises(
        NirError, match=r"^.*: node 'out' \(Output\): it takes '.' of shape \(.,\) and '.' of shape .*$"
    ):
        read(written(tmp_path / "net.nir", nir.NIRGraph(nodes, edges, type_check=False)))
