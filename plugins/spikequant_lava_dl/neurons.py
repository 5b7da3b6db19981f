"""Neurons of a layer as integer nodes.

lava-dl's CUBA neuron, and Loihi's, in whole numbers: u keeps (4096 - iDecay) / 4096 of itself, rounded toward zero, and
takes 64 times the weighted sum; v keeps (4096 - vDecay) / 4096 and takes u and 64 times the bias; at a threshold of
64 vThMant it fires and is 0. CUBA fires where v >= threshold, LOIHI where v > threshold: bit-exact against recorded
spikes of both, see docs/cuba.md.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from spikequant.program import IntArray, integers
from spikequant_cuba import CubaLif, FixedLif
from spikequant_lava_dl.values import Fields, plain

UNIT_BITS = 6
DECAY_BITS = 12
REGISTER = 24
MOST_EXPONENT = 16
EXPONENTS = ("wgtExp", "weightExp", "weight_exp")
FIRES = {"CUBA": ">=", "LOIHI": ">"}
KNOWN = {"type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike", "messageBits", *EXPONENTS}
WITHOUT_EFFECT = {"theta", "tauRho", "scaleRho"}
"""Of the training: the threshold once more in other units, and the surrogate gradient."""
Fire = Literal[">=", ">"]


def kind_of(fields: Fields) -> str:
    """Return ``CUBA`` or ``LOIHI``.

    Raises:
        UsageError: The neuron is of another type, or has fields that are not known here.
    """
    kind = fields.text("type")
    if kind not in FIRES:
        raise fields.error(f"its neurons are of type {kind[:40]}; CUBA and LOIHI are known here")
    unknown = sorted(set(fields.values) - KNOWN - WITHOUT_EFFECT)
    if unknown:
        raise fields.error(f"its neurons have a field '{plain(unknown[0])[:40]}', which is not known here")
    if "refDelay" in fields and (delay := fields.integer("refDelay")) != 1:
        raise fields.error(f"its neurons have a refractory delay of {delay} steps; 1, which is none, is known here")
    for field in ("gradedSpike", "messageBits"):
        if field in fields and fields.integer(field):
            raise fields.error(f"its neurons put out graded spikes ({field}); only spikes of 0 and 1 are known here")
    return kind


def exponent_of(fields: Fields) -> int:
    """Return by which power of two the weights are scaled."""
    given = {fields.integer(name, -MOST_EXPONENT, MOST_EXPONENT) for name in EXPONENTS if name in fields}
    if len(given) > 1:
        raise fields.error(f"its weight exponents are {', '.join(map(str, sorted(given)))}; they must agree")
    return given.pop() if given else 0


def firing(name: str, fields: Fields, fire: Fire | None, bias: IntArray | None) -> CubaLif:
    """Return the neurons of a weighted layer.

    Args:
        name: Of the node.
        fields: Of the file's neuron.
        fire: Overrules the type's own rule.
        bias: In units of 64, one or one per channel.
    """
    return CubaLif(
        name,
        u_bits=REGISTER,
        i_bits=REGISTER,
        decay=_kept(fields, "vDecay"),
        i_decay=_kept(fields, "iDecay"),
        decay_bits=DECAY_BITS,
        rounding="toward_zero",
        overflow="symmetric",
        input_shift=UNIT_BITS + exponent_of(fields),
        theta=_theta(fields, fire),
        bias=_in_units(bias),
        lsb=np.array(2.0**-UNIT_BITS),
    )


def driven(name: str, fields: Fields, fire: Fire | None) -> FixedLif:
    """Return the neurons of an input layer: what comes in is their bias."""
    return FixedLif(
        name,
        u_bits=REGISTER,
        decay=_kept(fields, "vDecay"),
        decay_bits=DECAY_BITS,
        rounding="toward_zero",
        overflow="symmetric",
        input_shift=UNIT_BITS,
        theta=_theta(fields, fire),
        lsb=np.array(2.0**-UNIT_BITS),
    )


def encoder(name: str) -> FixedLif:
    """Return neurons that make spikes of pixels, 0 to 255: v += pixel, a spike where v > 255, then v = 0."""
    return FixedLif(name, u_bits=10, decay=integers(1), decay_bits=0, theta=integers(256), lsb=np.array(1 / 255))


def _kept(fields: Fields, key: str) -> IntArray:
    return integers((1 << DECAY_BITS) - fields.integer(key, 0, 1 << DECAY_BITS))


def _theta(fields: Fields, fire: Fire | None) -> IntArray:
    """Return the threshold for ``>=``: one more where the neuron fires above it only."""
    strict = (fire or FIRES[kind_of(fields)]) == ">"
    return integers((fields.integer("vThMant", 1, 1 << (REGISTER - UNIT_BITS - 1)) << UNIT_BITS) + strict)


def _in_units(bias: IntArray | None) -> IntArray | None:
    if bias is None or not bias.any():
        return None
    return (bias.reshape(()) if bias.size == 1 else bias) << UNIT_BITS
