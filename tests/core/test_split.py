"""A split holds as many labels as samples."""

import numpy as np
import pytest

from spikequant import Split
from spikequant.errors import ContractError


def test_a_label_too_few_is_refused_before_anything_is_trained_on_it():
    with pytest.raises(
        ContractError, match=r"^a split has 3 samples and 2 labels; a data set gives one label per sample$"
    ):
        Split(np.zeros((3, 2), np.uint8), np.zeros(2, np.int64))


def test_the_head_has_its_labels():
    head = Split(np.arange(6).reshape(3, 2), np.array([0, 1, 2])).head(2)
    assert (head.x.tolist(), head.y.tolist()) == ([[0, 1], [2, 3]], [0, 1])
