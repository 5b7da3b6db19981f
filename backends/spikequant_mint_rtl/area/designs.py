"""What is synthesized: three designs at a weight width, each as processing elements, an array and a core."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant_mint_rtl.area.circuit import Circuit

LANES = 128
PARTS = ("paper", "pe", "array", "core")
# From the element in the paper's form to the one in rtl/, one change at a time.
STEPS = ("low", "unshifted", "wired")
SPAD_BITS = 8 * 1024  # per lane
WEIGHT_BITS_ON_CHIP = 8 * 144 * 1024
SPIKE_WORDS_LOG2 = 14
SPIKE_BITS_ON_CHIP = 32 << SPIKE_WORDS_LOG2
TILES = 64
SCALE_BITS = 32
_MEMORIES = ("mint_ram",)
_ELEMENTS = ("mint_pe", "uq_pe")
_PAPER_ELEMENTS = ("paper_mint_pe", "paper_uq_pe")
_PAPER_PRODUCTS = {
    "paper": (("ProductBits", 64), ("Shifted", 1)),
    "low": (("ProductBits", 32), ("Shifted", 1)),
    "unshifted": (("ProductBits", 32), ("Shifted", 0)),
}


@dataclass(frozen=True)
class Design:
    """One accelerator: its processing element and its widths.

    Attributes:
        key: Name in results.
        words: What it is, in words.
        uq: Whether lanes are the baseline's.
        weight_bits: n.
        potential_bits: Width of U.
        acc_bits: Width of the accumulator.
    """

    key: str
    words: str
    uq: bool
    weight_bits: int
    potential_bits: int
    acc_bits: int

    def circuits(self, part: str) -> list[tuple[Circuit, int]]:
        """Return the circuits whose areas, times their numbers, sum to the logic of a part."""
        own = self._parameters(self.potential_bits)
        if part == "wired":
            return [(Circuit("fixed_rules_pe", (*own, ("Uq", int(self.uq)))), 1)]
        if part in _PAPER_PRODUCTS:
            product = _PAPER_PRODUCTS[part] if self.uq else ()
            return [(Circuit(_PAPER_ELEMENTS[self.uq], (*own, *product)), 1)]
        element = Circuit(_ELEMENTS[self.uq], own)
        if part == "pe":
            return [(element, 1)]
        # Around the elements a baseline is MINT with another width of U, but for one address decoder, and around
        # the array U's width does not matter either: those circuits are synthesized once for all designs.
        sums = ("SumRows", SPAD_BITS // self.acc_bits)
        wide = ("Uq", int(self.potential_bits > self.weight_bits))
        row = Circuit("mint_array", (*own, sums, wide), (*_ELEMENTS, *_MEMORIES))
        if part == "array":
            return [(element, LANES), (row, 1)]
        rows = ("WeightRows", WEIGHT_BITS_ON_CHIP // (LANES * self.weight_bits))
        buffers = (rows, ("SpikeDepthLog2", SPIKE_WORDS_LOG2))
        rest = Circuit("mint_core", (*self._parameters(self.weight_bits), sums, *buffers), ("mint_array", *_MEMORIES))
        return [(element, LANES), (row, 1), (rest, 1)]

    def memory_bits(self, part: str) -> int:
        """Return the bits of memory that belong to a part: scratchpads; for the core, buffers and constants too."""
        if part not in ("array", "core"):
            return SPAD_BITS
        if part == "array":
            return LANES * SPAD_BITS
        constants = LANES * TILES * (self.acc_bits + (2 * SCALE_BITS if self.uq else self.acc_bits))
        return LANES * SPAD_BITS + WEIGHT_BITS_ON_CHIP + SPIKE_BITS_ON_CHIP + constants

    def _parameters(self, potential_bits: int) -> tuple[tuple[str, int], ...]:
        return (("WeightBits", self.weight_bits), ("PotentialBits", potential_bits), ("AccBits", self.acc_bits))


def designs(bits: int, headroom: int) -> tuple[Design, Design, Design]:
    """Return MINT and the two baselines at ``bits``-bit weights, accumulators ``headroom`` bits wider.

    >>> [(design.key, design.potential_bits, design.acc_bits) for design in designs(4, 13)]
    [('mint', 4, 17), ('uq_fp', 32, 17), ('uq_q', 4, 17)]
    """
    acc = bits + headroom
    return (
        Design("mint", "MINT", False, bits, bits, acc),
        Design("uq_fp", "UQ, U of 32 bits", True, bits, 32, acc),
        Design("uq_q", "UQ, U of n bits", True, bits, bits, acc),
    )
