"""Rate coding: a pixel becomes spikes whose rate is proportional to its value, drawn or evenly spaced.

A sample's spikes depend on the sample, the seed and the draw, never on its place in a batch. The native
encoder gives the same spikes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikequant.counter_rng import RandomKey
from spikequant.errors import UsageError

Kind = Literal["poisson", "regular"]
ALWAYS = 1 << 16
GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_PER_WORD = 4
_CHUNK_NUMBERS = 1 << 20


@dataclass(frozen=True)
class RateCoding:
    r"""Pixels in 0..peak to spikes in {0, 1}, at ``rate_hz`` for a pixel of ``peak``.

    With ``threshold = floor(pixel / peak * rate_hz * dt * 65536 + 1/2)``, at most 65536:

    - ``poisson``: each step spikes with probability ``threshold / 65536``, each drawn on its own;
    - ``regular``: step t spikes iff ``floor((t + 1) * threshold / 65536) > floor(t * threshold / 65536)``, so
      that T steps hold exactly ``floor(T * threshold / 65536)`` spikes.

    The numbers of ``poisson`` come from the 64-bit hash h of the image, which starts as the stream of
    ``RandomKey(seed, "input", draw)`` and takes in each little-endian 64-bit word of the image's bytes (C order,
    padded with zeros) by ``h = mix(h ^ word)``. Steps 4b..4b+3 of pixel i use the four 16-bit fields, lowest
    first, of ``mix(h + GOLDEN * (i * ceil(T / 4) + b + 1))``, ``mix`` and GOLDEN those of SplitMix64.

    Source: Diehl and Cook, "Unsupervised learning of digit recognition using spike-timing-dependent plasticity",
    2015, Section 2.4 (rates proportional to intensity); Q-SpiNN, Section IV.

    Attributes:
        kind: ``poisson`` or ``regular``.
        rate_hz: Rate of a pixel of value ``peak``, in Hz.
        dt: Length of a timestep, in seconds.
        peak: Pixel value of the full rate, 1 to 255; no pixel may exceed it.
        seed: Seed of the drawn spikes.

    Raises:
        UsageError: A value is not one that can be used.

    >>> RateCoding("regular", rate_hz=500.0).spikes(np.array([[255, 128]], dtype=np.uint8), 6)[:, 0].T.tolist()
    [[0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 0, 0]]
    """

    kind: Kind = "poisson"
    rate_hz: float = 128.0
    dt: float = 1e-3
    peak: int = 255
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UsageError(f"rate coding: kind is {self.kind!r}; it must be one of {', '.join(get_args(Kind))}")
        if not (_is_number(self.rate_hz) and math.isfinite(self.rate_hz) and self.rate_hz >= 0):
            raise UsageError(f"rate coding: rate_hz is {self.rate_hz!r}; it must be a finite number, at least 0")
        if not (_is_number(self.dt) and math.isfinite(self.dt) and self.dt > 0):
            raise UsageError(f"rate coding: dt is {self.dt!r}; it must be a positive, finite number of seconds")
        if not math.isfinite(self.rate_hz * self.dt):
            raise UsageError(
                f"rate coding: rate_hz {self.rate_hz} times dt {self.dt} is beyond all numbers; lower both"
            )
        if not (_is_whole(self.peak) and 1 <= self.peak <= 255):
            raise UsageError(f"rate coding: peak is {self.peak!r}; it must be a whole number, 1 to 255")
        if not _is_whole(self.seed):
            raise UsageError(f"rate coding: seed is {self.seed!r}; it must be a whole number")

    @property
    def thresholds(self) -> NDArray[np.uint32]:
        """Threshold of each pixel value 0..peak, uint32 of shape ``(peak + 1,)``, in 1/65536 of a spike per step."""
        pixels = np.arange(self.peak + 1, dtype=np.float64)
        exact = np.floor(pixels / self.peak * (self.rate_hz * self.dt) * ALWAYS + 0.5)
        return np.minimum(exact, ALWAYS).astype(np.uint32)

    def spikes(self, x: NDArray[Any], timesteps: int, draw: int = 0) -> NDArray[np.uint8]:
        """Return the spikes of some images.

        Args:
            x: Pixels, whole numbers in 0..peak, shape ``(n, *shape)``.
            timesteps: Number T of steps, at least 1.
            draw: Which drawing of the same images: 0 for inference, epoch e of training has e + 1.

        Returns:
            uint8 in {0, 1}, shape ``(T, n, *shape)``.

        Raises:
            UsageError: Pixels or ``timesteps`` are not as above.
        """
        images = self._checked(x, timesteps)
        flat = images.reshape(len(images), math.prod(images.shape[1:]))
        thresholds = self.thresholds[flat]
        steps = self._regular(thresholds, timesteps) if self.kind == "regular" else None
        if steps is None:
            steps = self._poisson(flat, thresholds, timesteps, RandomKey(self.seed, "input", draw).stream)
        return steps.reshape(timesteps, *images.shape)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; :meth:`from_json` gives the coding back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RateCoding:
        """Return the coding that :meth:`to_json` wrote.

        Raises:
            UsageError: A field is unknown or missing, or its value cannot be used.
        """
        names = [field.name for field in fields(cls)]
        if sorted(data) != sorted(names):
            raise UsageError(f"rate coding has the fields {', '.join(sorted(data))}; it must have {', '.join(names)}")
        return cls(**data)

    def _checked(self, x: NDArray[Any], timesteps: int) -> NDArray[np.uint8]:
        array = np.asarray(x)
        if not (_is_whole(timesteps) and timesteps >= 1):
            raise UsageError(f"rate coding: timesteps is {timesteps!r}; it must be a whole number, at least 1")
        if array.dtype.kind not in "ui" or array.ndim < 1:
            raise UsageError(
                f"rate coding: pixels are {array.dtype} of shape {array.shape}; they must be whole numbers"
                f" of shape (n, ...), 0 to {self.peak}"
            )
        if array.size and (int(array.min()) < 0 or int(array.max()) > self.peak):
            raise UsageError(f"rate coding: pixels reach {array.min()}..{array.max()}; they must be 0 to {self.peak}")
        return array.astype(np.uint8)

    @staticmethod
    def _regular(thresholds: NDArray[np.uint32], timesteps: int) -> NDArray[np.uint8]:
        times = np.arange(timesteps + 1, dtype=np.int64)[:, None, None]
        due = times * thresholds.astype(np.int64) // ALWAYS
        return (due[1:] > due[:-1]).astype(np.uint8)

    @staticmethod
    def _poisson(
        images: NDArray[np.uint8], thresholds: NDArray[np.uint32], timesteps: int, stream: int
    ) -> NDArray[np.uint8]:
        spikes = np.zeros((timesteps, *images.shape), dtype=np.uint8)
        hashes = _image_hashes(images, stream)
        blocks = -(-timesteps // _PER_WORD)
        sample, pixel = np.nonzero(thresholds)
        for start in range(0, len(sample), max(1, _CHUNK_NUMBERS // blocks)):
            part = slice(start, start + max(1, _CHUNK_NUMBERS // blocks))
            numbers = _numbers(hashes[sample[part]], pixel[part], blocks)[:, :timesteps]
            drawn = numbers < thresholds[sample[part], pixel[part], None]
            spikes[:, sample[part], pixel[part]] = drawn.T
        return spikes


def _image_hashes(images: NDArray[np.uint8], stream: int) -> NDArray[np.uint64]:
    """Hash of each row of bytes, uint64 of shape ``(n,)``."""
    padding = -images.shape[1] % 8
    words = np.pad(images, ((0, 0), (0, padding))).view("<u8").astype(np.uint64)
    hashes = np.full(len(images), stream, dtype=np.uint64)
    for column in range(words.shape[1]):
        hashes = _mix(hashes ^ words[:, column])
    return hashes


def _numbers(hashes: NDArray[np.uint64], pixels: NDArray[np.int64], blocks: int) -> NDArray[np.uint16]:
    """The 16-bit numbers of some pixels, each of an image of the given hash; shape ``(pixels, 4 * blocks)``."""
    counters = pixels.astype(np.uint64)[:, None] * np.uint64(blocks) + np.arange(1, blocks + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        words = _mix(hashes[:, None] + counters * np.uint64(GOLDEN))
    return words.astype("<u8").view("<u2").astype(np.uint16)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64, as :func:`spikequant.counter_rng.mix`."""
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
