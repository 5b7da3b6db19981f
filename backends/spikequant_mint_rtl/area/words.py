"""What the parts are and rest on, in words, and the paper's figures."""

from __future__ import annotations

TITLES = {
    "paper": "PE in the paper's form: accumulator, leak 1/2 on read, reset to zero; UQ: 64-bit product, shifter",
    "low": "PE in the paper's form, but UQ keeps the low 32 bits of the product",
    "unshifted": "PE in the paper's form, but UQ keeps the low 32 bits of the product and does not shift them",
    "wired": "PE as in rtl/, but the paper's rules wired: leak 1/2 on read, rounded down, reset to zero",
    "pe": "PE as in rtl/: adder input, doubling, rules set by registers",
    "array": "array: 128 PEs as in rtl/, their adder inputs and the port through which rows are read",
    "core": "core: array, controller, address generator, registers and counters",
}
MEMORIES = {
    "array": "1 KB scratchpad per PE",
    "core": "scratchpads, 144 KB of weights, 64 KB of spikes, constants of 64 tiles",
}
SCRATCHPAD = "1 KB scratchpad"
PAPER = "MINT, Fig. 6: PE-array area saved against U in fp32"
PAPER_SAVED = {"SpinalFlow": {8: 76, 4: 86, 2: 93}, "PTB": {8: 93, 4: 95, 2: 96}}
PAPER_AVERAGE = "MINT, Section I: 85 % of PE-array area saved on average"
DESIGN_NOTES = (
    "accumulators have n + {headroom} bits in every design; U of 32 bits stands for the paper's admm-Ufp, U of n bits "
    "for its admm-Uq.",
    "UQ as in rtl/ multiplies the accumulator by a 32-bit scale and keeps the low 32 bits of the product; its LIF unit "
    "has 32 bits and shifts U by the scale's fraction. Outside the array its core is billed as MINT's, without the "
    "address decoder of the scales.",
    "the paper's form is ours from its text and Fig. 1: both add a gated weight per cycle and have no other input; UQ "
    "multiplies by a 32-bit scale, shifts by 0..63 and has a 32-bit LIF unit. rtl/ saves less, since its UQ keeps half "
    "the product and no shifter of it, and since adder input, doubling and programmable rules cost MINT most: "
    "--parts steps.",
)
LETTERS = "abcde"


def letters(part: str, *, memory: bool = True) -> str:
    """Return the letters of the assumptions that a part's areas rest on.

    >>> letters("paper"), letters("core", memory=False)
    ('abce', 'acd')
    """
    form = "e" if part in ("paper", "low", "unshifted") else "d"
    return f"abc{form}" if memory else f"ac{form}"
