"""Whole numbers forward, the stated gradients backward."""

import pytest
import torch

from spikequant.gradients import rounded, scale_gradient, spike, straight_through, straight_through_codes


def test_straight_through_is_exact_where_the_usual_trick_is_not():
    smooth, exact = torch.tensor(1e8), torch.tensor(3.0)
    assert (smooth + (exact - smooth)).item() == 0.0
    assert straight_through(smooth, exact).item() == 3.0


def test_straight_through_sends_the_gradient_to_the_smooth_value_alone():
    smooth, exact = torch.tensor(0.3, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    (7 * straight_through(smooth, exact)).backward()
    assert smooth.grad.item() == 7
    assert exact.grad is None


def test_straight_through_returns_a_copy():
    exact = torch.zeros(2)
    straight_through(torch.ones(2), exact).add_(5)
    assert exact.tolist() == [0, 0]


def test_halves_round_up_and_numbers_just_below_do_not():
    below = torch.nextafter(torch.tensor(0.5), torch.tensor(0.0)).item()
    x = torch.tensor([0.5, -0.5, 1.5, 2.5, -1.5, below, -below, 2.0])
    assert rounded(x).tolist() == [1, 0, 2, 3, -1, 0, 0, 2]


def test_rounding_passes_the_gradient():
    x = torch.tensor([0.2, 0.7], requires_grad=True)
    (rounded(x) * torch.tensor([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [2, 3]


def test_a_scaled_gradient_leaves_the_value():
    x = torch.tensor(0.1, requires_grad=True)
    y = scale_gradient(x, 0.25)
    (4 * y).backward()
    assert y.item() == x.item()
    assert x.grad.item() == 1.0


def test_codes_have_the_gradient_of_the_clamped_ratio():
    x = torch.tensor([-4.0, -1.0, 0.25, 1.5, 2.0], requires_grad=True)
    scale = torch.tensor(0.5, requires_grad=True)
    straight_through_codes(x, scale, torch.tensor([-3, -2, 1, 3, 3]), (-3, 3)).sum().backward()
    assert x.grad.tolist() == [0, 2, 2, 2, 0]
    assert scale.grad.item() == -(-1.0 + 0.25 + 1.5) / 0.25


def test_codes_sum_the_gradient_over_what_shares_a_scale():
    x = torch.ones(2, 3, requires_grad=True)
    scale = torch.tensor([[0.5], [0.25]], requires_grad=True)
    straight_through_codes(x, scale, torch.zeros(2, 3, dtype=torch.int32), (-7, 7)).sum().backward()
    assert scale.grad.tolist() == [[-3 / 0.25], [-3 / 0.0625]]


def test_a_spike_needs_theta_or_more():
    h, theta = torch.tensor([4.0, 5.0, 6.0]), torch.tensor(5.0)
    assert spike(h, torch.tensor(0.25), theta, 1.0).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("h", "slope"),
    [(0.0, 0.0), (-3.0, 0.0), (1.0, 0.125), (2.0, 0.25), (4.0, 0.5), (6.0, 0.25), (8.0, 0.0), (9.0, 0.0)],
)
def test_the_surrogate_is_a_triangle_around_the_threshold(h, slope):
    """lsb 1/2 and v_th = 2: the real potential is h/2; slope (1 - |h/2 - 2| / 2) / 2 per real unit."""
    given, lsb = torch.tensor([h], requires_grad=True), torch.tensor([0.5], requires_grad=True)
    spike(given, lsb, torch.tensor(5.0), 2.0).sum().backward()
    assert given.grad.item() == slope * 0.5
    assert lsb.grad.item() == slope * h


def test_the_unit_gets_the_sum_over_what_shares_it():
    h, lsb = torch.full((3, 2), 4.0), torch.tensor([[0.25, 0.5]], requires_grad=True)
    spike(h, lsb, torch.tensor(5.0), 1.0).sum().backward()
    assert lsb.grad.tolist() == [[12.0, 0.0]]
