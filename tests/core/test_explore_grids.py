"""Potentials that count in units of the weights: formats that go together, and integer bits that suffice."""

import re

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.explore import PlannedAxis, Scheme, Setting
from spikequant.explore.evaluate import apply_setting
from spikequant.explore.grids import check_grids, shared_axes
from spikequant.formats import parse_format
from spikequant.model import as_input
from spikequant.quantity import Quantity
from spikequant.rounding import Rounding
from spikequant.runs import parse_recipe
from spikequant.runs.build import build_model, load_data, quantizer_factory

QUANTITIES = (Quantity("w", "variable", 9, "quantizer"), Quantity("U", "variable", 3, "neuron", grid="w"))
RECIPE = {
    "seed": 2,
    "timesteps": 4,
    "data": {"name": "digits", "train_samples": 60, "test_samples": 40},
    "network": {"name": "mlp", "hidden": [12]},
    "neuron": {"name": "mint-lif", "bits": 32},
    "quantizer": {"name": "qif", "format": "Q1.12"},
    "learner": {"name": "bptt"},
    "training": {"float_epochs": 1, "epochs": 0},
}


def axis(name, **levels):
    formats = zip(*([parse_format(text) for text in words.split()] for words in levels.values()), strict=True)
    return PlannedAxis(name, tuple(levels), tuple(formats))


@pytest.mark.parametrize(
    "axes",
    [
        (axis("p", w="FP32 Q1.8 Q1.6", U="FP32 Q4.8 Q4.6"),),
        (axis("w", w="Q1.8 Q1.6"), axis("U", U="INT16 INT12")),
        (axis("w", w="INT8 INT4"), axis("U", U="INT8 INT4")),
        (axis("w", w="FP32 Q1.8"), axis("U", U="FP32")),
        (axis("w", w="Q1.8"), axis("U", U="Q4.8")),
        (axis("U", U="Q4.8 Q4.6"),),
    ],
)
def test_formats_of_one_lattice_go_together(axes):
    check_grids(axes, QUANTITIES)


@pytest.mark.parametrize(
    ("axes", "fmt", "grid"),
    [
        ((axis("w", w="Q1.8 Q1.6"), axis("U", U="Q4.8 Q4.6")), "Q4.8", "Q1.6"),
        ((axis("p", w="Q1.8", U="Q4.6"),), "Q4.6", "Q1.8"),
        ((axis("w", w="FP32 Q1.8"), axis("U", U="INT16")), "INT16", "FP32"),
        ((axis("w", w="INT8"), axis("U", U="Q4.6")), "Q4.6", "INT8"),
    ],
)
def test_others_are_refused_before_anything_is_evaluated(axes, fmt, grid):
    message = (
        f"'U' counts in units of 'w', so it cannot have the format {fmt} while 'w' has {grid}; give both the same"
        " fraction bits (of explore and significance: --group wU=w,U --levels wU=8,6,4), or 'U' a format INTn, its"
        " width"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        check_grids(axes, QUANTITIES)


def test_a_candidate_is_held_against_the_recipe_where_it_does_not_name_the_weights():
    recipe = parse_recipe(RECIPE, "test")
    quantities = build_model(recipe).quantities

    def applied(text):
        return apply_setting(recipe, Setting(Scheme.PTQ, Rounding.RN, (("U", parse_format(text)),)), quantities)

    assert applied("Q4.12").neuron.options["bits"] == 17
    with pytest.raises(UsageError, match=r"^'U' counts in units of 'w', so it cannot have the format Q4\.8 while"):
        applied("Q4.8")


def test_a_default_axis_is_shared_unless_the_user_groups():
    assert shared_axes(QUANTITIES, (("N", ("U",)),)) == (("N", ("U",)),)
    assert shared_axes(QUANTITIES, (("N", ("w", "U")),)) == (("N", ("w", "U")),)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_observed_potentials_are_those_that_the_program_stores(batch_norm):
    """In codes times the weights' step; real potentials are 16 times smaller here, a pixel of 16 being 1."""
    recipe = parse_recipe({**RECIPE, "network": {**RECIPE["network"], "batch_norm": batch_norm}}, "test")
    model, x = build_model(recipe).eval(), as_input(load_data(recipe, None)[0].x)
    with_gain = model.weighted[0]
    if batch_norm:
        with_gain.gamma.data.uniform_(0.2, 3.0)
        with_gain.var.fill_(0.3)
    low, high = model.observe(x).ranges["U"]
    assert high > 4
    model.quantize(quantizer_factory(recipe))
    stored = np.concatenate([value.numpy().ravel() for value in model.record(x).potentials.values()]) / 2.0**12
    assert abs(stored.min() - low) < 0.01 * abs(low)
    assert abs(stored.max() - high) < 0.01 * high
