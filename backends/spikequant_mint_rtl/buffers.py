"""Sizes of the core's memories: what is on the chip, in the paper's bytes."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant.errors import UsageError

LANES = 128
WORD = 32
CONSTANT_ROWS = 64


@dataclass(frozen=True)
class Buffers:
    """Bytes of the three memories that a program is cut to fit.

    Source: MINT, Section V: 144 KB of global buffer, 1 KB of scratchpad in each processing element. The
    64 KB of spikes are SATASim's two 32 KB buffers, of input and of output.

    Attributes:
        weight_bytes: Weight buffer.
        spike_bytes: Spikes of a layer's source and destination.
        scratchpad_bytes: Partial sums of one lane.

    >>> Buffers().weight_rows(8), Buffers().spike_words, Buffers().sum_rows(32)
    (1152, 16384, 256)
    """

    weight_bytes: int = 144 << 10
    spike_bytes: int = 64 << 10
    scratchpad_bytes: int = 1 << 10

    def __post_init__(self) -> None:
        if not 1 << 10 <= self.weight_bytes <= 1 << 26:
            raise UsageError(f"weight_bytes is {self.weight_bytes}; it must lie between 1024 and 2**26")
        if self.spike_bytes & (self.spike_bytes - 1) or not 1 << 6 <= self.spike_bytes <= 1 << 24:
            raise UsageError(f"spike_bytes is {self.spike_bytes}; it must be a power of two between 64 and 2**24")
        if not 1 << 4 <= self.scratchpad_bytes <= 1 << 20:
            raise UsageError(f"scratchpad_bytes is {self.scratchpad_bytes}; it must lie between 16 and 2**20")

    def weight_rows(self, weight_bits: int) -> int:
        """Rows of 128 weights that fit."""
        return self.weight_bytes * 8 // (LANES * weight_bits)

    @property
    def spike_words(self) -> int:
        """Words of 32 spikes that fit."""
        return self.spike_bytes * 8 // WORD

    def sum_rows(self, acc_bits: int) -> int:
        """Partial sums that one lane keeps."""
        return self.scratchpad_bytes * 8 // acc_bits
