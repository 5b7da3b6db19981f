"""The trainable twin of the ``lif`` node, under every rule that the node has."""

import itertools

import pytest
import torch

from spikequant import LifNeuron, SteppedNeuron
from spikequant.lif_neuron import THETA_LIMIT, integer_threshold
from spikequant.program import Leak, Reset
from spikequant.testing import neuron_checks

LEAKS = (
    Leak(),
    Leak.by_shift(1),
    Leak.by_shift(3, "toward_zero"),
    Leak.by_shift(2, "nearest"),
    Leak("multiply", 8, 230),
    Leak("multiply", 4, 11, "nearest"),
    Leak("multiply", 3, 5, "toward_zero"),
)
RESETS = (Reset(), Reset("subtract"), Reset("value", -3))
RULES = list(itertools.product(LEAKS, ("leak_on_read", "leak_on_store"), RESETS, ("symmetric", "saturate", "wrap")))


def ruled(leak, order, reset, overflow):
    rules = {"name": "ruled", "leak": leak, "order": order, "reset": reset, "overflow": overflow}
    return type("Ruled", (LifNeuron,), rules)


@pytest.mark.parametrize(("leak", "order", "reset", "overflow"), RULES)
def test_every_rule_is_the_nodes(leak, order, reset, overflow):
    for bits in (3, 9):
        neuron = ruled(leak, order, reset, overflow)(bits=bits)
        for check in neuron_checks.checks:
            if check.__name__ in ("check_integer_step", "check_integer_run", "check_limits"):
                check(neuron)


@neuron_checks(
    ruled(Leak("multiply", 8, 230), "leak_on_store", Reset("value", -3), "wrap")(bits=7),
    ruled(Leak(), "leak_on_read", Reset("subtract"), "saturate")(bits=5, strict=False),
)
def test_contract(neuron, check):
    check(neuron)


class Doubled(LifNeuron):
    """A stranger's neuron that overrides only the step."""

    name = "doubled"

    def integer_step(self, x, u, lsb):
        return super().integer_step(2 * x, u, lsb)


def test_a_step_of_ones_own_is_what_training_runs():
    x, lsb = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[0.25]])
    neuron = Doubled()
    assert neuron.integer_run(x, lsb, 4).tolist() == SteppedNeuron.integer_run(neuron, x, lsb, 4).tolist()
    assert neuron.integer_run(x, lsb, 1).flatten().tolist() == [0, 0, 1]


def test_thresholds_are_computed_in_float64():
    """In float32 alone, 1 / (1/3) would be exactly 3; float32's 1/3 is a little above a third."""
    third = torch.tensor(1 / 3)
    assert integer_threshold(1.0, third, strict=True).item() == 3
    assert integer_threshold(1.0, third, strict=False).item() == 3
    assert (1.0 / third).item() == 3.0


def test_thresholds_of_float32_layers_stop_out_of_reach_and_others_do_not():
    assert integer_threshold(700.0, torch.tensor(3.1e-5, dtype=torch.float64), strict=True).item() == 22580646
    assert integer_threshold(1.0, torch.tensor(1e-30), strict=True).item() == THETA_LIMIT == 2**23 - 1


@pytest.mark.parametrize("v_th", [0.0, -1.0])
def test_a_threshold_that_is_not_positive_is_refused(v_th):
    with pytest.raises(ValueError, match=rf"^neuron 'doubled': v_th is {v_th}; it must be positive$"):
        Doubled(v_th=v_th)


@pytest.mark.parametrize("bits", [1, 33])
def test_a_width_out_of_range_is_refused(bits):
    with pytest.raises(ValueError, match=rf"^neuron 'doubled': bits is {bits}; it must be between 2 and 32$"):
        Doubled(bits=bits)
