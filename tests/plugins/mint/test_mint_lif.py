"""MINT's neuron by hand-computed integers: threshold, leak, reset, saturation, order."""

import math

import numpy as np
import pytest
import torch

from spikequant_mint.mint_lif import MintLif

QUARTER = torch.tensor([0.25])


def steps(neuron, inputs, lsb=QUARTER):
    """Run one neuron; return its spikes and potentials, checked against the lowered node's."""
    node = neuron.lower("cell", lsb, (1,))
    u, stored = torch.zeros(1, 1), np.zeros((1, 1), np.int64)
    spikes, potentials = [], []
    for x in inputs:
        s, u = neuron.integer_step(torch.tensor([[float(x)]]), u, lsb)
        fired, stored, _ = node.step(np.array([[x]]), stored)
        assert (s.item(), u.item()) == (fired.item(), stored.item())
        spikes.append(int(s.item()))
        potentials.append(int(u.item()))
    return spikes, potentials


@pytest.mark.parametrize(
    ("lsb", "strict", "theta"),
    [
        (0.25, True, 5),  # 1 / 0.25 is whole: h > 1 needs five codes, h >= 1 needs four
        (0.25, False, 4),
        (0.3, True, 4),  # not whole: both need four
        (0.3, False, 4),
        (1.0, True, 2),
        (1.0, False, 1),
        (2.0**-20, True, 2**20 + 1),
        (2.0**-20, False, 2**20),
        (2.0, True, 1),
        (2.0, False, 1),
        (1e-9, True, 2**23 - 1),  # out of every accumulator's reach
    ],
)
def test_a_strict_threshold_differs_exactly_where_the_quotient_is_whole(lsb, strict, theta):
    node = MintLif(v_th=1.0, strict=strict).lower("cell", torch.tensor([lsb]), (1,))
    assert node.theta.tolist() == [theta]


def test_the_threshold_is_one_per_channel():
    node = MintLif(v_th=0.5).lower("cell", torch.tensor([0.25, 0.125, 0.2]), (3, 2, 2))
    assert node.theta.tolist() == [3, 5, 3]
    assert node.lsb.tolist() == [0.25, 0.125, pytest.approx(0.2)]


@pytest.mark.parametrize(
    ("options", "spikes", "potentials"),
    [
        ({}, [0, 0, 1, 0, 0], [3, 4, 0, -7, -5]),
        ({"strict": False}, [0, 1, 0, 0, 0], [3, 0, 3, -7, -5]),
        ({"leak_rounding": "toward_zero"}, [0, 0, 1, 0, 0], [3, 4, 0, -7, -4]),
        ({"leak_rounding": "nearest"}, [0, 1, 0, 0, 0], [3, 0, 3, -7, -4]),
        ({"leak_shift": 2}, [0, 0, 0, 0, 0], [3, 3, 3, -7, -3]),
        ({"leak_shift": 0}, [0, 1, 0, 0, 0], [3, 0, 3, -7, -7]),
        ({"order": "leak_on_store"}, [0, 0, 1, 0, 0], [1, 2, 0, -7, -4]),
        ({"leak_shift": 0, "reset": "subtract"}, [0, 1, 0, 0, 0], [3, 1, 4, -7, -7]),
    ],
)
def test_algorithm_1_and_its_options(options, spikes, potentials):
    """Four bits, theta 5 (4 if not strict): inputs 3, 3, 3, -20, -1. The potential saturates at -7."""
    assert steps(MintLif(bits=4, **options), [3, 3, 3, -20, -1]) == (spikes, potentials)


def test_reset_to_zero_forgets_and_subtraction_keeps_the_rest():
    assert steps(MintLif(bits=4), [9, 0]) == ([1, 0], [0, 0])
    assert steps(MintLif(bits=4, reset="subtract"), [9, 0]) == ([1, 0], [4, 2])
    assert steps(MintLif(bits=4, reset="subtract"), [20, 0]) == ([1, 0], [7, 3])


def test_saturation_is_symmetric():
    assert steps(MintLif(bits=2), [-9, 0, 1], lsb=torch.tensor([0.01])) == ([0, 0, 0], [-1, -1, 0])
    assert MintLif(bits=8).lower("cell", QUARTER, (1,)).potential_limits == (-127, 127)


def test_the_real_step_is_the_same_dynamics_without_rounding():
    x = torch.tensor([[0.75]])
    for neuron, potentials in (
        (MintLif(), [0.75, 0.0, 0.75]),
        (MintLif(strict=False, v_th=1.125), [0.75, 0.0, 0.75]),
        (MintLif(v_th=1.125), [0.75, 1.125, 0.0]),
        (MintLif(order="leak_on_store"), [0.375, 0.0, 0.375]),
        (MintLif(reset="subtract", strict=False), [0.75, 0.125, 0.8125]),
    ):
        u, seen = torch.zeros(1, 1), []
        for _ in potentials:
            _, u = neuron.float_step(x, u)
            seen.append(u.item())
        assert seen == potentials


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 1}, r"^neuron 'mint-lif': bits is 1; it must be between 2 and 32$"),
        ({"v_th": 0.0}, r"^neuron 'mint-lif': v_th is 0.0; it must be positive$"),
        ({"v_th": 0.9e-6}, r"^neuron 'mint-lif': v_th is 9e-07; it must be between 1e-06 and 1,000,000$"),
        ({"v_th": 1.1e6}, r"^neuron 'mint-lif': v_th is 1100000.0; it must be between 1e-06 and 1,000,000$"),
        ({"v_th": math.inf}, r"^neuron 'mint-lif': v_th is inf; it must be between 1e-06 and 1,000,000$"),
        ({"v_th": math.nan}, r"^neuron 'mint-lif': v_th is nan; it must be between 1e-06 and 1,000,000$"),
        ({"leak_shift": 16}, r"^neuron 'mint-lif': leak_shift is 16; it must be between 0 and 15$"),
        (
            {"leak_rounding": "up"},
            r"^neuron 'mint-lif': leak_rounding is 'up'; it must be one of floor, toward_zero, nearest$",
        ),
        ({"order": "never"}, r"^neuron 'mint-lif': order is 'never'; it must be one of leak_on_read, leak_on_store$"),
        ({"reset": "value"}, r"^neuron 'mint-lif': reset is 'value'; it must be one of zero, subtract$"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MintLif(**options)
