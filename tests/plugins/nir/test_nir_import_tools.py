"""Files in the manner of the tools that write NIR: their names, nesting, constants and habits; and they run."""

import itertools
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from nir_files import (
    affine,
    conv2d,
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

from spikequant_nir import NirImporter


def chained(nodes):
    names = list(nodes)
    return graph(nodes, list(itertools.pairwise(names)))


def snntorch_recurrent():
    """RSynaptic and RLeaky of snnTorch: an inner graph of input, lif, w_rec and output; dt is 1e-4."""

    def recurrent(neuron, size):
        nodes = {"input": source(size), "lif": neuron, "w_rec": affine(size, size), "output": sink(size)}
        return graph(nodes, [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")])

    cuba = nir.CubaLIF(*(full(value, 12) for value in (2.5e-4, 5e-4, 5.0, 0.0, 1.0, 0.0)), w_in=full(2.5, 12))
    leaky = nir.LIF(*(full(value, 4) for value in (5e-4, 5.0, 0.0, 1.0, 0.0)))
    nodes = {"input": source(8), "fc1": affine(12, 8), "lif1": recurrent(cuba, 12), "fc2": affine(4, 12)}
    return chained({**nodes, "lif2": recurrent(leaky, 4), "output": sink(4)}), {}


def sinabs_conv():
    """Sinabs numbers its layers; its Flatten and pools hold numpy arrays; IAF has r = 1."""
    nodes = {
        "input": source(2, 16, 16),
        "0": conv2d(8, 2, (3, 3), shape=(16, 16), padding=(1, 1), stride=(1, 1), dilation=(1, 1)),
        "1": if_(8, 16, 16),
        "2": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "3": nir.Flatten(np.array([8, 8, 8]), 0),
        "4": affine(10, 512),
        "5": if_(10),
        "output": sink(10),
    }
    return chained(nodes), {"most_spikes": 15, "reset": "subtract", "v_min": -1.0}


def sinabs_lif_in_steps():
    """Sinabs writes the time constant of its LIF in steps, with r = 1."""
    return line(source(4), linear(6, 4), lif(6, tau=20.0), sink(6)), {"dt": 1.0}


def spikingjelly_conv():
    """SpikingJelly: average pools, and IF with r = 1 / dt."""
    nodes = {
        "input": source(1, 8, 8),
        "conv": conv2d(3, 1, (3, 3), shape=(8, 8), padding=1),
        "lif": lif(3, 8, 8, tau=2e-4),
        "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flatten": nir.Flatten(np.array([3, 4, 4]), 0, 2),
        "fc": affine(5, 48),
        "if": nir.IF(full(1e4, 5), full(1.0, 5), full(0.0, 5)),
        "output": sink(5),
    }
    return chained(nodes), {}


def norse_sequence():
    """Norse numbers its layers; LIFBoxCell is LIF, LIFCell is CubaLIF, LIBoxCell is LI."""
    cuba = nir.CubaLIF(*(full(value, 6) for value in (5e-3, 1e-2, 1.0, 0.0, 1.0, 0.0)))
    li = nir.LI(full(1e-2, 3), full(1.0, 3), full(0.0, 3))
    nodes = {
        "input": source(4),
        "0": affine(6, 4),
        "1": cuba,
        "2": affine(6, 6),
        "3": lif(6),
        "4": affine(3, 6),
        "5": li,
    }
    return chained({**nodes, "output": sink(3)}), {"dt": 1e-3}


def rockpool_recurrent():
    """Rockpool numbers and names its layers, and nests its recurrent ones."""
    cuba = nir.CubaLIF(*(full(value, 5) for value in (1e-2, 2e-2, 1.0, 0.0, 1.0, 0.0)))
    inner = graph(
        {"input": source(5), "1_LIFTorch": cuba, "rec": linear(5, 5), "output": sink(5)},
        [("input", "1_LIFTorch"), ("1_LIFTorch", "rec"), ("rec", "1_LIFTorch"), ("1_LIFTorch", "output")],
    )
    nodes = {
        "input": source(4),
        "0_LinearTorch": linear(5, 4),
        "1_LIFTorch": inner,
        "2_ExpSynTorch": lif(5),
        "output": sink(5),
    }
    return chained(nodes), {"dt": 1e-3, "reset": "subtract", "most_spikes": 31}


def spyx_nested():
    """Spyx nests every recurrent layer, under the neuron's own name again."""
    cuba = nir.CubaLIF(*(full(value, 5) for value in (4e-4, 6e-4, 6.0, 0.0, 1.0, 0.0)), w_in=full(4.0, 5))
    inner = graph(
        {"input": source(5), "lif1": cuba, "lin": linear(5, 5), "output": sink(5)},
        [("input", "lif1"), ("lif1", "lin"), ("lin", "lif1"), ("lif1", "output")],
    )
    return chained({"input": source(3), "fc1": linear(5, 3), "lif1": inner, "fc2": linear(2, 5), "output": sink(2)}), {}


def nengo_ensembles():
    """Nengo: neurons with a leak voltage as bias, several inputs and outputs, feedback between ensembles."""
    first = nir.LIF(
        full(2e-2, 4), np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.0, 0.2, 0.0]), full(1.0, 4), full(0.0, 4)
    )
    nodes = {
        "stimulus": source(2),
        "bias": source(4),
        "encoders": linear(4, 2),
        "ensemble": first,
        "decoders": linear(3, 4),
        "second": lif(3, tau=2e-2),
        "feedback": linear(4, 3),
        "probe": sink(3),
        "spikes": sink(4),
    }
    edges = [("stimulus", "encoders"), ("encoders", "ensemble"), ("bias", "ensemble"), ("ensemble", "decoders")]
    edges += [("decoders", "second"), ("second", "feedback"), ("feedback", "ensemble"), ("second", "probe")]
    return graph(nodes, [*edges, ("ensemble", "spikes")]), {"dt": 1e-3}


def lava_graded():
    """Current-based readout without spikes, behind an integrator and a scale."""
    cuba = nir.CubaLI(*(full(value, 3) for value in (2e-3, 4e-3, 1.0, 0.0)), w_in=full(1.0, 3))
    return line(source(3), nir.Scale(np.array([0.5, 1.0, 2.0])), nir.I(full(1.0, 3)), linear(3, 3), cuba, sink(3)), {}


def audio_conv1d():
    """A convolution along one axis, with groups, and a threshold."""
    weight = np.random.default_rng(0).normal(0, 1, (4, 1, 5)).astype(np.float32)
    layer = nir.Conv1d(32, weight, 2, 2, 1, 2, np.zeros(4, np.float32))
    return line(
        source(2, 32), layer, nir.Threshold(full(0.5, 4, 16)), nir.Flatten(np.array([4, 16]), 0), linear(3, 64), sink(3)
    ), {}


def residual():
    """A value that goes around a layer."""
    nodes = {"input": source(4), "a": lif(4), "w": linear(4, 4), "b": lif(4), "output": sink(4)}
    return graph(nodes, [("input", "a"), ("a", "w"), ("w", "b"), ("a", "b"), ("b", "output")]), {}


TOOLS = [
    *(snntorch_recurrent, sinabs_conv, sinabs_lif_in_steps, spikingjelly_conv, norse_sequence, rockpool_recurrent),
    *(spyx_nested, nengo_ensembles, lava_graded, audio_conv1d, residual),
]


@pytest.mark.parametrize("made", TOOLS, ids=[made.__name__ for made in TOOLS])
def test_file_in_the_manner_of_a_tool_is_read_and_runs(made, tmp_path):
    network, options = made()
    path = written(tmp_path / "net.nir", network)
    assert nir.read(path, type_check=False) is not None
    model = NirImporter(**options).read(path)
    rng = np.random.default_rng(0)
    inputs = {name: rng.integers(0, 2, (7, 2, *shape)).astype(np.float32) for name, shape in model.input_shapes.items()}
    trace = model.run(inputs)
    assert {name: value.shape for name, value in trace.outputs.items()} == {
        name: (7, 2, *shape) for name, shape in model.output_shapes.items()
    }
    assert all(np.isfinite(value).all() for value in trace.outputs.values())
    assert NirImporter(**options).inspect(path).findings == model.findings


def test_inner_names_stay_apart(tmp_path):
    found, _ = read(written(tmp_path / "net.nir", snntorch_recurrent()[0]))
    assert [node.name for node in found.nodes if node.kind.endswith("LIF")] == ["lif1_lif", "lif2_lif"]
    assert edges_of(found, delayed=True) == {("lif1_lif", "lif1_w_rec"), ("lif2_lif", "lif2_w_rec")}


def test_gain_of_an_integrator_with_r_of_one_over_dt_is_told(tmp_path):
    path = written(tmp_path / "net.nir", spikingjelly_conv()[0])
    told = [str(finding) for finding in NirImporter().inspect(path).findings]
    text = "IF and I add r dt x to their potential in a step, for r dt is 1"
    assert f"assumed: {text} (--option if_gain=step: r x, or dt: r dt x)" in told


def test_scalar_constants_of_early_exporters_are_one_value_for_all(tmp_path):
    network = line(source(4), linear(6, 4), lif(6), sink(6))
    edit = having(c__tau=2e-3, c__r=1.0, c__v_leak=0.0, c__v_threshold=np.float32(0.5), c__v_reset=0.0)
    found, _ = read(written(tmp_path / "net.nir", network, edit))
    assert {key: array.shape for key, array in found.by_name["c"].arrays.items()} == dict.fromkeys(
        ("tau", "r", "v_leak", "v_threshold", "v_reset"), ()
    )
    assert found.by_name["c"].shape == (6,)


def test_file_without_v_reset_and_w_in_is_read_as_nir_reads_it(tmp_path):
    path = written(
        tmp_path / "net.nir",
        spyx_nested()[0],
        without(*(f"node/nodes/lif1/nodes/lif1/{k}" for k in ("v_reset", "w_in"))),
    )
    assert nir.read(path).nodes["lif1"].nodes["lif1"].w_in.tolist() == [1.0] * 5
    found, told = read(path)
    assert float(found.by_name["lif1_lif1"].arrays["w_in"]) == 1.0
    assert "ambiguous: node 'lif1_lif1': it has no w_in, as older files; 1 is taken, as NIR does" in told


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph is being deprecated")
def test_snntorch_itself_writes_what_is_read_here(tmp_path):
    snn = pytest.importorskip("snntorch", reason="snntorch is not installed")
    export = pytest.importorskip("snntorch.export_nir", reason="nirtorch, which snntorch imports, is not installed")
    leaky = snn.Leaky(beta=torch.full((6,), 0.8), threshold=torch.ones(6), init_hidden=True)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), leaky)
    nir.write(tmp_path / "net.nir", export.export_to_nir(net, torch.zeros(1, 4), ignore_dims=[0]))
    found, _ = read(tmp_path / "net.nir")
    assert [node.kind for node in found.nodes] == ["Input", "Affine", "LIF", "Output"]
    assert np.array_equal(found.nodes[1].arrays["weight"], net[0].weight.detach().numpy())
    assert float(found.nodes[2].arrays["tau"]) == pytest.approx(5e-4, rel=1e-6)  # 1 - dt / tau is beta, in float32
