"""The fused steps are the single steps: spikes with ==, gradients to float rounding."""

from __future__ import annotations

import itertools

import pytest
import torch

from spikequant import LifNeuron
from spikequant.program import Leak, Reset

LEAKS = (Leak(), Leak.by_shift(1), Leak.by_shift(2, "toward_zero"), Leak("multiply", 3, 5, "nearest"))
RESETS = (Reset(), Reset("subtract"), Reset("value", -2))
RULES = list(itertools.product(LEAKS, ("leak_on_read", "leak_on_store"), RESETS, ("symmetric", "saturate", "wrap")))


class Free(LifNeuron):
    name = "free"


def _neuron(leak, order, reset, overflow):
    neuron = Free(bits=4, v_th=1.3)
    neuron.leak, neuron.order, neuron.reset, neuron.overflow = leak, order, reset, overflow
    return neuron


def _inputs(static, seed=0):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randint(-9, 10, (1 if static else 6, 4, 5, 3), generator=draw).float().requires_grad_()
    lsb = (0.1 + torch.rand((1, 5, 1), generator=draw)).requires_grad_()
    return x, lsb, torch.rand((6, 4, 5, 3), generator=draw)


def _single_steps(neuron, x, lsb):
    u, spikes = torch.zeros_like(x[0]), []
    for t in range(6):
        s, u = neuron.integer_step(x[t if len(x) > 1 else 0], u, lsb)
        spikes.append(s)
    return torch.stack(spikes)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("rules", RULES, ids=str)
def test_fused_steps_equal_single_steps(rules, static):
    neuron = _neuron(*rules)
    outcomes = []
    for run in (lambda x, lsb: neuron.integer_run(x, lsb, 6), lambda x, lsb: _single_steps(neuron, x, lsb)):
        x, lsb, weights = _inputs(static)
        spikes = run(x, lsb)
        (spikes * weights).sum().backward()
        outcomes.append((spikes.detach(), x.grad, lsb.grad))
    (spikes, to_x, to_lsb), (expected, expected_x, expected_lsb) = outcomes
    assert torch.equal(spikes, expected)
    assert 0 < spikes.mean() < 1
    assert expected_lsb.abs().sum() > 0
    # Gradients are real numbers added in another order; 1e-4 is far above float32's rounding of 360 terms.
    torch.testing.assert_close(to_x, expected_x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(to_lsb, expected_lsb, rtol=1e-4, atol=1e-3)


def test_potentials_stay_within_the_register():
    neuron = _neuron(Leak.by_shift(1), "leak_on_read", Reset(), "symmetric")
    x, lsb, _ = _inputs(static=False)
    u = torch.zeros_like(x[0])
    for t in range(6):
        _, u = neuron.integer_step(x[t] * 5, u, lsb)
        assert u.abs().max() <= 7
        assert torch.equal(u, u.round())
