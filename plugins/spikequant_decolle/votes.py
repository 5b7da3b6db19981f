"""From the last layer's spikes to a class."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Decode = Literal["mode", "sum"]


def scores(spikes: Tensor, codes: Tensor) -> Tensor:
    """Return the readout of each timestep in readout codes, ``(steps, batch, classes)``: whole numbers.

    Exact in float32: 127 times the number of spikes stays below 2**24 up to 132,000 neurons.

    Args:
        spikes: ``(steps, batch, features)`` in {0, 1}.
        codes: ``(classes, features)``.
    """
    exact = torch.float32 if codes.shape[1] < 1 << 17 else torch.float64
    return F.linear(spikes.to(exact), codes.to(exact))


def counted(score: Tensor, decode: Decode, burn_in: int, start: int = 0) -> Tensor:
    """Return what each timestep adds to the program's readout, int64 ``(steps, batch, classes)``.

    ``mode``: a vote for the best score, the lowest class of a tie, from timestep ``burn_in`` on; the class with
    the most votes is the mode over time. ``sum``: the scores themselves.

    Args:
        score: Of :func:`scores`.
        decode: The rule.
        burn_in: Timesteps without a vote.
        start: Number of the first timestep.
    """
    if decode == "sum":
        return score.to(torch.int64)
    votes = F.one_hot(score.argmax(-1), score.shape[-1])
    votes[: max(burn_in - start, 0)] = 0
    return votes
