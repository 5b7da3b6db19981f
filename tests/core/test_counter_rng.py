"""Counter-based random numbers: the published generator, the same bits everywhere, no order."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikequant.counter_rng import RandomKey, mix, uniforms
from spikequant.errors import UsageError

keys = st.builds(
    RandomKey,
    st.integers(-(2**70), 2**70),
    st.text(max_size=8),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
)


def reference(key: RandomKey, element: int) -> float:
    """The definition in Python's unbounded integers."""
    state = (key.stream + 0x9E3779B97F4A7C15 * (element + key.first + 1)) % 2**64
    return (mix(state) >> 11) / 2**53


def test_mix_gives_the_published_outputs_of_splitmix64_seeded_with_0():
    gamma = 0x9E3779B97F4A7C15
    outputs = [mix(gamma * (i + 1) % 2**64) for i in range(3)]
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@given(keys, st.lists(st.integers(0, 2**48), max_size=20))
def test_numpy_and_torch_give_the_bits_of_the_definition(key, elements):
    expected = [reference(key, element) for element in elements]
    assert uniforms(key, np.array(elements, dtype=np.int64)).tolist() == expected
    assert uniforms(key, torch.tensor(elements, dtype=torch.int64)).tolist() == expected


def test_known_numbers_never_change():
    numbers = uniforms(RandomKey(7, "fc1", 3), np.arange(3)) * 2**53
    assert numbers.astype(np.int64).tolist() == [4744636995215373, 3887600824757313, 1785607256029750]


def test_numbers_do_not_depend_on_order_shape_or_split():
    key = RandomKey(1, "w", 5)
    whole = uniforms(key, np.arange(1000))
    order = np.random.default_rng(0).permutation(1000)
    assert np.array_equal(uniforms(key, order), whole[order])
    assert np.array_equal(uniforms(key, np.arange(1000).reshape(10, 100)), whole.reshape(10, 100))
    parts = [uniforms(key.at(start), np.arange(250)) for start in range(0, 1000, 250)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_one_scalar_index_gives_its_number():
    key = RandomKey(1, "w")
    assert float(uniforms(key, np.array(4))) == float(uniforms(key, torch.tensor(4))) == reference(key, 4)


@pytest.mark.parametrize(
    "other", [RandomKey(2, "w", 5), RandomKey(1, "v", 5), RandomKey(1, "w", 6)], ids=["seed", "tensor", "draw"]
)
def test_each_part_of_the_key_gives_other_numbers(other):
    elements = np.arange(10_000)
    a, b = uniforms(RandomKey(1, "w", 5), elements), uniforms(other, elements)
    assert not np.any(a == b)
    # The correlation of n independent pairs has standard deviation 1 / sqrt(n); five of them are allowed.
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(len(elements))


def test_numbers_are_uniform_in_0_to_1():
    drawn = uniforms(RandomKey(3, "w"), np.arange(1 << 18))
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    observed, _ = np.histogram(drawn, bins=256, range=(0, 1))
    expected = (1 << 18) / 256
    chi_square = float(((observed - expected) ** 2 / expected).sum())
    # 255 degrees of freedom: mean 255, standard deviation sqrt(510); six of them are allowed.
    assert abs(chi_square - 255) < 6 * math.sqrt(510)


def test_neighbours_are_uncorrelated():
    drawn = uniforms(RandomKey(3, "w"), np.arange(1 << 16))
    for lag in (1, 2, 784):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 5 / math.sqrt(len(drawn) - lag)


def test_a_negative_draw_is_refused():
    with pytest.raises(UsageError, match=r"^random key for 'w' has draw -1 and first 0; both must be at least 0$"):
        RandomKey(0, "w", -1)


@pytest.mark.parametrize("elements", [np.arange(3, dtype=np.int32), torch.arange(3, dtype=torch.int32)])
def test_indices_that_are_not_int64_are_refused(elements):
    with pytest.raises(TypeError, match=r"^element indices are (torch\.)?int32; they must be int64$"):
        uniforms(RandomKey(0, "w"), elements)
