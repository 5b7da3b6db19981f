"""Surrogate-gradient backpropagation through time."""

from spikequant import Learner, hookimpl
from spikequant_bptt.learner import Bptt


@hookimpl
def spikequant_learners() -> list[type[Learner]]:
    """Offer the learner."""
    return [Bptt]
