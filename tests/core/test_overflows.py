"""Values beyond their format are counted: by a layer, by a model, and for every candidate of an exploration."""

import json

import pytest
import torch

from spikequant.cli import main
from spikequant.explore import Scheme, Setting
from spikequant.explore.evaluate import RunEvaluator
from spikequant.formats import FP32, IntFormat, QFormat
from spikequant.model import InputCoding, SpikingModel, as_input
from spikequant.network import DenseLayer, ReadoutLayer
from spikequant.rounding import Rounding
from spikequant.runs import RunFolder, load_model
from spikequant_mint.mint_lif import MintLif
from spikequant_qif.quantizer import Qif


def model():
    """Two layers of two weights; the second has four weights."""
    made = SpikingModel((DenseLayer(2), ReadoutLayer(2)), lambda: MintLif(8), InputCoding((1,), 1, 1), timesteps=2)
    with torch.no_grad():
        made.weighted[0].weight.copy_(torch.tensor([[2.5], [0.5]]))
        made.weighted[1].weight.copy_(torch.tensor([[1.99, -2.0], [-2.01, 9.0]]))
    return made


def test_a_model_in_floats_has_none():
    made = model()
    assert made.overflows == {}
    assert [part.overflows() for part in made.weighted] == [0, 0]
    made.quantize(lambda: Qif("FP32"))
    assert made.overflows == {}


def test_weights_beyond_their_format_are_counted_over_all_layers():
    """Q1.4 holds -2..1.9375: 2.5, 1.99 (it rounds to 2) and 9 are too large, and -2.01 rounds to -2."""
    made = model()
    made.quantize(lambda: Qif("Q1.4"))
    assert [part.overflows() for part in made.weighted] == [1, 2]
    assert [part.folded().overflows for part in made.weighted] == [1, 2]
    assert made.overflows == {"w": 3}
    made.predict(as_input(torch.ones(3, 1).numpy()))
    assert made.overflows == {"w": 3}


def test_the_first_layer_in_floats_counts_nothing():
    layers = (DenseLayer(1), DenseLayer(2), ReadoutLayer(2))
    made = SpikingModel(layers, lambda: MintLif(8), InputCoding((1,), 1, 1), timesteps=2)
    with torch.no_grad():
        for part in made.weighted:
            part.weight.fill_(3.0)
    made.quantize(lambda: Qif("Q1.4"), ends="float")
    assert made.overflows == {"w": 2}


QIF = """
timesteps = 2
[data]
name = "digits"
train_samples = 100
test_samples = 20
[network]
name = "mlp"
hidden = [8]
[neuron]
name = "mint-lif"
[quantizer]
name = "qif"
format = "UQ0.4"
[learner]
name = "bptt"
[training]
float_epochs = 1
epochs = 0
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose weights, of both signs, are rounded to an unsigned format after training."""
    folder = tmp_path_factory.mktemp("qif") / "run"
    (folder.parent / "qif.toml").write_text(QIF, encoding="utf-8")
    main(["train", str(folder.parent / "qif.toml"), "--out", str(folder)])
    return RunFolder(folder)


def below(run, least):
    """How many weights are smaller."""
    count = sum(int((part.weight < least).sum()) for part in load_model(run, precision="float").weighted)
    assert 100 < count < 500
    return count


def test_export_says_how_many_weights_lie_beyond_their_format(spikequant, run, tmp_path):
    """What is below -1/32 rounds to a code below 0."""
    words = ("export", run.path, "--out", tmp_path / "m.nir", "--samples", 8)
    count = below(run, -1 / 32)
    assert json.loads(spikequant(*words, "--json").out)["overflows"] == {"w": count}
    assert f"\noverflow: {count:,} values of w lie beyond the range of their format\n" in spikequant(*words).out


def test_an_exploration_notes_them_for_candidates_quantized_after_training(run):
    evaluator = RunEvaluator(run.path)
    settings = [
        Setting(Scheme.PTQ, Rounding.TR, (("w", w), ("U", IntFormat(8)))) for w in (QFormat(0, 4), QFormat(0, 4, False))
    ]
    settings.append(Setting(Scheme.PTQ, Rounding.RN, (("w", FP32), ("U", FP32))))
    notes = [evaluator([setting])[0].notes for setting in settings]
    assert notes == [{"overflows": {"w": 0}}, {"overflows": {"w": below(run, 0)}}, {}]
