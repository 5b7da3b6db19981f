"""What lies at the ends of the ranges: thresholds beyond V, the largest seed, rho, other numbers of timesteps."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from decolle_models import CLASSES, SHAPE, TIMESTEPS, counts, mlp, quantized

from spikequant import Split
from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.program_inputs import program_inputs
from spikequant.runs import parse_recipe
from spikequant.runs.build import check_parts
from spikequant.runs.export import model_trace
from spikequant.verify import compare
from spikequant_decolle.batches import batches
from spikequant_decolle.parameters import Constants

FORMATS = {"P": "Q1.8", "Q": "Q1.8", "R": "Q1.4", "V": "Q1.28"}


def identical(model, x):
    program, given = model.lower(), x.numpy().astype(np.int64)
    expected = run_oracle(program, program_inputs(program, given))
    verdict = compare(expected, model_trace(model, given), [node.name for node in program.order])
    assert verdict.identical, verdict
    assert np.array_equal(expected.predictions(), model.predict(x))
    return expected


def node_of(program, name):
    (found,) = (node for node in program.order if node.name == name)
    return found


def test_a_threshold_beyond_v_is_its_largest_value_which_a_full_register_reaches():
    """V has 30 bits: float32 would round the threshold up, where no V ever comes."""
    model = quantized(mlp(), "Q3.4", **FORMATS)
    for layer in model.layers:
        layer.w.mul_(20)
        layer.v_th.fill_(1e6)
    seen = identical(model, counts())
    assert node_of(model.lower(), "lif1").vth.tolist() == [(1 << 29) - 1] * 20
    assert 0.01 < seen.spikes["lif1"].mean() < 0.9


def test_a_network_with_the_largest_seed_becomes_a_program():
    """Layers have consecutive seeds, and int64 ends there: the random numbers go on from its other end."""
    model = quantized(mlp(), "Q1.5", "SR", seed=(1 << 63) - 1, **FORMATS)
    program = model.lower()
    assert [node_of(program, f"trace{k}").seed for k in (1, 2)] == [(1 << 63) - 1, -(1 << 63)]
    identical(model, counts())


@pytest.mark.parametrize("rho", [127.4, -0.1, float("nan")])
def test_rho_is_refused_as_it_was_given(rho):
    with pytest.raises(UsageError, match=rf"^rho is {rho}; it must be between 0 and 127$"):
        Constants(rho=rho)
    assert Constants(rho=127.0).on_grid.rho == 127.0


def test_samples_of_other_timesteps_are_refused():
    model = quantized(mlp(), "Q1.5", **FORMATS)
    for run in (model.predict, model.record, model.observe):
        with pytest.raises(UsageError, match=rf"^samples have 7 timesteps, and this network was made for {TIMESTEPS};"):
            run(torch.zeros(2, 7, *SHAPE))


def test_a_shift_beyond_the_frame_leaves_an_empty_one():
    data = Split(np.ones((40, 2, 1, 3, 5), np.uint8), np.zeros(40, np.int64) % CLASSES)
    (batch,) = batches(data, 40, np.random.default_rng(0), torch.device("cpu"), shift=8)
    assert {int(total) for total in batch.x.sum((0, 2, 3, 4))} == {0, 4, 6, 10, 18}


def test_another_network_is_refused_by_the_names_of_those_it_trains():
    """The learner names their base class, which is no network itself."""
    parts = {"network": "mlp", "neuron": "decolle", "quantizer": "qif", "learner": "decolle", "data": "braille"}
    recipe = parse_recipe({"timesteps": 9, **{part: {"name": name} for part, name in parts.items()}}, "a recipe")
    wanted = "'decolle-conv3' or 'decolle-mlp'"
    message = rf"^learner 'decolle' trains network {wanted} only, and was given 'mlp'; set network.name to {wanted}, or"
    with pytest.raises(UsageError, match=message):
        check_parts(recipe)
