"""The nodes of an integer program: plain data, no behaviour but what they are.

Source: the normative table of the integer semantics (docs/semantics.md). Every rule that changes a
result is a field here, so that no executor has to imply one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Shape = tuple[int, ...]
Pair = tuple[int, int]

Coding = Literal["direct", "per_step"]
LeakRounding = Literal["floor", "toward_zero", "nearest"]
LeakOrder = Literal["leak_on_read", "leak_on_store"]
OverflowRule = Literal["symmetric", "saturate", "wrap"]


def integers(values: Any) -> IntArray:
    """Return ``values`` as an int64 array; floats that are not whole numbers raise ``TypeError``.

    >>> integers([1, 2]).dtype
    dtype('int64')
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iub" and not np.array_equal(array, np.floor(array)):
        raise TypeError(f"codes must be integers, and {array.dtype} values with a fraction were given")
    return array.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Node:
    """One named node; ``kind`` is the word used in the NIR profile and in messages."""

    name: str
    kind: ClassVar[str] = "node"


@dataclass(frozen=True, eq=False)
class Input(Node):
    """Spikes or integers from outside.

    Attributes:
        shape: Shape of one sample at one timestep, ``(features,)`` or ``(channels, height, width)``.
        bits: Width of one value; 1 means spikes in {0, 1}.
        signed: Two's complement if true, else ``0 .. 2**bits - 1``.
        coding: ``direct``: one array ``(batch, *shape)`` shown at every timestep;
            ``per_step``: an array ``(timesteps, batch, *shape)``.
    """

    shape: Shape
    bits: int = 8
    signed: bool = False
    coding: Coding = "direct"
    kind: ClassVar[str] = "input"

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


def code_limits(bits: int, signed: bool) -> tuple[int, int]:
    """Return the smallest and the largest code of a weight of ``bits`` bits, both included.

    Two's complement if ``signed``, else ``0 .. 2**bits - 1``. A single signed bit also stands for -1, 0 or 1.

    >>> code_limits(6, signed=True), code_limits(6, signed=False), code_limits(1, signed=True)
    ((-32, 31), (0, 63), (-1, 1))
    """
    if not signed:
        return 0, (1 << bits) - 1
    top = 1 << (bits - 1)
    return -top, max(top - 1, 1)


@dataclass(frozen=True, eq=False)
class Weighted(Node):
    """Shared fields of ``dense`` and ``conv2d``: ``acc = sum(code * x) + bias``, exact.

    Attributes:
        codes: Integer weights.
        bias: Integers, shape ``(out,)``, in units of ``lsb``; or none.
        bits: Width of one code in memory.
        lsb: Real size of one code, scalar or one per output channel (for reading back only; no
            executor uses it).
        signed: Codes are two's complement if true, else ``0 .. 2**bits - 1``.
    """

    codes: IntArray
    bias: IntArray | None = None
    bits: int = 8
    lsb: FloatArray = field(default_factory=lambda: np.ones(()))
    signed: bool = field(default=True, kw_only=True)

    @property
    def out_channels(self) -> int:
        """Number of outputs (dense) or output channels (conv2d)."""
        return int(self.codes.shape[0])


@dataclass(frozen=True, eq=False)
class Dense(Weighted):
    """Fully connected: ``codes`` has shape ``(out, in)``; the input is flat."""

    kind: ClassVar[str] = "dense"


@dataclass(frozen=True, eq=False)
class Conv2d(Weighted):
    """Cross-correlation as in torch: ``codes`` has shape ``(out, in / groups, kh, kw)``, zero padding."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    kind: ClassVar[str] = "conv2d"


@dataclass(frozen=True, eq=False)
class Pool(Node):
    """Shared fields of the two poolings over ``(channels, height, width)``."""

    kernel: Pair = (2, 2)
    stride: Pair = (2, 2)
    padding: Pair = (0, 0)


@dataclass(frozen=True, eq=False)
class PoolOr(Pool):
    """Maximum of spikes in each window (OR); padding counts as no spike."""

    kind: ClassVar[str] = "pool_or"


@dataclass(frozen=True, eq=False)
class PoolSum(Pool):
    """Sum in each window; the divisor of an average is folded into what follows."""

    kind: ClassVar[str] = "pool_sum"


@dataclass(frozen=True, eq=False)
class Add(Node):
    """Sum of two or more values of equal shape and equal lsb."""

    kind: ClassVar[str] = "add"


@dataclass(frozen=True, eq=False)
class Lateral(Node):
    """Each element is joined to all others of its sample by one weight: ``code * (sum(x) - x_n)``.

    It stands for a dense matrix with ``code`` everywhere but on its diagonal, and keeps one number. The
    sum runs over all axes but the batch; the shape stays.

    Attributes:
        code: The weight, ``|code| < 2**31``; negative for lateral inhibition.
    """

    code: int
    kind: ClassVar[str] = "lateral"


@dataclass(frozen=True, eq=False)
class Flatten(Node):
    """``(channels, height, width)`` to ``(features,)`` in C order."""

    kind: ClassVar[str] = "flatten"


@dataclass(frozen=True, eq=False)
class Concat(Node):
    """Join along the first axis after the batch (features or channels), in the order of the edges."""

    kind: ClassVar[str] = "concat"


@dataclass(frozen=True)
class Leak:
    """How the stored potential decays.

    ``shift``: divide by ``2**shift`` with ``rounding``; ``multiply``: multiply by
    ``multiplier / 2**shift`` with ``rounding``; ``none``: nothing.

    >>> Leak.by_shift(1)
    Leak(kind='shift', shift=1, multiplier=1, rounding='floor')
    """

    kind: Literal["none", "shift", "multiply"] = "none"
    shift: int = 0
    multiplier: int = 1
    rounding: LeakRounding = "floor"

    @classmethod
    def by_shift(cls, shift: int, rounding: LeakRounding = "floor") -> Leak:
        """Return the leak ``U / 2**shift``."""
        return cls("shift", shift, 1, rounding)

    @property
    def factor(self) -> float:
        """The real factor that the leak approximates."""
        return 1.0 if self.kind == "none" else self.multiplier / float(1 << self.shift)


@dataclass(frozen=True)
class Reset:
    """What a spike leaves behind: zero, ``H - theta``, or a given integer."""

    kind: Literal["zero", "subtract", "value"] = "zero"
    value: int = 0


@dataclass(frozen=True)
class Operation:
    """A number of equal operations, for counts and energy.

    Attributes:
        name: ``add``, ``compare``, ``shift``, ``multiply``, ``register`` (a write) or ``accumulate``.
        bits: Operand width.
        count: How many.
    """

    name: str
    bits: int
    count: int = 1


@dataclass(frozen=True, eq=False)
class Readout(Node):
    """``A(t) = A(t-1) + acc`` without spikes; class = argmax A(T-1), lowest index on a tie."""

    kind: ClassVar[str] = "readout"
