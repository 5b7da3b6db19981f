"""How the selectors of this package put a candidate into words."""

from __future__ import annotations

from spikequant import Candidate


def described(candidate: Candidate) -> str:
    """Return label, accuracy and memory.

    >>> described(Candidate("W(Q1.6)", accuracy=0.8627, memory_bits=2_560_000, reference_bits=10_086_400))
    'W(Q1.6): accuracy 86.27 % in 0.2538 of FP32'
    """
    return f"{candidate.label}: accuracy {100 * candidate.accuracy:.2f} % in {candidate.memory_norm:.4f} of FP32"
