"""Random numbers by counter: number ``i`` of a stream depends on its key and on ``i``, and on nothing else.

A stream is keyed by (seed, tensor, draw); within it each element has its own number. A result so never depends
on how a batch was split, on the order of work or on the device. NumPy and torch give the same bits.

Source: the output function of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014) over the counter; element ``i`` is output ``i`` of a SplitMix64 started at the
stream's key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant.errors import UsageError

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


@dataclass(frozen=True)
class RandomKey:
    """What a random number is keyed by, besides the element's index.

    Attributes:
        seed: The run's seed.
        tensor: Name of the tensor that is rounded.
        draw: Which use of the stream it is, such as the number of the update; at least 0.
        first: Index of the array's first element within the whole tensor, at least 0: a part of a
            batch gives the index at which it starts.

    Raises:
        UsageError: ``draw`` or ``first`` is negative.
    """

    seed: int
    tensor: str
    draw: int = 0
    first: int = 0

    def __post_init__(self) -> None:
        if self.draw < 0 or self.first < 0:
            raise UsageError(
                f"random key for '{self.tensor}' has draw {self.draw} and first {self.first}; both must be at least 0"
            )

    def at(self, first: int) -> RandomKey:
        """Return the key for a part of the tensor that starts at element ``first``."""
        return replace(self, first=first)

    @property
    def stream(self) -> int:
        """The 64-bit start of this key's stream: output ``draw`` of a SplitMix64 started at :attr:`root`."""
        return mix((self.root + _GOLDEN * (self.draw + 1)) & _MASK)

    @property
    def root(self) -> int:
        """What the streams of all draws of one seed and tensor are made from, 64 bits."""
        digest = hashlib.blake2b(self.tensor.encode(), digest_size=8).digest()
        return mix(mix(self.seed & _MASK) ^ int.from_bytes(digest, "little"))


def mix(z: int) -> int:
    """Apply the SplitMix64 finalizer to one 64-bit integer.

    >>> hex(mix(0x9E3779B97F4A7C15))
    '0xe220a8397b1dcdaf'
    """
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


@overload
def uniforms(key: RandomKey, elements: NDArray[np.int64]) -> NDArray[np.float64]: ...
@overload
def uniforms(key: RandomKey, elements: Tensor) -> Tensor: ...
def uniforms(key: RandomKey, elements: NDArray[np.int64] | Tensor) -> NDArray[np.float64] | Tensor:
    """Return one uniform number in [0, 1) for each element: a multiple of ``2**-53``.

    Args:
        key: The stream; ``key.first`` is added to every index.
        elements: Indices of elements, int64 of any shape, at least 0.

    Returns:
        float64 like ``elements``, the same bits from NumPy and from torch on any device.

    Raises:
        TypeError: ``elements`` are not int64.

    >>> uniforms(RandomKey(0, "w"), np.arange(3)).tolist() == uniforms(RandomKey(0, "w"), torch.arange(3)).tolist()
    True
    """
    if elements.dtype not in (np.int64, torch.int64):
        raise TypeError(f"element indices are {elements.dtype}; they must be int64")
    if isinstance(elements, Tensor):
        return _uniforms_torch(key, elements)
    with np.errstate(over="ignore"):
        z = elements.astype(np.uint64) + np.uint64(key.first + 1)
        z = z * np.uint64(_GOLDEN) + np.uint64(key.stream)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
        z = (z ^ (z >> np.uint64(31))) >> np.uint64(11)
    chance: NDArray[np.float64] = z.astype(np.float64) * 2.0**-53
    return chance


def _uniforms_torch(key: RandomKey, elements: Tensor) -> Tensor:
    """The same with int64, whose products and sums wrap."""
    z = elements + (key.first + 1)
    z = _shifted(mixed(z * _signed(_GOLDEN) + _signed(key.stream)), 11)
    return z.to(torch.float64) * 2.0**-53


def mixed(z: Tensor) -> Tensor:
    """Apply :func:`mix` to each element of an int64 tensor, which holds the bits of unsigned numbers.

    Products wrap, and a mask makes the arithmetic right shift a logical one.

    >>> hex(int(mixed(torch.tensor(1))) % 2**64) == hex(mix(1))
    True
    """
    z = (z ^ _shifted(z, 30)) * _signed(_FIRST)
    z = (z ^ _shifted(z, 27)) * _signed(_SECOND)
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    return (z >> by) & ((1 << (64 - by)) - 1)


def _signed(z: int) -> int:
    return z - (1 << 64) if z >> 63 else z
