"""Parameters of stock LIF for a neuron, and how far they are exact; the arithmetic is in docs/lava.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikequant.program import IntArray
from spikequant_lava.loihi.wanted import Wanted

DECAY_BITS = 12
UNITY = 1 << DECAY_BITS
INPUT_SHIFT = 6
"""Stock LIF takes its input times 64, and its threshold too."""
MOST_VTH = (1 << 17) - 1
MOST_WEIGHT_EXP = 7
MANTISSA = (-(1 << 12), (1 << 12) - 1)
MOST_BIAS_EXP = 7
REGISTER = 1 << 23
"""u and v are signed 24 bit."""
FRACTION = 3
"""Bits below the program's unit, where more of them would make nothing exact."""


@dataclass(frozen=True, eq=False)
class Stock:
    """Stock LIF in place of a neuron.

    Attributes:
        du: What the current loses, less 1: 4095 is no memory.
        dv: What the potential loses, of 4096.
        vth: The neuron spikes where ``v > 64 vth``.
        scale: ``v`` is the program's potential times ``2**scale``.
        gain: The input must arrive times ``2**gain``; negative where all codes are multiples of ``2**-gain``.
        bias: Per neuron, in v's units; :func:`mantissa_and_exponent` splits it.
        read: How v is read back: ``floor``, ``ceil`` or ``toward_zero`` of ``v / 2**scale``.
        steps: Timesteps for which spikes are those of the program, whatever the input, as long as no clamp
            acts; ``None`` for any number.
        same: Whether also every potential is, because the arithmetic is the same.
        fires_at: Smallest potential that spikes, in the program's units, where v has no fraction bits.
        why: What keeps ``steps`` from being any number; empty if nothing.
    """

    du: int
    dv: int
    vth: int
    scale: int
    gain: int
    bias: IntArray
    read: str
    steps: int | None
    same: bool
    fires_at: int | None
    why: str


@dataclass(frozen=True)
class Fed:
    """What feeds a neuron.

    Attributes:
        zeros: Trailing zero bits that all codes before it have in common.
        shift: By how many bits the codes of some node before it must be shifted right to fit 8.
        largest: Largest magnitude of its input.
        bias: Per neuron, from the weights before it, in the input's units.
    """

    zeros: int
    shift: int
    largest: int
    bias: IntArray


class UnfitError(Exception):
    """Stock LIF cannot stand in for a neuron; the text says why."""


def stock_for(wanted: Wanted, fed: Fed, timesteps: int) -> Stock:
    """Return the parameters of stock LIF.

    Raises:
        UnfitError: There are none.
    """
    for value, what in ((wanted.keep, "leak"), (wanted.theta, "theta"), (wanted.i_keep, "leak of the current")):
        if value is not None and np.unique(value).size != 1:
            reach = f"{value.min()}..{value.max()}"
            raise UnfitError(f"its {what} differs between neurons ({reach}), and stock LIF has one for all")
    theta = int(wanted.theta.flat[0])
    if theta < 1:
        raise UnfitError(f"its theta is {theta}, and stock LIF's threshold is not negative, so theta is 1 or more")
    if wanted.input_shift < 0:
        raise UnfitError("it takes a part of its input, and stock LIF takes 64 times it")
    keep, i_keep = _of_4096(wanted.keep, wanted.decay_bits), _of_4096(wanted.i_keep, wanted.decay_bits)
    if keep == 0:
        raise UnfitError("it keeps nothing of its potential; dv would be 4096, and has 12 bits")
    if i_keep == UNITY:
        raise UnfitError("its current never decays, and stock LIF's loses 1/4096 at least")
    if i_keep and fed.bias.any():
        raise UnfitError(
            "the bias of the weights before it enters a current that decays, and stock LIF adds its bias to v"
        )
    mapped = _mapped(wanted, fed, timesteps, theta, keep, i_keep)
    if mapped.vth > MOST_VTH:
        raise UnfitError(f"its threshold becomes {mapped.vth}, and vth has 17 bits (0..{MOST_VTH})")
    mantissa, _ = mantissa_and_exponent(mapped.bias)
    if mantissa.size and (mantissa.min() < MANTISSA[0] or mantissa.max() > MANTISSA[1]):
        raise UnfitError(
            f"its bias becomes {mapped.bias.min()}..{mapped.bias.max()}, and stock LIF's is a mantissa of"
            f" 13 bits times 2**0..2**{MOST_BIAS_EXP}"
        )
    return mapped


def mantissa_and_exponent(bias: IntArray) -> tuple[IntArray, IntArray]:
    """Split a bias into ``mantissa * 2**exponent``, the exponent as large as it goes.

    >>> [part.tolist() for part in mantissa_and_exponent(np.array([0, 5, -96, 4096]))]
    [[0, 5, -3, 32], [0, 0, 5, 7]]
    """
    exponent = np.zeros(bias.shape, np.int64)
    for tried in range(1, MOST_BIAS_EXP + 1):
        exponent[(bias != 0) & (bias % (1 << tried) == 0)] = tried
    return bias >> exponent, exponent


def _of_4096(keep: IntArray | None, bits: int) -> int:
    """The part that is kept, of 4096; a kind without current keeps none of it."""
    if keep is None:
        return 0
    value = int(keep.flat[0])
    if bits > DECAY_BITS and value % (1 << (bits - DECAY_BITS)):
        raise UnfitError(f"it keeps {value}/2**{bits} of its state, which 12 bits do not hold")
    return value << DECAY_BITS >> bits


def _mapped(wanted: Wanted, fed: Fed, timesteps: int, theta: int, keep: int, i_keep: int) -> Stock:
    """Choose among the four mappings of docs/lava.md."""
    own = np.zeros((), np.int64) if wanted.bias is None else wanted.bias
    decays = {"du": UNITY - 1 - i_keep, "dv": UNITY - keep}
    shift = wanted.input_shift

    def bias(scale: int) -> IntArray:
        total: IntArray = (_spread(own, fed.bias) << scale) + (fed.bias << (shift + scale))
        return total

    if keep == UNITY and not i_keep:  # nothing is ever rounded
        scale = INPUT_SHIFT
        return Stock(**decays, vth=theta - 1, scale=scale, gain=shift, bias=bias(scale), read="floor", steps=None,
                     same=True, fires_at=theta, why="")  # fmt: skip
    if wanted.rounding == "toward_zero" and shift + fed.zeros >= INPUT_SHIFT:  # v is the potential itself
        vth = (theta - 1 + 32) // 64
        fires = 64 * vth + 1
        why = "" if fires == theta else f"it fires at {fires} and more instead of {theta}, as v > 64 vth allows"
        return Stock(**decays, vth=vth, scale=0, gain=shift - INPUT_SHIFT, bias=bias(0), read="floor",
                     steps=None if fires == theta else 0, same=fires == theta, fires_at=fires, why=why)  # fmt: skip
    halvings = DECAY_BITS - (keep.bit_length() - 1)
    most = _most_scale(fed, theta, shift)
    if wanted.rounding == "floor" and keep & (keep - 1) == 0 and not i_keep and halvings:
        scale = min(max(INPUT_SHIFT, halvings * timesteps), most)
        lowered = bias(scale) - ((UNITY - keep) << scale >> DECAY_BITS)
        steps = scale // halvings
        why = (
            "" if steps >= timesteps else f"v has {scale} bits below the potential's unit, enough for {steps} timesteps"
        )
        return Stock(**decays, vth=(theta - 1) << (scale - INPUT_SHIFT), scale=scale, gain=shift + scale - INPUT_SHIFT,
                     bias=lowered, read="ceil", steps=None if steps >= timesteps else steps, same=False,
                     fires_at=None, why=why)  # fmt: skip
    scale = min(INPUT_SHIFT + FRACTION, most)
    why = f"v keeps {scale} bits below the potential's unit, where the program rounds ({wanted.rounding})"
    return Stock(**decays, vth=(theta << (scale - INPUT_SHIFT)) - 1, scale=scale, gain=shift + scale - INPUT_SHIFT,
                 bias=bias(scale), read="toward_zero" if wanted.rounding == "toward_zero" else "floor", steps=1,
                 same=False, fires_at=None, why=why)  # fmt: skip


def _most_scale(fed: Fed, theta: int, shift: int) -> int:
    """The finest scale that vth, the weights' exponent and u have room for; at least the stock input's own."""
    room = max(REGISTER - 1, 1) // max(fed.largest << shift, 1)
    limits = (
        (MOST_VTH // theta).bit_length() - 1 + INPUT_SHIFT,
        MOST_WEIGHT_EXP + 1 - fed.shift - shift + INPUT_SHIFT,
        room.bit_length() - 1,
    )
    return max(INPUT_SHIFT, min(limits))


def _spread(own: IntArray, like: IntArray) -> IntArray:
    """Spread a constant, scalar or per channel or neuron, over the neurons."""
    return np.broadcast_to(own.reshape(own.shape + (1,) * (like.ndim - own.ndim)), like.shape)
