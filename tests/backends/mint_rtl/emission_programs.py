"""Programs to emit, and the emitted folder run as a stranger would: make, g++ and Verilator, nothing of ours."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, Leak, Lif, PoolOr, Program, Readout, chain
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.toolchain import find_toolchain


def codes(rng, width, *shape):
    top = (1 << (width - 1)) - 1
    return rng.integers(-top, top + 1, shape)


def residual_program():
    """Conv with an image's bit-planes, pool_or, a residual block with both kinds of shortcut, dense, readout."""
    rng = np.random.default_rng(7)
    leak = Leak.by_shift(1)
    lif = {"u_bits": 4, "leak": leak}
    nodes = [
        Input("image", (3, 8, 8), bits=3),
        Conv2d("conv", codes(rng, 4, 40, 3, 3, 3), bits=4, padding=(1, 1)),
        Lif("first", theta=np.array(20), **lif),
        PoolOr("pool", kernel=(2, 2), stride=(2, 2)),
        Conv2d("main", codes(rng, 4, 40, 40, 3, 3), bits=4, padding=(1, 1)),
        Conv2d("skip", rng.integers(1, 60, (40, 1, 1, 1)), bits=8, groups=40),
        Add("sum"),
        Lif("block", theta=rng.integers(5, 40, 40), bias=rng.integers(-3, 4, 40), **lif),
        Flatten("flat"),
        Dense("fc", codes(rng, 4, 10, 640), rng.integers(-9, 9, 10), bits=4),
        Readout("classes"),
    ]
    edges = [
        ("image", "conv"),
        ("conv", "first"),
        ("first", "pool"),
        ("pool", "main"),
        ("pool", "skip"),
        ("main", "sum"),
    ]
    edges += [("skip", "sum"), ("sum", "block"), ("block", "flat"), ("flat", "fc"), ("fc", "classes")]
    program = Program(nodes, [Edge(*pair) for pair in edges], 3)
    return program, rng.integers(0, 8, (2, 3, 8, 8))


def narrow_program():
    """A convolution that tiny memories cut into passes and blocks, then the baseline's neurons on another core."""
    rng = np.random.default_rng(8)
    program = chain(
        [
            Input("spikes", (40, 5, 4), bits=1, coding="per_step"),
            Conv2d("conv", codes(rng, 8, 130, 40, 3, 3), bits=8, padding=(1, 1), stride=(2, 1)),
            Lif("wide", u_bits=8, theta=np.array(150), leak=Leak.by_shift(2)),
            Flatten("flat"),
            Dense("fc", codes(rng, 4, 20, 1560), bits=4),
            ScaledLif(
                "scaled", u_bits=6, multiplier=rng.integers(1, 90, 20), theta=np.array(900), fraction=4, leak_shift=1
            ),
        ],
        2,
    )
    return program, rng.random((2, 1, 40, 5, 4)) < 0.4


NARROW = {"weight_bytes": 4096, "spike_bytes": 512, "scratchpad_bytes": 32}


def bare_environment():
    """Only what a stranger has: the compiler's folder and the system's."""
    folders = {str(Path(shutil.which("make")).parent), str(find_toolchain().compiler.parent), "/usr/bin", "/bin"}
    return {"PATH": os.pathsep.join(sorted(folders))}


def make(folder, *words, **environment):
    """Call make in a folder; return the finished process."""
    command = ["make", "-s", "-j2", "OPT=-O0", f"VERILATOR={find_toolchain().verilator}", *words]
    given = {**bare_environment(), **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=300, check=False)


def bench(folder):
    """Run the built C++ bench."""
    command = ["build/bench", "."]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, timeout=300, check=False)


def with_word(path, index, change):
    """Replace one word of a hex file; return the old and the new one as signed numbers."""
    lines = path.read_text().splitlines()
    old = int(lines[index], 16)
    new = change(old) & 0xFFFFFFFF
    lines[index] = f"{new:08x}"
    path.write_text("\n".join(lines) + "\n")
    return tuple(word - (word >> 31 << 32) for word in (old, new))
