"""The 1,797 real 8x8 digits that come with scikit-learn: no file, no network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikequant import Dataset, Split
from spikequant.dataset import SplitName

SPLIT_KEY = "spikequant digits split 1"
TEST_EVERY = 5


class Digits(Dataset):
    """Handwritten digits 0-9 of the UCI optical recognition set, as scikit-learn embeds them; values 0..16."""

    name = "digits"
    summary = "1,797 handwritten digits, 8x8, embedded in scikit-learn: 1,437 train, 360 test"
    shape = (1, 8, 8)
    classes = 10
    bits = 5
    peak = 16

    def load(self, split: SplitName, folders: tuple[Path, ...]) -> Split:
        """Return one split as uint8 ``(samples, 1, 8, 8)``; ``folders`` are not looked at."""
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        y = labels.astype(np.int64)
        chosen = split_indices(y, split)
        return Split(pixels[chosen].astype(np.uint8).reshape(-1, *self.shape), y[chosen])


def split_indices(labels: NDArray[np.int64], split: SplitName) -> NDArray[np.int64]:
    """Return the samples of a split, in its order: fixed for ever, and stratified.

    Each sample gets the key SHA-256(``SPLIT_KEY`` + space + its number). With the samples sorted by label, then
    key, every fifth (the first, sixth, ...) is a test sample: so each class gives a fifth, within one sample.
    A split is ordered by key alone, so that its first samples are of all classes.

    >>> split_indices(np.zeros(10, np.int64), "test")
    array([9, 5])
    """
    keys = [hashlib.sha256(f"{SPLIT_KEY} {number}".encode()).digest() for number in range(len(labels))]
    by_class = sorted(range(len(labels)), key=lambda number: (labels[number], keys[number]))
    test = set(by_class[::TEST_EVERY])
    by_key = sorted(range(len(labels)), key=keys.__getitem__)
    return np.array([number for number in by_key if (number in test) == (split == "test")], np.int64)
