"""The baseline neuron of vanilla uniform quantization, by hand-computed integers."""

import re

import numpy as np
import pytest
import torch

from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint.uq_lif import UqLif

QUARTER = torch.tensor([0.25])


def test_the_multiplier_is_the_ratio_of_scales_in_16_fraction_bits():
    """Four bits, clip = v_th = 1: one code of U is 1/7, so one code of X = 1/4 is 7/4 of it."""
    node = UqLif(bits=4).lower("cell", QUARTER, (1,))
    assert isinstance(node, ScaledLif)
    assert (node.multiplier.tolist(), node.fraction, node.leak_shift, node.u_bits) == ([7 * 2**14], 16, 1, 4)


def test_the_potentials_scale_is_learned():
    neuron = UqLif(bits=4)
    with torch.no_grad():
        neuron.log_clip += torch.log(torch.tensor(2.0))
    (multiplier,) = neuron.lower("cell", QUARTER, (1,)).multiplier.tolist()
    assert abs(multiplier - 7 * 2**13) <= 1
    s, _ = neuron.integer_step(torch.tensor([[5.0]]), torch.zeros(1, 1), QUARTER)
    s.sum().backward()
    assert neuron.log_clip.grad.item() != 0


def test_a_code_of_the_potential_has_a_size_of_its_own_whatever_the_weights():
    neuron = UqLif(bits=8, v_th=2.0)
    for lsb in (0.01, 0.5):
        assert neuron.potential_lsb(torch.tensor([lsb])).item() == pytest.approx(2.0 / 127, rel=1e-6)  # float32 log


@pytest.mark.parametrize(("lsb", "multiplier"), [(1e-9, 1), (1e9, 2**24 - 1)])
def test_the_multiplier_keeps_to_24_bits(lsb, multiplier):
    assert UqLif(bits=4).lower("cell", torch.tensor([lsb]), (1,)).multiplier.tolist() == [multiplier]


def test_integer_steps():
    """X = 2 is 3.5 codes of U and rounds up to 4; then 3.5 + 4/2 = 5.5 rounds up to 6; then 6.5 to 7; 7 stays."""
    neuron, u, potentials = UqLif(bits=4), torch.zeros(1, 1), []
    node, stored = neuron.lower("cell", QUARTER, (1,)), np.zeros((1, 1), np.int64)
    for x in (2, 2, 2, 2, -20):
        s, u = neuron.integer_step(torch.tensor([[float(x)]]), u, QUARTER)
        fired, stored, _ = node.step(np.array([[x]]), stored)
        assert (s.item(), u.item()) == (fired.item(), stored.item()) == (0, u.item())
        potentials.append(int(u.item()))
    assert potentials == [4, 6, 7, 7, -7]


@pytest.mark.parametrize(("x", "strict", "fires"), [(3, False, 0), (4, False, 1), (5, True, 1), (5, False, 1)])
def test_the_threshold_is_in_the_products_unit(x, strict, fires):
    s, _ = UqLif(bits=4, strict=strict).integer_step(torch.tensor([[float(x)]]), torch.zeros(1, 1), QUARTER)
    assert s.item() == fires


def test_every_update_is_billed_a_32_bit_multiply():
    operations = UqLif(bits=4).lower("cell", QUARTER, (1,)).operations(8)
    assert [(o.bits, o.count) for o in operations if o.name == "multiply"] == [(32, 1)]


@pytest.mark.parametrize("shift", [0, 9])
def test_a_leak_out_of_range_is_refused(shift):
    with pytest.raises(ValueError, match=rf"^neuron 'uq-lif': leak_shift is {shift}; it must be between 1 and 8$"):
        UqLif(leak_shift=shift)


@pytest.mark.parametrize("v_th", [1e-7, 1e7, float("inf"), float("nan")])
def test_a_threshold_out_of_range_is_refused(v_th):
    with pytest.raises(ValueError, match=rf"^neuron 'uq-lif': v_th is {re.escape(str(v_th))}; it must be between .*$"):
        UqLif(v_th=v_th)
