"""A fixed split of a set that has none of its own."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from spikequant.dataset import SplitName

TEST_EVERY = 5


def stratified(labels: NDArray[np.int64], split: SplitName, key: str) -> NDArray[np.int64]:
    """Return the samples of a split, in its order: fixed for ever, and stratified.

    Sample number n gets the key SHA-256(``key`` + space + n). With the samples sorted by label, then key, every
    fifth (the first, sixth, ...) is a test sample: each class gives a fifth, within one sample. A split is
    ordered by key alone, so that its first samples are of all classes.

    >>> stratified(np.zeros(10, np.int64), "test", "an example")
    array([0, 5])
    """
    keys = [hashlib.sha256(f"{key} {number}".encode()).digest() for number in range(len(labels))]
    by_class = sorted(range(len(labels)), key=lambda number: (labels[number], keys[number]))
    test = set(by_class[::TEST_EVERY])
    by_key = sorted(range(len(labels)), key=keys.__getitem__)
    return np.array([number for number in by_key if (number in test) == (split == "test")], np.int64)
