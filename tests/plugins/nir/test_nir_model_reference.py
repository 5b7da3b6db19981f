"""The files of other tools give the accuracies that were measured for them, in floats and quantized."""

import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nir_model_graphs import quantizer
from test_nir_model_exact import check

from spikequant import InputCoding
from spikequant.data_folders import data_folders
from spikequant.model import as_input
from spikequant.registry import registry
from spikequant_cuba import CubaNeuron
from spikequant_nir.importer import NirImporter
from spikequant_nir.network import NirNetwork

SHARED = Path(os.environ.get("SPIKEQUANT_DATA") or Path(__file__).parents[4] / "shared" / "data")
FILES, TRACES = SHARED / "nir" / "valid", SHARED / "nir" / "lif_traces"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason=f"SPIKEQUANT_DATA: no files of other tools in {SHARED}")
SINABS = {"dt": 1e-3, "reset": "subtract", "v_min": -1.0}
BRANDY = {"dt": 1e-2, "reset": "subtract", "v_min": -1.0, "most_spikes": 255, "fire": ">="}


@pytest.fixture(scope="module")
def data():
    """Samples and labels of data sets, each read once."""
    found = {}

    def load(name, splits=("test",), **options):
        key = name, splits, tuple(options.items())
        if key not in found:
            dataset = registry().make("dataset", name, options)
            parts = [dataset.load(split, data_folders(SHARED)) for split in splits]
            x = np.concatenate([np.asarray(part.x[: len(part)]) for part in parts])
            found[key] = x, np.concatenate([part.y for part in parts])
        return found[key]

    return load


def float_model(name, coding, timesteps, classes, neuron=None, **rules):
    imported = NirImporter(**rules).read(FILES / f"{name}.nir")
    network = NirNetwork(**imported.network_options)
    model = network.model(lambda: neuron or CubaNeuron(), coding, classes, timesteps, seed=0)
    model.load_state_dict(imported.parameters)
    return model.eval()


def right(model, x, y):
    return sum(int((model.predict(as_input(x[i : i + 50])) == y[i : i + 50]).sum()) for i in range(0, len(x), 50))


def bins(number):
    """Cut each of the 100 test recordings into equal parts of its own length: counts ``(100, number, 2, 34, 34)``."""
    with np.load(SHARED / "nmnist-small" / "nmnist_small.npz") as file:
        t, x, y, p, offset = (file[f"test_{key}"] for key in ("t", "x", "y", "p", "offset"))
        labels = file["test_label"].astype(np.int64)
    frames = np.zeros((len(labels), number, 2, 34, 34), np.int64)
    for index, (begin, end) in enumerate(pairwise(offset.tolist())):
        part = slice(begin, end)
        times = t[part].astype(np.int64)
        width = (times.max() - times.min()) / number
        step = np.minimum(((times - times.min()) / width).astype(np.int64), number - 1)
        np.add.at(frames, (index, step, p[part], y[part], x[part]), 1)
    return frames, labels


def test_lif_norse_repeats_its_trace():
    rows = np.loadtxt(TRACES / "lif_norse.csv", delimiter=",")
    imported = NirImporter(dt=1e-4).read(FILES / "lif_norse.nir")
    (name,) = imported.input_shapes
    trace = imported.run({name: rows[:, 0].reshape(-1, 1, 1)})
    (spikes,), (potential,) = trace.spikes.values(), trace.potentials.values()
    assert np.array_equal(np.flatnonzero(spikes), [460, 510, 710, 760])
    assert np.array_equal(np.flatnonzero(spikes), np.flatnonzero(rows[:, 2]))
    assert np.abs(potential[:, 0, 0] - rows[:, 1]).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "reset", "expected"),
    [
        ("braille_noDelay_bias_zero", "zero", 829),
        ("braille_noDelay_noBias_subtract", "subtract", 832),
        ("spyx_braille_noDelay_noBias_subtract_subgraph", "subtract", 832),
    ],
)
def test_braille_networks_read_the_letters(data, name, reset, expected):
    x, y = data("braille", ("train", "test"))
    model = float_model(name, InputCoding((12,), 1, 1, 5e-3), 256, 7, dt=1e-4, reset=reset)
    assert len(y) == 857
    assert right(model, x, y) == expected  # 0.967 and 0.971


def test_the_nested_file_computes_what_the_flat_one_does(data):
    x = as_input(data("braille", ("train", "test"))[0][:40])
    states = [
        float_model(name, InputCoding((12,), 1, 1, 5e-3), 256, 7, dt=1e-4, reset="subtract").states(x)
        for name in ("braille_noDelay_noBias_subtract", "spyx_braille_noDelay_noBias_subtract_subgraph")
    ]
    assert len(states[0].spikes) == 2
    for a, b in zip(states[0].spikes.values(), states[1].spikes.values(), strict=True):
        assert a.equal(b)


def test_cnn_sinabs_and_its_8_bits(data):
    x, y = data("nmnist-small", timesteps=300)
    coding = InputCoding((2, 34, 34), 8, 1, 1e-3)
    model = float_model("cnn_sinabs", coding, 300, 10, **SINABS)
    assert right(model, x, y) == 98
    model.quantize(quantizer("qif", format="Q1.6"))
    assert right(model, x, y) >= 97  # within a point
    check(model, x[:1].astype(np.int64))


@pytest.mark.parametrize(("budget", "expected"), [(100, 96), (50, 98), (10, 95), (4, 91)])
def test_brandy_networks_on_30_equal_parts_of_a_recording(budget, expected):
    """With frames of 10 ms, which drop what is later than 300 ms, it is 96, 98, 97 and 91."""
    x, y = bins(30)
    model = float_model(f"brandy_{budget}", InputCoding((2, 34, 34), 8, 1, 1e-2), 30, 10, **BRANDY)
    assert right(model, x, y) == expected


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (quantizer("qif", format="Q0.7"), {"V": "Q1.12"}),
        (quantizer("uq", bits=8), {}),
        (quantizer("qif", format="Q0.5"), {"V": "Q2.7", "rounding": "TR"}),
    ],
    ids=["8 bits", "8 bits and a clip", "6 bits"],
)
def test_brandy_quantized_stays_within_a_point_and_is_its_program(data, make, options):
    x, y = data("nmnist-small", timesteps=30, frame_ms=10)
    coding = InputCoding((2, 34, 34), 8, 1, 1e-2)
    model = float_model("brandy_100", coding, 30, 10, CubaNeuron(**options), **BRANDY)
    floats = right(model, x, y)
    model.quantize(make)
    assert right(model, x, y) >= floats - 1
    check(model, x[:4].astype(np.int64))


@pytest.mark.parametrize("rounding", ["RN", "TR", "SR", "TZ"])
def test_braille_in_16_bits_is_its_program(data, rounding):
    x, y = data("braille", ("train", "test"))
    neuron = CubaNeuron(V="Q9.14", I="Q6.14", rounding=rounding)
    model = float_model(
        "braille_noDelay_bias_zero", InputCoding((12,), 1, 1, 5e-3), 256, 7, neuron, dt=1e-4, reset="zero"
    )
    model.quantize(quantizer("qif", format="Q4.11"))
    assert right(model, x[:100], y[:100]) >= 95
    check(model, x[:4].astype(np.int64))
