"""From samples of a data set to what a program's input node takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.errors import UsageError
from spikequant.files import reason
from spikequant.program import IntArray, Program, integers
from spikequant.rate_coding import RateCoding

CODING_KEY = "rate_coding"
"""Key of a program's provenance under which it keeps the coding of its spikes, as JSON text."""


DATA_OPTIONS_KEY = "data_options"
"""Key of a program's provenance under which it keeps the options of its data set, as JSON text."""


def data_options(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the data set that a program was trained on; none where it names none.

    Raises:
        UsageError: The entry is damaged.
    """
    text = provenance.get(DATA_OPTIONS_KEY, "{}")
    try:
        options = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"the program's '{DATA_OPTIONS_KEY}' is damaged: {reason(error)}; export the model again"
        ) from error
    if not isinstance(options, dict):
        raise UsageError(f"the program's '{DATA_OPTIONS_KEY}' is damaged: it is no table; export the model again")
    return options


def coded(coding: RateCoding) -> dict[str, str]:
    """Return the entry of a program's provenance that says how its input spikes were made."""
    return {CODING_KEY: json.dumps(coding.to_json())}


def program_inputs(program: Program, x: IntArray) -> IntArray:
    """Return what the program takes for samples ``x``.

    A ``direct`` input takes the samples as they are; one that is flat takes them in C order. A ``per_step`` input
    takes spikes or counts. If the program names a rate coding, that makes spikes of the samples, and they arrive one
    timestep after they were sent, so that nothing arrives at the first. Otherwise samples are frames, one per timestep,
    and frame t arrives at t; a frame of as many elements as the input is laid out as the input's shape, such as
    ``(channels, length)`` for ``(channels, 1, length)``.

    Args:
        program: With one input node.
        x: Samples as stored in the data set, ``(batch, *sample)``; frames ``(batch, timesteps, *shape)``.

    Returns:
        ``x``, or spikes or counts ``(timesteps, batch, *shape)``.

    Raises:
        UsageError: A ``per_step`` program does not say how its spikes are made, or samples are not what it takes.
    """
    node = program.input
    if node.coding == "direct":
        flat = len(node.shape) == 1 < x.ndim - 1 and math.prod(x.shape[1:]) == node.shape[0]
        return x.reshape(len(x), -1) if flat else x
    text = program.provenance.get(CODING_KEY)
    if not isinstance(text, str):
        if x.shape[1:2] == (program.timesteps,) and math.prod(x.shape[2:]) == math.prod(node.shape):
            return np.moveaxis(x, 0, 1).reshape(program.timesteps, len(x), *node.shape)
        raise UsageError(
            f"input '{node.name}' takes spikes per timestep, and the program does not say how to make them from"
            f" samples (no '{CODING_KEY}' in its provenance); give it spikes of shape"
            f" ({program.timesteps}, batch, {', '.join(map(str, node.shape))}), or samples of"
            f" {program.timesteps} frames of shape {node.shape}"
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
