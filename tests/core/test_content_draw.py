"""The draw made from a tensor's values: equal for equal values, whatever holds them, and another for others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikequant.content_draw import content_draw, content_key
from spikequant.counter_rng import mix, mixed

X = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6))
def test_the_finalizer_of_tensors_is_that_of_integers(words):
    signed = torch.tensor([word - 2**64 if word >> 63 else word for word in words])
    assert [code % 2**64 for code in mixed(signed).tolist()] == [mix(word) for word in words]


def test_the_draw_follows_its_definition():
    """0.5 is 0x3FE0... in float64; its place is 1."""
    word = 0x3FE0_0000_0000_0000
    assert content_draw(torch.tensor([0.5])) == mix(mix(word ^ mix(1))) >> 1


@pytest.mark.parametrize(
    "same",
    [X.clone(), X.double(), X.to(memory_format=torch.channels_last), X.flatten(), X.clone().requires_grad_()],
    ids=["copy", "float64", "channels_last", "flat", "learning"],
)
def test_equal_values_in_equal_order_have_the_same_draw(same):
    assert content_draw(same) == content_draw(X)


def test_both_zeros_are_one_value():
    assert content_draw(torch.zeros(3)) == content_draw(-torch.zeros(3))


def test_threads_do_not_matter():
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    draws = set()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            draws.add(content_draw(x))
    finally:
        torch.set_num_threads(before)
    assert len(draws) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_has_the_draw_of_the_cpu():
    assert content_draw(X.cuda()) == content_draw(X)


def test_any_change_gives_another_draw():
    draws = {content_draw(X), content_draw(X[:-1]), content_draw(X.flip(0)), content_draw(-X)}
    for index in range(X.numel()):
        changed = X.clone().flatten()
        changed[index] = torch.nextafter(changed[index], torch.tensor(9.0))
        draws.add(content_draw(changed))
    assert len(draws) == 4 + X.numel()
    assert all(0 <= draw < 2**63 for draw in draws)


def test_a_longer_row_of_zeros_is_another_tensor():
    assert len({content_draw(torch.zeros(n)) for n in range(50)}) == 50


def test_the_key_names_seed_and_tensor():
    key = content_key(7, "w", X)
    assert (key.seed, key.tensor, key.draw, key.first) == (7, "w", content_draw(X), 0)
