"""Each kind of layer and field of a lava-dl file by hand, what is said about it, and what is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lava_dl_files import CUBA, conv, dense, write

from spikequant.errors import UsageError
from spikequant.importing import find_importer, inspect_file, read_file
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d
from spikequant.registry import node_kinds
from spikequant_lava_dl.importer import LavaDlImporter

ONE = {"iDecay": 4096, "vDecay": 0, "vThMant": 2}


def read(path, **options):
    return LavaDlImporter(**{"timesteps": 4, **options}).read(path)


def spikes(path, given, name, **options):
    program = read(path, **options).program
    shape = (program.timesteps, 1, *program.input.shape)
    values = np.asarray(given).reshape(shape if program.input.coding == "per_step" else (1, *program.input.shape))
    return run_oracle(program, values).spikes[name][:, 0]


def test_a_dense_layer_fires_at_its_threshold_and_is_zero_then(tmp_path):
    """v grows by 1 a step without leak, and 2 is the threshold; LOIHI needs more than 2."""
    path = write(tmp_path / "a.net", dense([[1]], ONE))
    assert spikes(path, [1, 1, 1, 1], "lif0").ravel().tolist() == [0, 1, 0, 1]
    assert spikes(path, [1, 1, 1, 1], "lif0", fire=">").ravel().tolist() == [0, 0, 1, 0]
    path = write(tmp_path / "b.net", dense([[1]], {**ONE, "type": b"LOIHI"}))
    assert spikes(path, [1, 1, 1, 1], "lif0").ravel().tolist() == [0, 0, 1, 0]
    assert spikes(path, [1, 1, 1, 1], "lif0", fire=">=").ravel().tolist() == [0, 1, 0, 1]


def test_a_current_decays_and_goes_on(tmp_path):
    """u = 64, 32, 16, 8 after one spike, and v their sum."""
    path = write(tmp_path / "a.net", dense([[1]], {"iDecay": 2048, "vDecay": 0, "vThMant": 100}))
    trace = run_oracle(read(path).program, np.array([1, 0, 0, 0]).reshape(4, 1, 1))
    assert trace.potentials["lif0.current"].ravel().tolist() == [64, 32, 16, 8]
    assert trace.potentials["lif0"].ravel().tolist() == [64, 96, 112, 120]


def test_a_bias_enters_the_potential_and_an_exponent_scales_the_weights_only(tmp_path):
    path = write(tmp_path / "a.net", dense([[3], [0]], {**ONE, "vThMant": 99, "weight_exp": 1.0}, bias=[0.0, 5.0]))
    imported = read(path)
    trace = run_oracle(imported.program, np.array([1, 0, 0, 0]).reshape(4, 1, 1))
    assert trace.potentials["lif0"][:, 0].tolist() == [[384, 320], [384, 640], [384, 960], [384, 1280]]
    assert any(f.level == "ambiguous" and f.node == "layer0" for f in imported.findings)


def test_a_convolution_correlates_in_height_and_width_and_flattens_by_channel(tmp_path):
    """Against torch: stride (1, 2), padding (1, 0), two groups, then a flatten and a dense layer."""
    import torch

    rng = np.random.default_rng(0)
    weight, last = rng.integers(-9, 9, (4, 1, 2, 3)), rng.integers(-9, 9, (3, 48))
    window = {"stride": [1, 2], "padding": [1, 0], "groups": 2, "inChannels": 2}
    quiet = {"iDecay": 4096, "vDecay": 4096, "vThMant": 4}
    path = write(
        tmp_path / "a.net",
        conv(weight, (4, 6, 2), quiet, **window),
        {"type": "flatten", "shape": [48, 1, 1]},
        dense(last, quiet),
    )
    x = rng.integers(0, 2, (4, 1, 2, 5, 6))
    program = read(path, input_shape="2x5x6").program
    trace = run_oracle(program, x)
    kernel = torch.tensor(weight).double()
    sums = torch.nn.functional.conv2d(torch.tensor(x[:, 0]).double(), kernel, stride=(1, 2), padding=(1, 0), groups=2)
    fires = (sums >= 4).numpy()
    assert np.array_equal(trace.spikes["lif0"][:, 0], fires)
    assert np.array_equal(trace.spikes["lif2"][:, 0], fires.reshape(4, 48) @ last.T >= 4)
    assert fires.any()


@pytest.mark.parametrize("weight", [np.full((1, 1, 2, 2), 3.0), np.array([3.0])])
def test_a_pooling_has_one_kernel_for_all_channels(weight, tmp_path):
    pool = {"type": "pool", "shape": [2, 1, 2], "kernelSize": [2, 2], "stride": [2, 2], "padding": [0, 0]}
    path = write(tmp_path / "a.net", {**pool, "dilation": [1, 1], "weight": weight, "neuron": {**CUBA, "vThMant": 6}})
    x = np.zeros((4, 1, 2, 2, 4), int)
    x[0, 0, 0, 0, 0], x[0, 0, 0, 1, 1], x[0, 0, 1, 0, 3] = 1, 1, 1
    program = read(path, input_shape="2x2x4").program
    assert isinstance(program.by_name["pool0"], Conv2d)
    assert run_oracle(program, x).spikes["lif0"][0, 0].tolist() == [[[1, 0]], [[0, 0]]]


def test_pixels_are_integrated_until_they_pass_255(tmp_path):
    path = write(tmp_path / "a.net", dense(np.eye(4), ONE))
    shown = spikes(path, [0, 100, 128, 255], "encode", encode="integrate", timesteps=6)
    assert shown.T.tolist() == [[0] * 6, [0, 0, 1, 0, 0, 1], [0, 1] * 3, [0, 1] * 3]


def test_an_input_layer_is_driven_by_its_affine_input(tmp_path):
    """64 times 5 a step, no leak; LOIHI fires above 64 times 8."""
    first = {"type": "input", "shape": [2], "weight": [36.0], "bias": [34.0]}
    path = write(tmp_path / "a.net", {**first, "neuron": {**CUBA, **ONE, "vThMant": 8}}, dense(np.eye(2), ONE))
    assert spikes(path, [5, -5], "lif0", encode="layer").T.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]
    texts = [str(finding) for finding in read(path).findings]
    assert "note: node 'layer0': its neurons are left out and spikes come in; --option encode=layer keeps them" in texts


def test_a_sample_is_as_long_as_the_file_says(tmp_path):
    path = write(tmp_path / "a.net", dense([[1]]), Ts=2, tSample=64)
    assert LavaDlImporter().read(path).program.timesteps == 32
    path = write(tmp_path / "b.net", dense([[1]]))
    imported = LavaDlImporter().read(path)
    assert imported.program.timesteps == 32
    assert [f.level for f in imported.findings] == ["assumed", "ambiguous", "note"]
    assert LavaDlImporter(timesteps=7).read(path).program.timesteps == 7


def test_a_flat_input_of_pixels_can_be_given_a_shape(tmp_path):
    path = write(tmp_path / "a.net", dense(np.ones((1, 4))))
    assert read(path, encode="integrate").program.input.shape == (4,)
    assert read(path, encode="integrate", input_shape="1x2x2").program.input.shape == (1, 2, 2)


def test_it_is_found_by_its_suffix_and_inspects_what_it_cannot_run(tmp_path):
    path = write(tmp_path / "a.net", dense([[1, 2], [3, 4]]), {"type": "concat", "shape": [4], "layers": [0, 1]})
    importer = find_importer(path, {})
    assert isinstance(importer, LavaDlImporter)
    found = inspect_file(importer, path)
    assert [(node.name, node.kind, node.shape) for node in found.nodes] == [
        ("layer0", "dense", (2,)),
        ("layer1", "concat", (4,)),
    ]
    assert found.nodes[0].parameters == {"weight": "float32 (2, 2), 1 to 4"}
    assert found.nodes[1].settings == {"layers": "(0, 1)"}
    assert (found.edges, found.inputs, found.outputs) == ((("layer0", "layer1"),), {"layer0": (2,)}, {"layer1": (4,)})
    with pytest.raises(UsageError, match=r"layer 1 \(concat\): this kind of layer is not known here"):
        read_file(importer, path)


def test_the_program_comes_back_from_a_nir_file(tmp_path):
    path = write(tmp_path / "a.net", dense(np.arange(-6, 6).reshape(3, 4), {"vDecay": 400, "iDecay": 900}))
    program = read(path).program
    write_program(program, tmp_path / "a.nir", kinds=node_kinds())
    again = read_program(tmp_path / "a.nir", kinds=node_kinds())
    x = np.random.default_rng(0).integers(0, 2, (4, 3, 4))
    assert np.array_equal(run_oracle(program, x).spikes["lif0"], run_oracle(again, x).spikes["lif0"])


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([dense([[0.5]])], r"layer 0 \(dense\): weight holds 0.5..0.5, and not only whole numbers below 2\*\*31; .*"),
        ([dense([[np.nan]])], r"layer 0 \(dense\): weight holds nan..nan, and not only whole numbers.*"),
        ([dense([[1]], {"refDelay": 3})], r"layer 0 \(dense\): its neurons have a refractory delay of 3 steps; 1, .*"),
        (
            [dense([[1]], {"gradedSpike": True})],
            r"layer 0 \(dense\): its neurons put out graded spikes \(gradedSpike\).*",
        ),
        ([dense([[1]], {"type": b"SDNN"})], r"layer 0 \(dense\): its neurons are of type SDNN; CUBA and LOIHI are .*"),
        ([dense([[1]], {"iDecay": 4097})], r"layer 0 \(dense\): iDecay is 4097; it must be from 0 to 4096"),
        ([dense([[1]], {"rest": 3})], r"layer 0 \(dense\): its neurons have a field 'rest', which is not known here"),
        (
            [dense([[1]], {"wgtExp": 1, "weightExp": 2})],
            r"layer 0 \(dense\): its weight exponents are 1, 2; they must agree",
        ),
        ([dense([[1]], delay=[2.0])], r"layer 0 \(dense\): its axons have delays of their own; .*"),
        ([dense([[1]], bias=[1.0, 2.0])], r"layer 0 \(dense\): bias has 2 numbers; it must have 1 or 1"),
        ([dense([[1]], scale=3)], r"layer 0 \(dense\): it has a field 'scale', which is not known here"),
        (
            [dense([[1]], shape=[7])],
            r"layer 0 \(dense\): its shape says \(7,\), and its weights make \(1,\) of what comes in",
        ),
        ([dense([[1]], outFeatures=2)], r"layer 0 \(dense\): weight has the shape \(1, 1\), and outFeatures and .*"),
        ([dense([[1]]), dense([[1, 2]])], r"node 'dense1': dense has codes \(1, 2\) and is fed \(1,\); .*"),
        ([{"type": "average", "shape": [1]}], r"layer 0 \(average\): the file does not say the size of its input; .*"),
        ([{"type": "input", "shape": [1]}], r"it has no layer with weights; export the whole network"),
        (
            [{"type": "input", "shape": [1 << 20] * 3}],
            r"layer 0 \(input\): shape is .* of at most 67108864 elements .*",
        ),
        (
            [{"type": "input", "shape": [4]}, {"type": "average", "shape": [1]}],
            r"layer 1 \(average\): this kind of layer .*",
        ),
        (
            [conv(np.ones((1, 1, 2, 2)), (1, 4, 4))],
            r"layer 0 \(conv\): the file does not say the size of its input; .*",
        ),
    ],
)
def test_what_is_not_known_is_refused_by_the_layers_name(layers, text, tmp_path):
    path = write(tmp_path / "a.net", *layers)
    with pytest.raises(UsageError, match=rf"^{path}: {text}$"):
        read(path)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timesteps": 0}, "timesteps is 0; it must be from 1 to 1000000"),
        ({"encode": "rate"}, "encode is 'rate'; it must be one of none, layer, integrate"),
        ({"fire": "<"}, "fire is '<'; it must be one of >=, >"),
        ({"input_shape": "28 x 28"}, "input_shape is '28 x 28'; it must be sizes such as 784 or 1x28x28"),
    ],
)
def test_options_out_of_their_domain_are_refused(options, text):
    with pytest.raises(UsageError, match=f"^importer 'lava-dl': {text}$"):
        LavaDlImporter(**options)


def test_options_that_the_file_contradicts_are_refused(tmp_path):
    path = write(tmp_path / "a.net", dense([[1, 2]]))
    with pytest.raises(UsageError, match=r"its input has the shape \(2,\), and input_shape says \(1, 3\)$"):
        read(path, input_shape="1x3")
    with pytest.raises(UsageError, match=r"encode is 'layer', and the file has no input layer with neurons; use .*$"):
        read(path, encode="layer")
