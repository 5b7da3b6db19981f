"""The embedded digits and their split."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from spikequant.hookspecs import hookimpl
from spikequant_datasets import Digits, spikequant_datasets
from spikequant_datasets.digits import split_indices


def test_the_plugin_offers_four_sets():
    assert [offered.name for offered in spikequant_datasets()] == ["digits", "mnist", "fashion-mnist", "cifar10"]
    assert hasattr(spikequant_datasets, f"{hookimpl.project_name}_impl")


@pytest.mark.parametrize(("split", "count"), [("train", 1437), ("test", 360)])
def test_a_split_has_its_documented_size_and_range(split, count):
    data = Digits().load(split, ())
    assert data.x.shape == (count, *Digits.shape)
    assert data.x.dtype == np.uint8
    assert data.y.dtype == np.int64
    assert (data.x.min(), data.x.max()) == (0, Digits.peak)
    assert data.x.max() < 2**Digits.bits


def test_the_splits_share_no_sample_and_miss_none():
    labels = load_digits().target.astype(np.int64)
    train, test = split_indices(labels, "train"), split_indices(labels, "test")
    assert sorted([*train, *test]) == list(range(1797))


def test_each_class_gives_a_fifth_to_the_test_split():
    counts = np.bincount(Digits().load("test", ()).y)
    assert counts.tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]
    every = np.bincount(load_digits().target)
    assert (np.abs(counts - every / 5) < 1).all()


def test_the_split_is_the_documented_one():
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], np.int64)
    keys = [hashlib.sha256(f"spikequant digits split 1 {number}".encode()).hexdigest() for number in range(10)]
    evens = sorted(range(0, 10, 2), key=keys.__getitem__)
    odds = sorted(range(1, 10, 2), key=keys.__getitem__)
    assert set(split_indices(labels, "test").tolist()) == {evens[0], odds[0]}


def test_the_first_samples_never_change():
    assert Digits().load("test", ()).y[:20].tolist() == [7, 4, 0, 2, 1, 5, 3, 2, 8, 0, 7, 6, 9, 4, 9, 3, 1, 5, 6, 3]


def test_pixels_are_those_of_scikit_learn():
    source = load_digits()
    chosen = split_indices(source.target.astype(np.int64), "test")
    assert np.array_equal(Digits().load("test", ()).x[:, 0], source.images[chosen])
