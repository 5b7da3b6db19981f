"""What a program's neuron asks of stock LIF, in one form for all kinds; or why stock LIF cannot be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikequant.program import IntArray, Lif, SpikingNode

HOOK = "stock_lif"
"""Method of a plugin's kind that says this of a node; see docs/lava.md."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Wanted:
    """One step: ``I = R(i_keep I) + x 2**input_shift; V = R(keep V) + I + bias; S = [V >= theta]; V = 0 where S``.

    R rounds after dividing by ``2**decay_bits``. Registers and their clamps are not part of this: the oracle
    counts when they act.

    Attributes:
        keep: ``2**decay_bits`` is no leak.
        i_keep: ``None`` for a kind without current: then I is the input.
        rounding: ``floor``, ``toward_zero`` or ``nearest``.
        theta: Scalar, per channel or per neuron, as in the node.
        bias: Likewise, in V's units, or none.
        stores_leaked: Whether what the node stores has leaked already.
    """

    keep: IntArray
    decay_bits: int
    rounding: str
    theta: IntArray
    i_keep: IntArray | None = None
    input_shift: int = 0
    bias: IntArray | None = None
    stores_leaked: bool = False


def wanted_of(node: SpikingNode) -> Wanted | str:
    """Return what ``node`` asks for, or the reason why stock LIF cannot give it."""
    if type(node) is Lif:
        return _of_lif(node)
    hook: Any = getattr(type(node), HOOK, None)
    if hook is None:
        return f"kind {node.kind} does not say how stock LIF would run it; its class may, in a method {HOOK}()"
    said = hook(node)
    return said if isinstance(said, str) else Wanted(**said)


def _of_lif(node: Lif) -> Wanted | str:
    leak, reset = node.leak, node.reset
    if reset.kind == "subtract" or (reset.kind == "value" and reset.value):
        what = "subtracts theta" if reset.kind == "subtract" else f"sets the potential to {reset.value}"
        return f"its reset {what}, and stock LIF resets to zero"
    bits = 0 if leak.kind == "none" else leak.shift
    multiplier = leak.multiplier if leak.kind == "multiply" else 1
    return Wanted(
        keep=np.array(multiplier, np.int64),
        decay_bits=bits,
        rounding=leak.rounding,
        theta=node.theta,
        bias=node.bias,
        stores_leaked=node.order == "leak_on_store",
    )
