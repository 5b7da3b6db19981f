"""Simulation of Diehl-Cook networks with STDP, at full precision and quantized.

Two engines give the same bits: ``torch``, which is always there, and ``native``, which is compiled on first use.
"""

from __future__ import annotations

import sys
from typing import Literal

from spikequant.errors import BackendError, UsageError
from spikequant_stdp.engine.contract import Candidate, Engine, Progress, Recorded, Training
from spikequant_stdp.engine.parameters import Formats, Parameters, State
from spikequant_stdp.engine.quantize import quantized_theta, quantized_weights
from spikequant_stdp.engine.torch_engine import TorchEngine

__all__ = [
    "Candidate",
    "Engine",
    "Formats",
    "Parameters",
    "Progress",
    "Recorded",
    "State",
    "TorchEngine",
    "Training",
    "engine",
    "quantized_theta",
    "quantized_weights",
]
_warned: set[str] = set()


def engine(name: Literal["auto", "native", "torch"] = "auto") -> Engine:
    """Return an engine by name; ``auto`` is native where it can be built, else torch with one line on stderr.

    Raises:
        UsageError: There is no such engine.
        BackendError: ``native`` was asked for and cannot be built.

    >>> engine("torch").name
    'torch'
    """
    if name not in ("auto", "native", "torch"):
        raise UsageError(f"engine is {name!r}; it must be one of auto, native, torch")
    if name == "torch":
        return TorchEngine()
    from spikequant_stdp.engine.native import NativeEngine

    if name == "native":
        return NativeEngine()
    try:
        return NativeEngine()
    except BackendError as error:
        _warn(f"spikequant: the native engine is missing, torch does the same slower: {error}")
        return TorchEngine()


def _warn(line: str) -> None:
    if line not in _warned:
        _warned.add(line)
        print(line, file=sys.stderr)
