"""From samples of a data set to what a program's input node takes."""

from __future__ import annotations

import json
import math

import numpy as np

from spikequant.errors import UsageError
from spikequant.files import reason
from spikequant.program import IntArray, Program, integers
from spikequant.rate_coding import RateCoding

CODING_KEY = "rate_coding"
"""Key of a program's provenance under which it keeps the coding of its spikes, as JSON text."""


def coded(coding: RateCoding) -> dict[str, str]:
    """Return the entry of a program's provenance that says how its input spikes were made."""
    return {CODING_KEY: json.dumps(coding.to_json())}


def program_inputs(program: Program, x: IntArray) -> IntArray:
    """Return what the program takes for samples ``x``.

    A ``direct`` input takes the samples as they are. A ``per_step`` input takes spikes: they are made by the
    rate coding that the program names, and arrive one timestep after they were sent, so that nothing
    arrives at the first.

    Args:
        program: With one input node.
        x: Samples as stored in the data set, ``(batch, *sample)``.

    Returns:
        ``x``, or spikes ``(timesteps, batch, *shape)``.

    Raises:
        UsageError: A ``per_step`` program does not say how its spikes are made, or samples are not what it takes.
    """
    node = program.input
    if node.coding == "direct":
        return x
    text = program.provenance.get(CODING_KEY)
    if not isinstance(text, str):
        raise UsageError(
            f"input '{node.name}' takes spikes per timestep, and the program does not say how to make them from"
            f" samples (no '{CODING_KEY}' in its provenance); give it spikes of shape"
            f" ({program.timesteps}, batch, {', '.join(map(str, node.shape))})"
        )
    coding = _coding(text)
    if math.prod(x.shape[1:]) != math.prod(node.shape):
        raise UsageError(f"samples have the shape {x.shape[1:]}; input '{node.name}' takes {node.shape}")
    sent = integers(coding.spikes(x, program.timesteps)).reshape(program.timesteps, len(x), *node.shape)
    arriving = np.zeros_like(sent)
    arriving[1:] = sent[:-1]
    return arriving


def _coding(text: str) -> RateCoding:
    try:
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise UsageError("it is no table")
        return RateCoding.from_json(fields)
    except (ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"the program's '{CODING_KEY}' is damaged: {reason(error)}; export the model again") from error
