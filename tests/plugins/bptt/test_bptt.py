"""The bundled learner keeps the contract of learners."""

import re

import numpy as np
import pytest
import spikequant_bptt
import torch
from spikequant_bptt.learner import Bptt

from spikequant.testing import learner_checks


@learner_checks(Bptt(), Bptt(lr=0.02, batch_size=7, weight_decay=0.1, shift=1))
def test_contract(learner, check):
    check(learner)


def test_hook_offers_the_class():
    assert spikequant_bptt.spikequant_learners() == [Bptt]
