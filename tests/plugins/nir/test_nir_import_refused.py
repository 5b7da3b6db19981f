"""What cannot be meant ends in one line that names file, node, what it was, what it must be and the next step."""

import sys
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nir_files import (
    affine,
    conv2d,
    cubalif,
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
from spikequant_nir import NirImporter


def dense(*edits):
    return line(source(3), affine(4, 3), lif(4), sink(4)), edits


def maps(*edits):
    return line(source(2, 6, 6), conv2d(4, 2, shape=(6, 6)), if_(4, 4, 4), sink(4, 4, 4)), edits


def pools(*edits):
    return line(source(2, 6, 6), nir.SumPool2d((2, 2), (2, 2), (0, 0)), if_(2, 3, 3), sink(2, 3, 3)), edits


def edges(*pairs):
    def edit(file):
        del file["node/edges"]
        file["node"].create_dataset("edges", data=np.array(pairs, dtype=object), dtype=h5py.string_dtype())

    return edit


def some(value, *shape):
    array = np.ones(shape)
    array.reshape(-1)[-1] = value
    return array


def many_edges(file):
    del file["node/edges"]
    file["node"].create_dataset("edges", data=np.full((60_000, 2), b"a"))


def text_edges(file):
    """A million edges, packed into a few kilobytes."""
    del file["node/edges"]
    data = np.full((1_000_000, 2), b"a")
    file["node"].create_dataset("edges", data=data, compression="gzip")


REFUSED = [
    (
        dense(having(b__weight=some(np.nan, 4, 3))),
        r"node 'b' \(Affine\): its weight has 1 values that are infinite or .*",
    ),
    (dense(having(b__bias=some(np.inf, 4))), r"node 'b' \(Affine\): its bias has 1 values that are infinite or no .*"),
    (
        dense(having(b__weight=some(1e300, 4, 3))),
        r"node 'b' \(Affine\): its weight reaches 1e\+300, which is more than .*",
    ),
    (
        dense(having(b__weight="hello")),
        r"node 'b' \(Affine\): its weight is of type <U5 and must be numbers; export .*",
    ),
    (
        dense(having(b__weight=full(1.0, 4, 2))),
        r"node 'b' \(Affine\): its weight \(4, 2\) takes 2 values, and \(3,\) .*",
    ),
    (
        dense(having(b__weight=full(1.0, 2, 4, 3))),
        r"node 'b' \(Affine\): its weight has shape \(2, 4, 3\); it must be .*",
    ),
    (
        dense(having(b__bias=full(1.0, 3))),
        r"node 'b' \(Affine\): its bias has shape \(3,\); it must be \(4,\), as its .*",
    ),
    (dense(having(c__tau=some(0.0, 4))), r"node 'c' \(LIF\): its tau is 0 s; a time constant must be more than 0"),
    (dense(having(c__tau=some(-1.0, 4))), r"node 'c' \(LIF\): its tau is -1 s; a time constant must be more than 0"),
    (dense(having(c__v_threshold=some(0.0, 4))), r"node 'c' \(LIF\): its v_threshold is 0; neurons start at 0, so .*"),
    (
        dense(having(c__r=full(1.0, 3), c__tau=some(2.0, 3))),
        r"node 'c' \(LIF\): its tau has shape \(3,\), and what enters .*",
    ),
    (dense(having(c__r=full(1.0, 0))), r"node 'c' \(LIF\): its r has shape \(0,\), with 0 values; export it again"),
    (dense(without("node/nodes/c/tau")), r"node 'c' \(LIF\) lacks the field 'tau'; export it again"),
    (dense(having(c__gain=1.0)), r"node 'c' \(LIF\) has a field 'gain', which NIR does not know"),
    (dense(having(c__type="Izhikevich")), r"node 'c' is a 'Izhikevich', which NIR does not know; known are Affine, .*"),
    (
        dense(having(a__shape=np.array([0]))),
        r"node 'a' \(Input\): its shape is \[0\]; it must be whole numbers from 1 on",
    ),
    (dense(having(a__shape=np.array([-3]))), r"node 'a' \(Input\): its shape is \[-3\]; it must be whole numbers .*"),
    (dense(having(a__shape=np.array([1.5]))), r"node 'a' \(Input\): its shape is \[1.5\]; it must be whole numbers .*"),
    (
        dense(having(a__shape=np.array([2**62, 3]))),
        r"node 'a' \(Input\): its shape \(4611686018427387904, 3\) holds .*",
    ),
    (
        dense(edges(("a", "b"), ("b", "c"), ("c", "e"))),
        r"the graph: edge c -> e ends at 'e', which is no node; there .*",
    ),
    (dense(edges(("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"))), r"node 'a' \(Input\): an edge leads to it, and .*"),
    (dense(edges(("b", "c"), ("c", "b"))), r"it has no Input, and every node takes the value of another; add an .*"),
    (dense(edges()), r"it has no edges, so nothing leads from one node to another; export the network again"),
    (dense(many_edges), r"the graph: it has 60000 edges, more than 50000; no network has"),
    (dense(text_edges), r"the graph: it has 1000000 edges, more than 50000; no network has"),
    (dense(having(b__weight=full(1.0, 4, 3), c__type="NIRGraph")), r"graph 'c' has no nodes, so the file was not .*"),
    (dense(without("node/edges")), r"the graph has no edges, so the file was not written to its end; export the .*"),
    (dense(without("node/nodes")), r"the graph has no nodes, so the file was not written to its end; export the .*"),
    (dense(without("node")), r"it has no group 'node', so it is no NIR file; export the network again"),
    (maps(having(b__stride=0)), r"node 'b' \(Conv2d\): its stride is 0; it must be 1 to 1048576"),
    (maps(having(b__stride=np.array([1, -2]))), r"node 'b' \(Conv2d\): its stride is \[1, -2\]; it must be 1 to .*"),
    (maps(having(b__padding=np.array([-1, 0]))), r"node 'b' \(Conv2d\): its padding is \[-1, 0\]; it must be 0 to .*"),
    (maps(having(b__padding=2**40)), r"node 'b' \(Conv2d\): its padding is 1099511627776; it must be 0 to 1048576"),
    (
        maps(having(b__padding=2**20)),
        r"node 'b' \(Conv2d\): its output would have the size .*; no network has that, .*",
    ),
    (
        maps(having(b__padding="reflect")),
        r"node 'b' \(Conv2d\): its padding is 'reflect'; it must be numbers, 'same' .*",
    ),
    (
        maps(having(b__padding="same", b__stride=2)),
        r"node 'b' \(Conv2d\): its padding is 'same' with stride \(2, 2\); .*",
    ),
    (maps(having(b__stride=1.5)), r"node 'b' \(Conv2d\): its stride is 1.5; it must be one or 2 whole numbers, .*"),
    (maps(having(b__stride=np.array([1, 1, 1]))), r"node 'b' \(Conv2d\): its stride is \[1, 1, 1\]; it must be one .*"),
    (
        maps(having(b__dilation=4)),
        r"node 'b' \(Conv2d\): its kernel is larger than what enters it, of shape \(2, 6, 6\); .*",
    ),
    (maps(having(b__groups=3)), r"node 'b' \(Conv2d\): its weight \(4, 2, 3, 3\) in 3 groups takes 6 channels, and .*"),
    (maps(having(b__groups=0)), r"node 'b' \(Conv2d\): its groups is 0; it must be 1 to 1048576"),
    (maps(having(b__weight=full(1.0, 4, 3, 3, 3))), r"node 'b' \(Conv2d\): its weight \(4, 3, 3, 3\) in 1 groups .*"),
    (maps(having(b__weight=full(1.0, 4, 2, 3))), r"node 'b' \(Conv2d\): its weight has shape \(4, 2, 3\); it must .*"),
    (
        maps(having(b__weight=np.zeros((4, 2, 0, 3)))),
        r"node 'b' \(Conv2d\): its weight has shape \(4, 2, 0, 3\), with .*",
    ),
    (
        pools(having(b__kernel_size=np.array([0, 2]))),
        r"node 'b' \(SumPool2d\): its kernel_size is \[0, 2\]; it must be .*",
    ),
    (
        pools(having(b__padding=2)),
        r"node 'b' \(SumPool2d\): its padding \(2, 2\) is more than half of its kernel \(2, 2\)",
    ),
    (pools(having(b__kernel_size=9)), r"node 'b' \(SumPool2d\): its kernel is larger than what enters it, of shape .*"),
]


@pytest.mark.parametrize(("made", "text"), REFUSED, ids=[text[:60] for _, text in REFUSED])
@pytest.mark.parametrize("repair", [False, True], ids=["plain", "repair"])
def test_file_that_cannot_be_meant_is_refused_on_one_line(made, text, repair, tmp_path):
    network, edits = made
    path = written(tmp_path / "net.nir", network, *edits)
    with pytest.raises(NirError, match=f"^{path}: ({text})$"):
        NirImporter(repair=repair).inspect(path)


def test_network_without_anything_between_its_ends_is_refused(tmp_path):
    with pytest.raises(
        NirError, match=r"^.*: it has no node between Input and Output, so there is nothing to run; .*$"
    ):
        read(written(tmp_path / "net.nir", line(source(2), sink(2))))


def test_neurons_that_nothing_leads_to_or_from_are_left_out(tmp_path):
    network, edits = dense(edges(("a", "b"), ("b", "d"), ("c", "c")))
    found, told = read(written(tmp_path / "net.nir", network, *edits))
    assert [node.name for node in found.nodes] == ["a", "b", "d"]
    assert told == ["note: node 'c': it leads to no Output, so it is left out"]


def test_single_node_is_refused(tmp_path):
    with pytest.raises(NirError, match=r"^.*: it holds a single Linear and no graph; export the whole network$"):
        read(written(tmp_path / "net.nir", linear(2, 2)))


def test_too_many_nodes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("spikequant_nir.parse.MAX_NODES", 100)
    nodes = {f"n{index}": nir.Threshold(np.ones(1)) for index in range(101)}
    with pytest.raises(NirError, match=r"^.*: it has more than 100 nodes; no network has$"):
        read(written(tmp_path / "net.nir", graph(nodes, [("n0", "n1")])))


def test_network_larger_than_can_be_run_is_refused_before_it_is_made(tmp_path):
    network = line(source(1, 4000, 4000), conv2d(9, 1, (1, 1), shape=(4000, 4000)), sink(9, 4000, 4000))
    with pytest.raises(
        NirError, match=r"^.*: node 'b' \(Conv2d\): with it the network has more than 16777216 neurons .*$"
    ):
        read(written(tmp_path / "net.nir", network))


REPAIRABLE = [
    (
        maps(without("node/nodes/b/input_shape")),
        r"node 'b': it has no input_shape, which NIR needs; .* --repair and it is worked out from the Input, or .*",
    ),
    (
        maps(having(b__input_shape=np.array([5, 6]))),
        r"node 'b': its input_shape is \(5, 6\), and \(6, 6\) enters it; .*",
    ),
    (maps(having(d__shape=np.array([4, 16]))), r"node 'd': its shape is \(4, 16\), and \(4, 4, 4\) enters it; .*"),
    (
        maps(having(a__shape=np.array([7, 1, 2, 6, 6]))),
        r"node 'a': its shape \(7, 1, 2, 6, 6\) begins with \(7, 1\), .*",
    ),
    (
        dense(having(a__shape=np.array([100, 3]))),
        r"node 'a': its shape \(100, 3\) begins with \(100,\), which is batch .*",
    ),
    (dense(having(c__tau=full(2e-3, 1, 4))), r"node 'c': its constants begin with axes of 1 that nothing fills; .*"),
    (dense(having(c__tau=some(2.0, 1, 4))), r"node 'c': its constants begin with axes of 1 that nothing fills; .*"),
    (dense(having(c__tau=some(2.0, 2, 2))), r"node 'c': its constants have shape \(2, 2\), and what enters it has .*"),
    (
        dense(without("node/nodes/c/type")),
        r"node 'c': it has no type; .* --repair and it is taken for LIF, whose fields .*",
    ),
    (dense(without("node/nodes/a/type")), r"node 'a': it has no type; .* --repair and it is taken for Input, whose .*"),
    (
        dense(without("node/nodes/d/type")),
        r"node 'd': it has no type; .* --repair and it is taken for Output, whose .*",
    ),
    (dense(without("node/type")), r"the graph has no type; import it with --repair and it is taken for a NIRGraph, .*"),
    (maps(without("node/nodes/b/type")), r"node 'b': it has no type; .* --repair and it is taken for Conv2d, whose .*"),
    (
        dense(edges(("a", "b"), ("b", "c"), ("a", "b"), ("c", "d"))),
        r"edge a -> b appears twice; import it with --repair and it is kept once, as the early versions of nir did, .*",
    ),
    (
        dense(without("node/nodes/d/shape")),
        r"node 'd': it has no shape; .* --repair and the shape of what enters it .*",
    ),
]


@pytest.mark.parametrize(("made", "text"), REPAIRABLE, ids=[text[:60] for _, text in REPAIRABLE])
def test_fault_that_can_be_mended_is_refused_and_mended_with_a_notice(made, text, tmp_path):
    network, edits = made
    path = written(tmp_path / "net.nir", network, *edits)
    sound, _ = read(written(tmp_path / "sound.nir", network))
    with pytest.raises(NirError, match=f"^{path}: ({text})$"):
        read(path)
    mended, told = read(path, repair=True)
    assert [line for line in told if line.startswith("repaired: ")]
    assert [(n.name, n.kind, n.shape, n.settings) for n in mended.nodes] == [
        (n.name, n.kind, n.shape, n.settings) for n in sound.nodes
    ]
    assert mended.edges == sound.edges


def test_dense_layer_without_its_flatten_is_flattened(tmp_path):
    network = line(source(2, 3), lif(2, 3), linear(4, 6), sink(4))
    path = written(tmp_path / "net.nir", network)
    with pytest.raises(
        NirError, match=r"^.*: node 'c': its weight takes 6 values, and \(2, 3\) enters it without a .*$"
    ):
        read(path)
    mended, _ = read(path, repair=True)
    assert [node.shape for node in mended.nodes] == [(2, 3), (2, 3), (4,), (4,)]


def test_type_that_could_be_two_is_refused_with_repair_too(tmp_path):
    network, edits = pools(without("node/nodes/b/type"))
    text = r"node 'b' has no type, and its fields could be AvgPool2d or SumPool2d; export the network again"
    with pytest.raises(NirError, match=f"^.*: {text}$"):
        read(written(tmp_path / "net.nir", network, *edits), repair=True)


def first_version(path):
    """Write a file in the layout of nir 0.0: numbered nodes and edges at the root, other names of fields."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        nodes = [
            {"type": "Input", "shape": np.array([3])},
            {"type": "Linear", "weights": rng.normal(0, 1, (4, 3)), "bias": rng.normal(0, 1, 4)},
            {"type": "LIF", "tau": full(2e-3, 4), "r": full(1.0, 4), "v_leak": full(0.0, 4), "v_th": full(1.0, 4)},
            {"type": "LeakyIntegrator", "tau": full(2e-3, 4), "r": full(1.0, 4), "v_leak": full(0.0, 4)},
            {"type": "Output"},
        ]
        for index, fields in enumerate(nodes):
            for key, value in fields.items():
                file[f"nodes/{index}/{key}"] = value
        file["edges"] = np.array([(0, 1), (1, 2), (2, 3), (3, 4)])
    return path


def test_file_of_the_first_version_is_mended(tmp_path):
    path = first_version(tmp_path / "old.nir")
    with pytest.raises(NirError, match=r"^.*: its nodes are at the root of the file, as nir 0.0 wrote them; .*$"):
        read(path)
    mended, told = read(path, repair=True)
    assert [(node.name, node.kind, node.shape) for node in mended.nodes] == [
        ("n0", "Input", (3,)),
        ("n1", "Affine", (4,)),
        ("n2", "LIF", (4,)),
        ("n3", "LI", (4,)),
        ("n4", "Output", (4,)),
    ]
    assert float(mended.by_name["n2"].arrays["v_threshold"]) == 1.0
    assert any("neurons of nir 0.0 reset by subtraction (--reset subtract)" in line for line in told)


def test_time_constant_shorter_than_a_step_is_told_and_does_not_run(tmp_path):
    path = written(tmp_path / "net.nir", line(source(2), lif(2, tau=5e-5), sink(2)))
    told = [str(finding) for finding in NirImporter(dt=1e-4).inspect(path).findings]
    assert any("'b': a time constant is 5e-05 s and a step 0.0001 s" in line for line in told)
    with pytest.raises(
        NirError, match=r"^.*/net.nir: node 'b': a time constant is 5e-05 s .* --option integrate=exp.*$"
    ):
        NirImporter(dt=1e-4).read(path)
    NirImporter(dt=1e-5).read(path)
    NirImporter(dt=1e-4, integrate="exponential").read(path)


def told_of(path, **options):
    return [str(finding) for finding in NirImporter(**options).inspect(path).findings]


SAID = {
    "dt": (1e-3, "the file does not say dt; 0.0001 s is taken (--dt)"),
    "reset": ("zero", "the file does not say how a spike resets; "),
    "reset_delay": (0, "a reset acts in the step of its spike (--reset-delay 1"),
    "fire": (">", "a potential spikes above its threshold, as NIR says (--option 'fire=>='"),
    "most_spikes": (1, "a neuron spikes at most once a step (--option most_spikes=N"),
    "integrate": ("euler", "a leak is 1 - dt/tau, Euler's step (--option integrate=exponential"),
    "current": ("new", "a potential takes its current's new value (--option current=old"),
    "if_gain": ("step", "IF and I add r x to their potential in a step, without dt (--option if_gain=step"),
    "v_min": (-1.0, "potentials have no lower bound (--option v_min=-1"),
}


@pytest.mark.parametrize("option", SAID)
def test_what_is_assumed_is_told_once_and_not_where_it_was_said(option, tmp_path):
    path = written(tmp_path / "net.nir", line(source(2), cubalif(2), lif(2), if_(2), sink(2)))
    value, text = SAID[option]
    assert sum(f"assumed: {text}" in line for line in told_of(path)) == 1
    assert not [line for line in told_of(path, **{option: value}) if f"assumed: {text}" in line]


def test_what_does_not_matter_to_a_network_is_not_told(tmp_path):
    path = written(tmp_path / "net.nir", line(source(2), linear(2, 2), nir.Threshold(full(1.0, 2)), sink(2)))
    assert told_of(path) == []
    path = written(tmp_path / "if.nir", line(source(2), if_(2), sink(2)))
    assert not [line for line in told_of(path) if "integrate" in line or "current" in line]


def test_what_tools_read_in_two_ways_is_told(tmp_path):
    path = tmp_path / "net.nir"
    network = line(source(2), lif(2), sink(2))
    edits = {
        "its v_leak is not 0, and some tools leave it out": having(b__v_leak=some(0.1, 2)),
        "its v_reset is not 0, and the reset 'zero' does not use it": having(b__v_reset=some(0.1, 2)),
        "its r is 0 for some neurons": having(b__r=some(0.0, 2)),
        "look like steps, which some tools write; if so: --dt 1": having(b__tau=full(10.0, 2)),
        "tau / r of all neurons is 0.001 s, which some tools write for dt; if so: --dt 0.001": having(
            b__r=full(2.0, 2)
        ),
        "it has no v_reset, as older files; 0 is taken, as NIR does": without("node/nodes/b/v_reset"),
    }
    for text, edit in edits.items():
        told = told_of(written(path, network, edit), reset="zero")
        assert any(line.startswith("ambiguous: ") and text in line for line in told), (text, told)
    above = told_of(written(path, network, having(b__v_reset=some(1.5, 2))))
    assert any("its v_reset is not below its v_threshold" in line for line in above)


def test_dt_in_the_metadata_counts_as_said(tmp_path):
    network = line(source(2), lif(2), sink(2))
    network.metadata = {"dt": 5e-4}
    told = told_of(written(tmp_path / "net.nir", network))
    assert "note: dt is 0.0005 s, from the file's metadata" in told
    assert not [line for line in told if "--dt" in line]
    assert NirImporter().read(tmp_path / "net.nir").dt == 5e-4
    assert NirImporter(dt=1e-3).read(tmp_path / "net.nir").dt == 1e-3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dt": -1.0}, "option 'dt' is -1.0; it must be a positive number of seconds, such as 0.0001"),
        ({"dt": "fast"}, "option 'dt' is 'fast'; it must be a positive number of seconds, such as 0.0001"),
        ({"reset": "hard"}, "option 'reset' is 'hard'; it must be one of zero, subtract, to-value"),
        ({"reset_delay": 2}, "option 'reset_delay' is 2; it must be one of 0, 1"),
        ({"fire": "="}, "option 'fire' is '='; it must be one of >, >="),
        ({"most_spikes": 256}, "option 'most_spikes' is 256; it must be a whole number from 1 to 255"),
        ({"v_min": 1.0}, "option 'v_min' is 1.0; it must be a number of at most 0, where potentials start"),
        ({"v_min": float("nan")}, "option 'v_min' is nan; it must be a number of at most 0, where potentials start"),
        ({"if_gain": "one"}, "option 'if_gain' is 'one'; it must be one of auto, step, dt"),
    ],
)
def test_option_with_another_value_is_refused(options, text):
    with pytest.raises(UsageError) as caught:
        NirImporter(**options)
    assert str(caught.value) == text
