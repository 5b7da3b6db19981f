"""Draws the pictures of docs/accelerator.md: ``python docs/accelerator/draw.py`` writes them beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from canvas import Canvas  # noqa: E402


def core() -> Canvas:
    """Units and memories of the core, and what flows between them."""
    c = Canvas(820, 470, "The core: controller, address generator, scanner, memories and a row of 128 lanes")
    c.box(20, 20, 200, 54, "unit", "mint_ctrl", "tile, y, x, timestep")
    c.box(20, 106, 200, 54, "unit", "mint_agu", "plane, kernel, window, word")
    c.box(20, 192, 200, 62, "memory", "spikes, 64 KB", "words of 32: source, destination")
    c.box(310, 20, 180, 54, "unit", "host port", "registers and memories")
    c.box(310, 192, 180, 62, "unit", "mint_scan", "the next spike of the word")
    c.box(580, 20, 220, 54, "unit", "mint_regs", "configuration, 14 counters")
    c.box(580, 106, 220, 54, "memory", "theta, bias", "64 tiles (multiplier: uq only)")
    c.box(580, 192, 220, 62, "memory", "weights, 144 KB", "rows of 128 codes")
    c.arrow((120, 74), (120, 106))
    c.arrow((120, 160), (120, 192))
    c.arrow((220, 223), (310, 223))
    c.text(265, 215, "a word", "small", "middle")
    c.arrow((490, 223), (580, 223))
    c.text(535, 215, "row number", "small", "middle")
    c.arrow((490, 47), (580, 47), both=True)
    c.arrow((310, 47), (220, 47))
    c.text(265, 39, "start", "small", "middle")
    c.box(20, 334, 780, 116, "quiet")
    for x, name in ((36, "lane 0"), (186, "lane 1"), (336, "lane 2"), (634, "lane 127")):
        c.box(x, 350, 136, 42, "work", name, "mint_pe or uq_pe")
        c.box(x, 398, 136, 40, "memory", "sums, 1 KB")
    c.text(553, 398, ". . .", "title", "middle")
    c.arrow((800, 133), (811, 133), (811, 370), (800, 370))
    c.arrow((400, 254), (400, 334))
    c.text(408, 300, "one spike, to all lanes", "small")
    c.arrow((690, 254), (690, 334))
    c.text(698, 300, "128 weights,", "small")
    c.text(698, 315, "one per lane", "small")
    c.arrow((120, 334), (120, 254))
    c.text(128, 285, "lanes that fired, 32 to a word;", "small")
    c.text(128, 300, "joined by OR with what is there (pooling)", "small")
    return c


def _element(c: Canvas, x: float, *, uq: bool) -> None:
    title = "uq_pe: the baseline (vanilla UQ)" if uq else "mint_pe"
    c.text(x + 170, 34, title, "title", "middle")
    c.box(x + 10, 50, 150, 44, "work", "weight, n bits", "if the beat has a spike")
    c.box(x + 180, 50, 150, 44, "unit", "addend, A bits", "bias, sum, shortcut")
    c.box(x + 60, 122, 220, 46, "work", "acc, A bits", "doubled at each bit-plane")
    c.arrow((x + 85, 94), (x + 130, 122))
    c.arrow((x + 255, 94), (x + 210, 122))
    top = 168.0
    if uq:
        c.box(x + 60, 196, 220, 46, "extra", "x multiplier, 32 x 32 bits", "low 32 bits; one per neuron step")
        c.arrow((x + 170, top), (x + 170, 196))
        top = 242
    wide = "32" if uq else "A"
    ends = "0 after a spike; else H rounded" if uq else "after a spike 0 or H - theta"
    kind = "extra" if uq else "work"
    c.box(x + 60, 270, 220, 46, kind, f"H = sum + leak(U), {wide} bits", f"{'U << p, ' if uq else ''}arithmetic shift")
    c.arrow((x + 170, top), (x + 170, 270))
    c.box(x + 60, 344, 220, 46, kind, "S = [H >= theta]", ends)
    c.arrow((x + 170, 316), (x + 170, 344))
    c.box(x + 60, 418, 220, 46, "memory", "U, n bits", "clamped to +-(2^(n-1) - 1)")
    c.arrow((x + 170, 390), (x + 170, 418))
    c.arrow((x + 60, 441), (x + 30, 441), (x + 30, 293), (x + 60, 293))
    c.arrow((x + 280, 367), (x + 332, 367))
    c.text(x + 306, 359, "spike", "small", "middle")


def lane() -> Canvas:
    """The two processing elements side by side."""
    c = Canvas(720, 484, "A lane: accumulate unit and LIF unit of MINT, and the baseline's with a multiplier")
    _element(c, 10, uq=False)
    c.parts.append('<line class="line" x1="360" y1="24" x2="360" y2="464" stroke-dasharray="4 4"/>')
    _element(c, 370, uq=True)
    return c


STATES = {
    "taps": ("work", "first read, slots", 150),
    "lanes": ("work", "Lanes, per word", 150),
    "Start": ("unit", "Start", 54),
    "Drain": ("unit", "Drain", 54),
    "Sum": ("memory", "Sum", 54),
    "Bias": ("quiet", "Bias", 54),
    "Hold": ("memory", "Hold", 54),
    "Store": ("memory", "Store", 54),
    "Lif": ("work", "Lif", 54),
    "Write": ("unit", "Write, per word", 130),
}
TIMESTEPS = (
    ("one pass over spikes", ("Start", "taps", "Drain", "Bias", "Lif", "Write")),
    ("input that does not change: timestep 0", ("Start", "taps", "Drain", "Bias", "Hold", "Lif", "Write")),
    ("... all further timesteps", ("Start", "Sum", "Lif", "Write")),
    ("several passes: the first", ("Start", "taps", "Drain", "Bias", "Store")),
    ("... one in the middle", ("Start", "taps", "Drain", "Sum", "Store")),
    ("... the last", ("Start", "taps", "Drain", "Sum", "Lif", "Write")),
    ("... the last, a shortcut's", ("Start", "lanes", "Sum", "Lif", "Write")),
)


def timestep() -> Canvas:
    """What the cycles of one timestep of one output pixel are spent on, kind of pass by kind of pass."""
    c = Canvas(820, 20 + 58 * len(TIMESTEPS) + 30, "The states of the controller within one timestep")
    for number, (name, states) in enumerate(TIMESTEPS):
        y = 16 + 58 * number
        c.text(20, y + 13, name, "small")
        x = 20.0
        for state in states:
            kind, words, width = STATES[state]
            c.box(x, y + 19, width, 30, kind, words)
            x += width + 6
    c.text(
        20,
        20 + 58 * len(TIMESTEPS) + 10,
        "One cycle per box, per slot and per word. Dashed: only with a bias.",
        "small",
    )
    return c


def passes() -> Canvas:
    """A layer whose weights do not fit, cut into passes over a block of outputs."""
    c = Canvas(
        820, 356, "Passes over one block of outputs: chunks of the fan-in, then a shortcut, joined by partial sums"
    )
    c.text(
        20,
        32,
        "a block of outputs; 320 channels of 3 x 3 taps in a buffer of 1,152 rows (8 bits), and an identity shortcut",
        "title",
    )
    chunks = (
        ("pass 0", "channels 0..127", "bias, Store", "work"),
        ("pass 1", "channels 128..255", "Sum, Store", "work"),
        ("pass 2", "channels 256..319", "Sum, Store", "work"),
        ("pass 3", "shortcut", "Sum, LIF, write", "extra"),
    )
    for number, (name, what, ends, kind) in enumerate(chunks):
        x = 20 + 200 * number
        c.box(
            x,
            52,
            170,
            40,
            "memory",
            "weights" if number < 3 else "no weights",
            "3 x 3 x 128 rows" if number < 2 else ("3 x 3 x 64 rows" if number == 2 else "a constant per lane"),
        )
        c.box(x, 120, 170, 62, kind, name, what, ends)
        c.arrow((x + 85, 92), (x + 85, 120))
        if number < 3:
            c.arrow((x + 60, 182), (x + 60, 234))
        if number:
            c.arrow((x + 110, 234), (x + 110, 182))
    c.box(
        20,
        234,
        770,
        48,
        "memory",
        "scratchpads: 1 KB in every lane",
        "one row of 128 sums per pixel and timestep of the block (per pixel alone where no input changes)",
    )
    c.arrow((790, 151), (806, 151), (806, 318), (722, 318))
    c.box(560, 300, 160, 36, "memory", "spikes of the block")
    c.text(20, 310, "then the next block; its passes load their weights again", "small")
    c.text(20, 328, "unless all passes of the layer fit the weight buffer together", "small")
    return c


def pooling() -> Canvas:
    """OR pooling where spikes are written, sum pooling where they are read."""
    c = Canvas(820, 300, "OR pooling at write-back, and sum pooling as two more loops of the address generator")
    c.text(20, 32, "OR pooling: four output pixels, one word", "title")
    for number in range(4):
        x, y = 30 + 62 * (number % 2), 56 + 62 * (number // 2)
        c.box(x, y, 56, 56, "work", str(number + 1))
    c.arrow((158, 116), (216, 116))
    c.box(220, 92, 130, 48, "memory", "one word", "of the destination")
    c.text(30, 204, "1: written.", "small")
    c.text(30, 222, "2, 3, 4: read in the Lif cycle, joined by OR, written:", "small")
    c.text(30, 240, "no cycle more than without pooling.", "small")
    c.text(30, 264, "What a window cuts off at the border is computed", "small")
    c.text(30, 282, "(its potentials are part of the trace), not written.", "small")
    c.parts.append('<line class="line" x1="400" y1="20" x2="400" y2="284" stroke-dasharray="4 4"/>')
    c.text(420, 32, "sum pooling: one kernel tap, four words", "title")
    for number in range(4):
        x, y = 430 + 62 * (number % 2), 56 + 62 * (number // 2)
        c.box(x, y, 56, 56, "memory", "tap", f"{number // 2}, {number % 2}")
    c.arrow((558, 116), (626, 116))
    c.box(630, 92, 160, 48, "work", "the tap's weights", "the same four times")
    c.text(430, 204, "A sum of spikes times a weight is the weight added", "small")
    c.text(430, 222, "once per spike: the pool needs no adder of its own.", "small")
    c.text(430, 240, "A tap in the padding is one slot, not four.", "small")
    return c


PICTURES = {"core": core, "lane": lane, "timestep": timestep, "passes": passes, "pooling": pooling}


def main() -> None:
    """Write every picture."""
    for name, picture in PICTURES.items():
        (HERE / f"{name}.svg").write_text(picture().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
